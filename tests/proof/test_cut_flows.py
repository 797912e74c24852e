"""Random rules change under running flows, while agents come, go and die: those end that AWS ends, and no others."""

from __future__ import annotations

import select
import socket
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
import scale
from fabric_lab import Lab, dying, group, port, table, until, vpc
from flow_oracle import Ends, Rules

from enid.topology.records import Record, Rule, SecurityGroup

pytestmark = pytest.mark.root

CHANGES = scale.amount(40, 5_000)
_WALK = 30
"""Changes of one network, before the next one."""
GROUPS = ("sg-1", "sg-2", "sg-3")
NUMBERS = (53, 54)
_UDP = 17
_WHO = ("0.0.0.0/0", "0.0.0.0/0", "::/0", "::/0", "10.0.1.0/24", "2001:db8:0:1::/64", "10.0.1.5/32", "sg-1", "sg-2")
_WHAT = ((-1, -1, -1), (_UDP, 0, 65535), (_UDP, 53, 53), (_UDP, 54, 56), (_UDP, 0, 53), (6, 53, 53), (1, -1, -1))


class Flow:
    """A running one, or one that was cut."""

    def __init__(self, lab: Lab, world: Rules, ends: Ends, receiver: socket.socket) -> None:
        place = ends.version == 6
        self.ends, self.receiver, self.runs = ends, receiver, False
        self.sender = lab.guest(world.ports[ends.near]).udp(world.ports[ends.near].addresses[place])
        self.sender.connect((str(world.ports[ends.far].addresses[place]), ends.number))


class Network:
    """Three interfaces, three groups, and flows between all of them."""

    def __init__(self, lab: Lab, random: Random) -> None:
        self.lab, self.random = lab, random
        ports = [port(number, groups=self._some_groups()) for number in (5, 6, 7)]
        self.rules = Rules({id_: self._some_group(id_) for id_ in GROUPS}, {each.id: each for each in ports})
        lab.apply(vpc(), table(), *self.rules.groups.values(), *ports)
        self.flows: dict[Ends, Flow] = {}
        self.receivers = {
            (each.id, version, number): lab.guest(each).udp(each.addresses[version == 6], number)
            for each in ports
            for version in (4, 6)
            for number in NUMBERS
        }

    def _some_groups(self) -> tuple[str, ...]:
        return tuple(sorted(self.random.sample(GROUPS, self.random.choice((1, 1, 2)))))

    def _some_group(self, id_: str) -> SecurityGroup:
        return group(id_, self._some_rules(), self._some_rules())

    def _some_rules(self) -> set[Rule]:
        found = set()
        for _ in range(self.random.choice((0, 1, 2, 4))):
            who = self.random.choice(_WHO)
            place = {"group": who} if who.startswith("sg-") else {"cidr": who}
            found.add(Rule(*self.random.choice(_WHAT), **place))
        return found

    def change(self) -> str:
        """One group's rules or one interface's groups, told to an agent, found by a new one, or half done by one that
        dies. Answers what happened."""
        before = self.rules
        changed: Record
        if self.random.random() < 0.6:
            changed = self._some_group(self.random.choice(GROUPS))
            self.rules = Rules({**before.groups, changed.id: changed}, before.ports)
        else:
            changed = replace(self.random.choice(list(before.ports.values())), groups=self._some_groups())
            self.rules = Rules(before.groups, {**before.ports, changed.id: changed})
        how = self.random.choice(("told", "told", "told", "found", "dies", "dies twice"))
        self._carry_out(changed, how)
        for flow in self.flows.values():
            ended = flow.ends.ends(before, self.rules) if flow.runs else not flow.ends.may_begin(self.rules)
            flow.runs = not ended
        return f"{how}: {changed}"

    def _carry_out(self, changed: Record, how: str) -> None:
        if how == "found":
            self.lab.world[changed.key] = changed
        else:
            with dying("follow") if how.startswith("dies") else nullcontext():
                self.lab.apply(changed)
        if how == "dies twice":
            with dying("adopt"):
                self.lab.restart()
        if how != "told":
            self.lab.restart()
        while self.random.random() < 0.5 and self.lab.fabric.tidy():
            pass

    def check(self) -> list[str]:
        """Everybody who may says something, and is heard exactly where the oracle says so."""
        dropped, wanted = self._dropped(), 0
        for flow in self.flows.values():
            flow.sender.send(repr(flow.ends).encode())
            wanted += not flow.runs
        runs, heard = {repr(flow.ends) for flow in self.flows.values() if flow.runs}, set[str]()

        def all_told() -> bool:
            heard.update(ends for receiver in self.receivers.values() for ends in self._heard(receiver))
            return runs <= heard and self._dropped() - dropped >= wanted

        with suppress(AssertionError):
            until(all_told)
        wrong = [f"{ends} {'does not run' if ends in runs else 'runs'}" for ends in heard ^ runs]
        return wrong or [f"{self._dropped() - dropped} dropped, not {wanted}"] * (self._dropped() - dropped != wanted)

    def _heard(self, receiver: socket.socket) -> Iterator[str]:
        """Each is answered."""
        while select.select([receiver], [], [], 0)[0]:
            said, sender = receiver.recvfrom(200)
            receiver.sendto(said, sender)
            yield said.decode()

    def _dropped(self) -> int:
        drops = self.lab.fabric.drops(vpc().id)
        return drops["egress_denied"] + drops["ingress_denied"]

    def begin(self) -> None:
        """Flows that may begin and have not."""
        for (far, version, number), receiver in self.receivers.items():
            for near in self.rules.ports.keys() - {far}:
                ends = Ends(near, far, version, number)
                if ends not in self.flows and ends.may_begin(self.rules):
                    flow = self.flows[ends] = Flow(self.lab, self.rules, ends, receiver)
                    flow.runs = True


@pytest.fixture
def directories(tmp_path: Path) -> Iterator[Path]:
    return (tmp_path / str(number) for number in range(CHANGES))


def test_flows_end_when_aws_ends_them(directories: Iterator[Path]) -> None:
    seed, done = scale.first_seed(), 0
    while done < CHANGES:
        random = Random(seed)
        lab = Lab(next(directories), accelerator=random.choice(("auto", "off")))
        try:
            network, told = Network(lab, random), []
            for _ in range(min(_WALK, CHANGES - done)):
                network.begin()
                assert not (wrong := network.check()), f"SEED={seed}: before anything changed: {wrong}"
                told.append(network.change())
                assert not (wrong := network.check()), "\n".join([f"SEED={seed}", *told, *wrong])
                done += 1
        finally:
            lab.close()
        seed += 1
