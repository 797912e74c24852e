"""Real packets between every pair of interfaces of random networks arrive exactly where AWS's rules say.

Three answers are compared for each probe: the oracle's, ``reach``'s and the kernel's.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
import scale
from aws_oracle import client_ports
from aws_plan import Plan
from frames import AGAIN, REPLY, REQUEST, Seen
from packet_lab import PacketLab
from probes import Expected, Probe, expected, probes, reach_disagrees
from random_plans import some_plan
from shrinking import shrunk

pytestmark = pytest.mark.root

Out = tuple[str, Seen] | None

PROBES = scale.amount(100_000, 2_000_000)


@pytest.fixture
def packet_lab(tmp_path: Path) -> Iterator[PacketLab]:
    made = PacketLab(tmp_path)
    yield made
    made.close()


def mismatches(lab: PacketLab, plan: Plan, sent: list[Probe], steps: Random | None) -> list[tuple[Probe, str]]:
    """Probes about which the three do not agree, each with what is wrong."""
    assert lab.become(plan, steps) == []
    ports = client_ports(plan)
    wanted = {probe.number: expected(plan, probe, ports) for probe in sent}
    came = lab.send(sent, {number: said.came is not None for number, said in wanted.items()})
    wrong = []
    for probe in sent:
        said = wanted[probe.number]
        out, back, again = (came.get((probe.number, stage)) for stage in (REQUEST, REPLY, AGAIN))
        found = _request(said, out) or _reply(probe, said, out, back) or _again(probe, back, out, again)
        found = found or (said.came and said.came.unsure and " ") or reach_disagrees(plan, lab.world, probe, said)
        if found.strip():
            wrong.append((probe, found))
    return wrong


def _request(said: Expected, out: Out) -> str:
    match said.came, out:
        case None, None:
            return ""
        case None, (interface, seen):
            return f"came out at {interface} as {seen}"
        case came, None:
            return "" if came.unsure else f"is lost, but should come out at {came.interface}"
        case came, (interface, seen):
            right = (came.interface, came.source, came.destination) == (interface, seen.source, seen.destination)
            return "" if right or came.anywhere else f"came out at {interface} as {seen}, but should be {came}"
    raise AssertionError


def _reply(probe: Probe, said: Expected, out: Out, back: Out) -> str:
    if out is None or said.came is None or said.came.unsure or probe.spoofed:
        return ""
    if _is_reply(probe, back) is said.answered:
        return ""
    return f"its reply came out as {back}, and should {'' if said.answered else 'not '}come back"


def _is_reply(probe: Probe, back: Out) -> bool:
    """Not if it is merely routed into the sender's interface, with addresses the sender knows nothing of."""
    right = (probe.sender.id, probe.packet.destination, probe.packet.source)
    return back is not None and (back[0], back[1].source, back[1].destination) == right


def _again(probe: Probe, back: Out, out: Out, again: Out) -> str:
    """A flow that both have sent in goes on as it began, by whatever shortcut."""
    if not _is_reply(probe, back):
        return ""
    if again is None or out is None:
        return "what follows the reply is lost"
    return "" if again[1]._replace(stage=REQUEST) == out[1] and again[0] == out[0] else f"goes on at {again}"


def test_packets_go_where_aws_says(packet_lab: PacketLab) -> None:
    tried, seed, arrived = 0, scale.first_seed(), 0
    while tried < PROBES:
        plan, random = some_plan(seed), Random(seed)
        sent = list(probes(plan, random))
        wrong = mismatches(packet_lab, plan, sent, random)
        if wrong:
            pytest.fail(report(packet_lab, seed, plan, *wrong[0], len(wrong)))
        arrived += sum(expected(plan, probe, []).came is not None for probe in sent)
        tried += len(sent)
        packet_lab.clear()
        seed += 1
    assert 0.1 < arrived / tried < 0.9, "worlds that let everything or nothing pass prove nothing"
    print(f"{packet_lab.fabric.counts}")
    print(f"{tried} probes, {arrived} of them arrived, up to seed {seed - 1}")


def report(lab: PacketLab, seed: int, plan: Plan, probe: Probe, said: str, count: int) -> str:
    """The smallest network that still shows it."""

    def shows(smaller: Plan) -> bool:
        if probe.sender not in smaller.interfaces:
            return False
        lab.clear()
        return bool(mismatches(lab, smaller, [probe], None))

    least = shrunk(plan, shows) if shows(plan) else plan
    return f"seed {seed} (SEED={seed}), {count} probes wrong; first: {probe}\n{said}\nin {least!r}"
