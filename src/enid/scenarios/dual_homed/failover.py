"""Step five: the interface moves from a dead server to its standby, and back between two healthy ones.

Clients on the internet and in the VPC probe the address every millisecond all the while, so every gap is measured
from outside, in answers that came and answers that did not.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from enid.scenarios.cloud import until
from enid.scenarios.dual_homed import plan
from enid.scenarios.dual_homed.floating import Floating, attach, detach, identity
from enid.scenarios.dual_homed.matrix import ssh
from enid.scenarios.dual_homed.servers import Machine, Machines
from enid.scenarios.dual_homed.user_data import START
from enid.scenarios.lab import Lab

BEFORE_AND_AFTER = 0.3
"""Seconds of probing on both sides of a move."""


@dataclass(frozen=True, slots=True)
class Gap:
    """What a client missed. Times are milliseconds."""

    silence: float
    """Between the last answer of the old holder and the first of the new one."""
    last: int
    first: int
    """When those were sent, ``CLOCK_MONOTONIC`` in nanoseconds."""
    lost: int


def move_from_dead_server(lab: Lab, machines: Machines, floating: Floating) -> None:
    """web-1 crashes; as automation would, see it, detach its interface by force and attach it to web-2."""
    lab.report.step("web-1 crashes; its interface moves to web-2")
    web_1, web_2 = (machines.by_name[server.name] for server in plan.SERVERS)
    before = identity(lab, floating)
    seen: dict[str, int] = {}

    def move() -> None:
        killer = lab.crash(web_1.id)
        until(lambda: _impaired(lab, web_1), "the status checks of web-1 to say impaired")
        seen["noticed"] = time.monotonic_ns()
        shown = lab.cloud.network_interface(floating.id)
        lab.report.check(
            "a dead server keeps its interface: nothing moves by itself",
            shown["Status"] == "in-use" and shown["Attachment"]["InstanceId"] == web_1.id,
            f"{shown['Status']}, status check impaired",
        )
        seen["begun"] = time.monotonic_ns()
        detach(lab, floating, force=True)
        attach(lab, floating, web_2)
        seen["done"] = time.monotonic_ns()
        killer.wait()

    gaps = _measure(lab, floating, web_1, web_2, move)
    noticed = (seen["noticed"] - max(gap.last for gap in gaps.values())) / 1e6
    calls = (seen["done"] - seen["begun"]) / 1e6
    lab.report.did(f"noticed {noticed:.0f} ms after the last answer; detach --force and attach took {calls:.0f} ms")
    for client, gap in gaps.items():
        since = (gap.first - seen["begun"]) / 1e6
        lab.report.check(
            f"{client}: web-2 answers in web-1's place",
            0 <= since < calls + 50,
            f"{since:.0f} ms after the move began; silence {gap.silence:.0f} ms",
        )
    _compare(lab, before, floating)
    lab.look_from()


def move_between_healthy_servers(lab: Lab, machines: Machines, floating: Floating) -> None:
    """web-1 comes back, and takes its interface back from a web-2 that still runs."""
    lab.report.step("web-1 is repaired and takes the interface back from a running web-2")
    web_1, web_2 = (machines.by_name[server.name] for server in plan.SERVERS)
    _repair(lab, machines, web_1)
    before = identity(lab, floating)
    watch = lab.vantages[web_2.server.name].begin("receipts", address=plan.FLOATING)
    seen: dict[str, int] = {}

    def move() -> None:
        seen["begun"] = time.monotonic_ns()
        detach(lab, floating, force=False)
        seen["detached"] = time.monotonic_ns()
        attach(lab, floating, web_1)
        seen["done"] = time.monotonic_ns()

    gaps = _measure(lab, floating, web_2, web_1, move)
    receipts = watch.stop()
    lab.report.did(f"detach and attach took {(seen['done'] - seen['begun']) / 1e6:.0f} ms")
    for client, gap in gaps.items():
        lab.report.check(
            f"{client}: the service moved",
            gap.silence < 2_000,
            f"silence {gap.silence:.0f} ms, {gap.lost} probes of one each millisecond unanswered",
        )
    late = (receipts["last"] - seen["detached"]) / 1e6
    lab.report.check(
        "nothing reached web-2 once the detach was answered",
        receipts["count"] > 0 and late <= 0,
        f"{receipts['count']} packets, the last {-late:.0f} ms before",
    )
    _compare(lab, before, floating)


def _measure(lab: Lab, floating: Floating, old: Machine, new: Machine, move: Callable[[], None]) -> dict[str, Gap]:
    """Probe the floating address from both sides while ``move`` runs."""
    targets = {"client": floating.elastic_ips[plan.FLOATING], "peer": plan.FLOATING}
    probes = {name: lab.vantages[name].begin("udp-probe", host=host, port=plan.ECHO) for name, host in targets.items()}
    time.sleep(BEFORE_AND_AFTER)
    move()
    time.sleep(BEFORE_AND_AFTER)
    words = {"client": "internet client", "peer": "neighbour in the VPC"}
    return {words[name]: _gap(probe.stop(), old.server.name, new.server.name) for name, probe in probes.items()}


def _gap(probed: dict[str, Any], old: str, new: str) -> Gap:
    """:raises RuntimeError: one of the two never answered."""
    answered = {holder: [reply for reply in probed["replies"] if reply[3] == holder] for holder in (old, new)}
    for holder, replies in answered.items():
        if not replies:
            raise RuntimeError(f"{holder} answered none of {probed['sent']} probes")
    last, first = answered[old][-1], answered[new][0]
    return Gap((first[2] - last[2]) / 1e6, last[2], first[2], probed["sent"] - len(probed["replies"]))


def _impaired(lab: Lab, machine: Machine) -> bool:
    answer = lab.cloud.ec2.describe_instance_status(InstanceIds=[machine.id])["InstanceStatuses"]
    return bool(answer and answer[0]["InstanceStatus"]["Status"] == "impaired")


def _compare(lab: Lab, before: dict[str, Any], floating: Floating) -> None:
    after = identity(lab, floating)
    differing = [name for name in before if before[name] != after[name]]
    lab.report.check(
        "MAC, addresses, Elastic IPs, groups, description and tags are what they were",
        not differing,
        f"{before['MacAddress']}, {len(before['addresses'])} addresses" if not differing else ", ".join(differing),
    )


def _repair(lab: Lab, machines: Machines, machine: Machine) -> None:
    """Stop and start it, then start its services over the management network, as its administrator would."""
    lab.cloud.ec2.stop_instances(InstanceIds=[machine.id], Force=True)
    lab.cloud.await_state(machine.id, "stopped")
    lab.cloud.ec2.start_instances(InstanceIds=[machine.id])
    lab.cloud.await_state(machine.id, "running")
    lab.look_from(**{machine.server.name: machine.id})
    command = ssh(machines.key_file, machine.server.management, START)
    until(lambda: _succeeds(lab, command), f"sshd of {machine.server.name}")
    got = lab.vantages["client"].ask("http", host=machine.elastic_ip, port=plan.HTTP, timeout=5.0)
    lab.report.check(
        f"{machine.server.name} serves again, started over the VPN by ssh",
        got["said"].startswith(machine.server.name),
        got["said"] or got["outcome"],
    )


def _succeeds(lab: Lab, command: list[str]) -> bool:
    return bool(lab.vantages["corporate"].ask("run", argv=command, timeout=20)["status"] == 0)
