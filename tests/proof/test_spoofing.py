"""Whatever an interface sends under a name that is not its own, nobody hears it.

Frames by raw sockets, from every kind of interface; see :mod:`forgeries`. What comes out anywhere is accounted for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from ipaddress import ip_address
from itertools import count
from pathlib import Path
from random import Random

import forgery_world
import pytest
import scale
from forgeries import KINDS, OVER_IPV6, Flow, Forger, Forgery, flows, framed, router_mac
from forgery_lab import ForgeryLab, Heard, owner
from forgery_world import PORTS

from enid.netlink.message import hardware
from enid.topology.records import Port
from packets import ICMP, ICMP6, ip, mark, transport

pytestmark = pytest.mark.root

FORGERIES = scale.amount(4_000, 1_000_000)
STRANGER = next(port.id for port in PORTS if port.vpc_id == forgery_world.STRANGER)
"""Has nobody to talk to but the internet."""
_BATCH = 100
_CONTROLS = 5
_BATCHES = 40
"""Before the flows are looked at again, and kept from being forgotten."""
_FLOW = 1 << 30
"""Numbers from here on are packets of flows."""


@pytest.fixture(params=["auto", "off"], ids=["accelerated", "plain"])
def lab(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[ForgeryLab]:
    made = ForgeryLab(tmp_path, request.param)
    yield made
    made.close()


def establish(lab: ForgeryLab, all_flows: list[Flow]) -> None:
    """A packet, its answer, and one more: each arrives."""
    for stage, flags in enumerate((0x02, 0x12, 0x10)):
        keep_up(lab, all_flows, stage, flags)


def keep_up(lab: ForgeryLab, all_flows: list[Flow], stage: int, flags: int = 0x10) -> None:
    """A packet of each flow arrives: the answer, if ``stage`` is odd."""
    hoped: list[tuple[int, str]] = []
    frames: list[tuple[str, bytes]] = []
    for place, flow in enumerate(all_flows):
        back = stage % 2
        sender, receiver = (flow.far, flow.near) if back else (flow.near, flow.far)
        source, destination = flow.ends[::-1] if back else flow.ends
        number = _FLOW + stage * len(all_flows) + place
        ports = flow.ports[::-1] if back else flow.ports
        body = transport(flow.protocol, ports, mark(number), source.packed + destination.packed, flags)
        frames.append(framed(sender, flow.version, ip(source, destination, flow.protocol, body)))
        hoped.append((number, receiver.id))
    lab.send(frames)
    missing = set(hoped) - lab.hear(set(hoped)).probes
    lab.send(frame for frame, hope in zip(frames, hoped, strict=True) if hope in missing)  # late on a busy machine
    assert not missing - lab.hear(missing).probes, "flows go on"


def wrong(sent: Iterable[Forgery], heard: Heard) -> list[str]:
    """What was heard and should not have been, or the other way round."""
    by_number = {each.number: each for each in sent}
    senders = {where for each in by_number.values() for where, _ in each.frames}
    found = []
    for number, where in heard.probes:
        forgery = by_number.get(number)
        if forgery is None or forgery.to != where:
            found.append(f"came out at {where}: {forgery}")
    for forgery in by_number.values():
        if forgery.must and (forgery.number, forgery.to) not in heard.probes:
            found.append(f"is lost: {forgery}")
    found += [
        f"a stray at {where}: {frame.hex()}"
        for where, frame in heard.strays
        if where not in senders and not _comes_late(frame, where)
    ]
    for number, where, source in heard.callers:
        forgery, caller = by_number.get(number), owner(source, where.removeprefix("services of "))
        if forgery is None or caller is None or forgery.frames[0][0] != caller.id or _is_masked(forgery, caller):
            found.append(f"{where} heard {source}: {forgery}")
    return found + [f"{where} has a connection" for where in heard.connections]


_LATE4, _LATE6 = bytes((11, 1)), bytes((3, 1))
"""ICMP's type and code: the pieces of a packet never became whole."""
_SOLICITS = 135


def _comes_late(frame: bytes, where: str) -> bool:
    """What a router says of itself, seconds or a minute after what it is about: that a packet of this very interface
    never became whole, and the question whether a link-local neighbour is still there."""
    port = next(each for each in PORTS if each.id == where)
    if frame[6:12] != router_mac(port.vpc_id):
        return False
    packet = frame[14:]
    if packet[0] >> 4 == 4:
        error = packet[(packet[0] & 15) << 2 :]
        return packet[9] == ICMP and error[:2] == _LATE4 and ip_address(error[20:24]) in port.addresses
    error = packet[40:]
    if packet[6] != ICMP6:
        return False
    return error[0] == _SOLICITS or (error[:2] == _LATE6 and ip_address(error[16:32]) in port.addresses)


def _is_masked(forgery: Forgery, caller: Port) -> bool:
    """It is asked by link, and from another MAC than that of the port there."""
    return forgery.kind == OVER_IPV6 and forgery.frames[0][1][6:12] != hardware(caller.mac)


def heard_of(lab: ForgeryLab, sent: list[Forgery]) -> Heard:
    lab.hear(set(), 0)
    lab.send(frame for each in sent for frame in each.frames)
    heard = lab.hear({(each.number, each.to) for each in sent if each.must})
    late = [each for each in sent if each.must and (each.number, each.to) not in heard.probes]
    if late:  # on a busy machine; once more, before it counts as lost
        lab.send(frame for each in late for frame in each.frames)
        heard.add(lab.hear({(each.number, each.to) for each in late}))
    return heard


def test_every_ear_hears_what_is_for_it(lab: ForgeryLab) -> None:
    """The control: true flows, from and to everybody; the internet; each VPC's services; and in each wrapping."""
    all_flows = list(flows())
    establish(lab, all_flows)
    assert {port.id for flow in all_flows for port in (flow.near, flow.far)} | {STRANGER} == {each.id for each in PORTS}
    forger = Forger(Random(1), all_flows)
    sent = list(forger.outings())
    assert STRANGER in {each.to for each in sent}
    assert wrong(sent, heard_of(lab, sent)) == []
    asked = list(forger.questions())
    heard = heard_of(lab, asked)
    assert wrong(asked, heard) == []
    assert {number for number, *_ in heard.callers} == {each.number for each in asked}
    sent = [forger.honest() for _ in range(200)]
    heard = heard_of(lab, sent)
    assert wrong(sent, heard) == []
    assert len(heard.probes) > 100


def test_nobody_hears_a_forgery(lab: ForgeryLab) -> None:
    seed = scale.first_seed()
    all_flows = list(flows())
    establish(lab, all_flows)
    forger = Forger(Random(seed), all_flows)
    tried: Counter[str] = Counter()
    stages = count(4)
    while sum(tried.values()) < FORGERIES:
        for _ in range(_BATCHES):
            sent = [forger.draw() for _ in range(_BATCH)] + [forger.control() for _ in range(_CONTROLS)]
            found = wrong(sent, heard_of(lab, sent))
            assert not found, f"seed {seed} (SEED={seed}): {len(found)} wrong: " + "\n".join(found[:5])
            tried.update(each.kind for each in sent)
        keep_up(lab, all_flows, next(stages))
        keep_up(lab, all_flows, next(stages))
    assert set(tried) == {*KINDS, "control"}
    print(f"{sum(tried.values())} forgeries from seed {seed}: {dict(tried)}; drops {lab.fabric.drops(PORTS[0].vpc_id)}")
