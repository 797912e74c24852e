"""A thousand instances: how soon they are reached, what each costs in memory, and what a thousand live interfaces do to
everything else: an attach, a rule for all of them, an agent that is killed."""

from __future__ import annotations

import os
import resource
import signal
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench import echoes
from bench.cloud import PORT, ROOM, ROOMY, Cloud, Instance, cloud, until
from bench.figures import Figure, at_most
from bench.measure import percentile
from bench.moves import ATTACHES, attached
from bench.plan import Bench, Plan
from bench.prober import Prober
from enid.netlink.namespaces import run_in
from enid.supervisor.supervise import SHORT_LIFE

INSTANCES, QUICK_INSTANCES = 1000, 100
INTERFACES = 1000
LAUNCH_MS = 20
RULES = 40
_REACHED_WITHIN = 600.0
"""Seconds: on a busy machine a launch takes its time, and shall be told how long."""
REPLUMBS = 5
FLOWS = 20
WATCHED = 100
OPENED = PORT + 1
SETTLED = 3.0
"""Seconds before memory is looked at: what instances do at their first boot is over."""

_ECHO: dict[str, str | int] = {
    "IpPermissions.1.IpProtocol": "icmp",
    "IpPermissions.1.FromPort": -1,
    "IpPermissions.1.ToPort": -1,
    "IpPermissions.1.IpRanges.1.CidrIp": "0.0.0.0/0",
}

FIGURES = (
    "launch_per_instance",
    "memory_per_instance",
    "attach_1000_p50",
    "attach_1000_p99",
    "rule_change_p99",
    "replumb",
    "replumb_lost",
)


def run(plan: Plan) -> Iterable[Figure]:
    raise_descriptor_limit()
    with cloud() as there:
        members = there.group("members")
        there.allow(members, PORT, PORT)
        there.client.call("AuthorizeSecurityGroupIngress", GroupId=members, **_ECHO)
        count = QUICK_INSTANCES if plan.quick else INSTANCES
        before = available()
        begun = time.monotonic()
        instances = there.run(count, group=members)
        _await_reached(there, instances)
        yield at_most("launch_per_instance", (time.monotonic() - begun) / count * 1000, "ms", LAUNCH_MS)
        there.await_running(instances)
        time.sleep(SETTLED)
        yield at_most("memory_per_instance", (before - available()) / count / 2**20, "MiB", 2)
        everyone = [*instances, *_fill(there, members, INTERFACES - count)]
        if plan.wants("attach_1000_p50") or plan.wants("attach_1000_p99"):
            yield from attached(there, instances[0], plan.rounds(ATTACHES), "attach_1000")
        if plan.wants("rule_change_p99"):
            yield _ruled(there, members, everyone, plan.rounds(RULES))
        if plan.wants("replumb") or plan.wants("replumb_lost"):
            yield from _replumbed(there, instances, plan.rounds(REPLUMBS))


def raise_descriptor_limit() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def available() -> int:
    """Bytes of memory that are free or can be had at once."""
    lines = Path("/proc/meminfo").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))


def _await_reached(there: Cloud, instances: Sequence[Instance]) -> None:
    """Until every instance has answered an echo request."""
    with there.inside(there.vantage.id) as (vantage,):
        with run_in(vantage, echoes.raw_socket) as prober:
            missing = {instance.address for instance in instances}
            deadline = time.monotonic() + _REACHED_WITHIN
            while missing:
                echoes.ask(prober, missing)
                missing -= echoes.answers(prober)
                if time.monotonic() > deadline:
                    raise TimeoutError(f"{len(missing)} of {len(instances)} instances are not reached")


def _fill(there: Cloud, group: str, missing: int) -> list[Instance]:
    """More interfaces, up to a thousand, many to an instance."""
    found: list[Instance] = []
    holders = there.launch(-(-missing // ROOM), group=group, kind=ROOMY) if missing > 0 else []
    found += holders
    for holder in holders:
        for index in range(1, ROOM):
            if len(found) >= missing:
                return found
            interface = there.interface(group=group)
            there.attach(interface.id, holder.id, index)
            found.append(Instance(holder.id, interface.id, interface.address))
    return found


def _ruled(there: Cloud, group: str, members: Sequence[Instance], rounds: int) -> Figure:
    taken = rule_changes(there, group, members, rounds)
    there.allow(group, OPENED, OPENED)
    with _sweeping(there, members) as probe:
        time.sleep(0.5)
        probe.stop().last_of_first(len(members), 0.0)
    return at_most("rule_change_p99", percentile(taken, 99) * 1000, "ms", 50)


def rule_changes(there: Cloud, group: str, members: Sequence[Instance], rounds: int) -> list[float]:
    """Seconds from the call AuthorizeSecurityGroupIngress to the first datagram at the last of :data:`WATCHED` members;
    in the end the rule is gone.

    Each round sends from a port of its own, so that all its flows are new ones.
    """
    taken = []
    watched = members[:: max(len(members) // WATCHED, 1)]
    for _ in range(rounds):
        with _sweeping(there, watched) as probe:
            time.sleep(0.03)
            begun = time.monotonic()
            there.allow(group, OPENED, OPENED)
            time.sleep(0.1)
            taken.append(probe.stop().last_of_first(len(watched), begun))
        there.disallow(group, OPENED, OPENED)
        _await_closed(there, watched[:1])
    return taken


@contextmanager
def _sweeping(there: Cloud, members: Sequence[Instance]) -> Iterator[Prober]:
    homes = sorted({member.id for member in members})
    with there.inside(there.vantage.id, *homes) as (source, *places):
        with Prober(source, [member.address for member in members], OPENED, places).running() as probe:
            yield probe


def _await_closed(there: Cloud, members: Sequence[Instance]) -> None:
    def closed() -> bool:
        with _sweeping(there, members) as probe:
            time.sleep(0.01)
            return not probe.stop().arrived

    until("the rule is gone", closed)


def _replumbed(there: Cloud, instances: Sequence[Instance], rounds: int) -> Iterable[Figure]:
    worst, lost = killed_agent(there, instances[: FLOWS + 1], rounds)
    yield at_most("replumb", worst, "s", 3)
    yield at_most("replumb_lost", lost, "packets", 0)


def killed_agent(there: Cloud, instances: Sequence[Instance], rounds: int, index: int = 1) -> tuple[float, int]:
    """``kill -9`` of the agent: seconds until an attachment to the first instance, asked for right then, is attached,
    in the worst case; and what flows to the others lost in all.

    Each agent has lived longer than one whose successor has to wait, as if there were no other rounds.
    """
    holder, *flows = instances
    worst, lost = 0.0, 0
    for _ in range(rounds):
        interface = there.interface()
        until("the agent is no newcomer", lambda: there.enid.agent_age() > SHORT_LIFE)
        agent = there.enid.agent_pid()
        with there.inside(there.vantage.id, *(flow.id for flow in flows)) as (source, *places):
            with Prober(source, [flow.address for flow in flows], PORT, places).running() as probe:
                time.sleep(0.1)
                begun = time.monotonic()
                os.kill(agent, signal.SIGKILL)
                attachment = there.attach(interface.id, holder.id, index)
                until("converged", lambda: there.attachment_status(interface.id) == "attached")  # noqa: B023
                worst = max(worst, time.monotonic() - begun)
                time.sleep(0.1)
                lost += probe.stop().lost
        there.detach(attachment)
        until("detached", lambda: not there.attachment_status(interface.id))  # noqa: B023
    return worst, lost


BENCH = Bench("launch", FIGURES, run)
