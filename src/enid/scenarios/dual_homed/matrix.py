"""Step four: who reaches whom, by real connections, and whether the model says the same of each."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from enid.scenarios.cloud import until
from enid.scenarios.dual_homed import plan
from enid.scenarios.dual_homed.floating import DEVICE_INDEX, Floating
from enid.scenarios.dual_homed.servers import Machine, Machines
from enid.scenarios.lab import Lab
from enid.scenarios.report import Check
from enid.scenarios.vantage import Vantage

SILENCE = 0.7
"""Seconds without an answer that count as none. The slowest answer in the demo takes a few milliseconds."""
BURST = 40
"""Connections made to see by which interface the replies leave."""

QUIET = 0.1
"""Seconds without a packet after which a burst is over."""
STRAY = 3
"""Packets any machine may send by itself, such as an ARP request to renew what it knows of its gateway."""

Look = Callable[[Vantage], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Row:
    """A connection and what must become of it."""

    source: str
    """Name of the vantage."""
    question: tuple[str, str, str]
    """The same for the model: source, destination, traffic."""
    meaning: str
    look: Look
    answer: str | None
    """How what is said must begin; None: there must be no answer."""


def prove(lab: Lab, machines: Machines, floating: Floating) -> None:
    """Make every connection (all at once: silence takes its time) and hold both outcomes against the promise."""
    lab.report.step("Who reaches whom: real connections, and what the model says of each")
    rows = list(_rows(machines, floating))
    with ThreadPoolExecutor(len(rows)) as pool:
        seen = list(pool.map(lambda row: row.look(lab.vantages[row.source]), rows))
    outcomes = [_judge(lab, row, got) for row, got in zip(rows, seen, strict=True)]
    lab.report.table(("from", "to", "", "promised", "seen", "model"), outcomes)


def _rows(machines: Machines, floating: Floating) -> Iterator[Row]:
    client, corporate, peer = ("client", "site/client"), ("corporate", "site/corporate"), ("peer", machines.peer)
    for name, machine in machines.by_name.items():
        yield _web(client, machine.elastic_ip, f"{name}'s web site", name)
        yield _connect(client, machine.elastic_ip, plan.SSH, f"{name}'s sshd, from the internet")
        yield _ssh(corporate, machine.server.management, machines, f"{name}'s sshd, over the VPN", _host_name(machine))
        yield _web(corporate, machine.server.management, f"{name}'s web port, over the VPN")
        yield _connect(client, machine.server.management, plan.SSH, f"{name}'s eth1, from the internet")
        yield _connect(peer, machine.server.management, plan.SSH, f"{name}'s eth1, from a neighbour")
    yield _web(corporate, plan.WEB_1.public, "eth0's own address, which has no way back")
    for address, application in plan.APPLICATIONS.items():
        yield _web(client, floating.elastic_ips[address], f"{application}, by its Elastic IP", application)
        yield _web(peer, address, f"{application}, by its private address", application)


def _web(source: tuple[str, str], host: str, meaning: str, answer: str | None = None) -> Row:
    def look(vantage: Vantage) -> dict[str, Any]:
        got = vantage.ask("http", host=host, port=plan.HTTP, timeout=SILENCE if answer is None else 5.0)
        return dict(got)

    return Row(source[0], (source[1], host, f"tcp/{plan.HTTP}"), meaning, look, answer)


def _connect(source: tuple[str, str], host: str, port: int, meaning: str) -> Row:
    def look(vantage: Vantage) -> dict[str, Any]:
        return dict(vantage.ask("tcp", host=host, port=port, timeout=SILENCE))

    return Row(source[0], (source[1], host, f"tcp/{port}"), meaning, look, None)


def _host_name(machine: Machine) -> str:
    """As AWS names an instance: after its primary address."""
    return f"ip-{machine.server.public.replace('.', '-')}.ec2.internal"


def _ssh(source: tuple[str, str], host: str, machines: Machines, meaning: str, hostname: str) -> Row:
    def look(vantage: Vantage) -> dict[str, Any]:
        done = vantage.ask("run", argv=ssh(machines.key_file, host, "hostname"), timeout=20)
        if done["status"]:
            return {"outcome": "failed", "said": done["stderr"].strip()}
        return {"outcome": "open", "said": done["stdout"].strip()}

    return Row(source[0], (source[1], host, f"tcp/{plan.SSH}"), meaning, look, hostname)


def ssh(key_file: str, host: str, command: str) -> list[str]:
    """The real client, with the key pair of the instances and none of the user's own configuration."""
    options = {
        "BatchMode": "yes",
        "ConnectTimeout": "5",
        "IdentitiesOnly": "yes",
        "StrictHostKeyChecking": "no",
        "UserKnownHostsFile": "/dev/null",
        "LogLevel": "ERROR",
    }
    given = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
    return ["ssh", "-F", "none", "-i", key_file, *given, f"root@{host}", command]


def _judge(lab: Lab, row: Row, got: dict[str, Any]) -> tuple[Check, list[str]]:
    verdict = lab.reach(*row.question)
    answered = got["outcome"] == "open"
    kept = (answered and got["said"].startswith(row.answer)) if row.answer else not answered
    agrees = verdict.reachable == (row.answer is not None)
    promised = "answers" if row.answer else "silence"
    seen = f"“{got['said']}”" if answered else got["outcome"] if got["outcome"] != "failed" else got["said"]
    model = "reachable" if verdict.reachable else str(verdict.reason)
    _, destination, traffic = row.question
    check = Check(f"{row.source} → {destination} {traffic}: {promised}", kept and agrees, f"{seen}, model: {model}")
    return check, [row.source, f"{destination} {traffic}", row.meaning, promised, seen, model]


# --- the way back -----------------------------------------------------------------------------------------------------


def prove_way_back(lab: Lab, machines: Machines, floating: Floating) -> None:
    """Replies leave by the interface they came in by: each burst moves one interface's counter and no other's."""
    web_1 = machines.by_name[plan.WEB_1.name]
    elsewhere = list(floating.elastic_ips.values())[-1]
    bursts = (
        (0, "client", "http", web_1.elastic_ip, plan.HTTP),
        (1, "corporate", "tcp", web_1.server.management, plan.SSH),
        (DEVICE_INDEX, "client", "http", elsewhere, plan.HTTP),
    )
    for index, source, task, host, port in bursts:
        before = _when_quiet(lab.vantages[plan.WEB_1.name])
        for _ in range(BURST):
            lab.vantages[source].ask(task, host=host, port=port, timeout=5.0)
        after = lab.vantages[plan.WEB_1.name].ask("transmitted")
        sent = {name: after[name] - before[name] for name in sorted(after) if name.startswith("eth")}
        device = f"eth{index}"
        others = sum(count for name, count in sent.items() if name != device)
        lab.report.check(
            f"replies to {host}:{port} leave by {device}",
            sent[device] >= BURST and others <= STRAY,
            ", ".join(f"{name} sent {count}" for name, count in sent.items()),
        )


def _when_quiet(vantage: Vantage) -> dict[str, int]:
    """The counters, once the connections before have been closed on both sides."""
    readings = [vantage.ask("transmitted")]

    def quiet() -> bool:
        time.sleep(QUIET)
        readings.append(vantage.ask("transmitted"))
        return bool(readings[-1] == readings[-2])

    until(quiet, f"{vantage.name} to send nothing")
    return dict(readings[-1])
