"""What the kernel is given for network ACLs does what AWS says, however it came to be what it is.

The messages go to a model of the kernel; tests/packets has the real one.
"""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import Any, cast

from hypothesis import given, settings
from hypothesis import strategies as st

from enid.fabric.linux import names
from enid.fabric.linux.gates import Gates
from enid.netlink.netfilter import NetfilterSocket
from enid.topology.records import AclEntry, NetworkAcl, Port, Subnet
from kernel_model import Frame, Kernel
from network_acl_cases import GRE, TCP, UDP, Packet, first_match, packets, sides

SUBNETS = tuple(
    Subnet(f"subnet-{number}", (ip_network(f"10.0.{number}.0/24"), ip_network(f"2001:db8:0:{number}::/64")))
    for number in (1, 2, 3)
)
ACLS = ("acl-1", "acl-2", "acl-3")
INTERNET = {4: ip_address("203.0.113.9"), 6: ip_address("2001:dead::9")}
STAGE = "network_acls"
OPEN = tuple(AclEntry(100, True, -1, ip_network(block)) for block in ("0.0.0.0/0", "::/0"))

Acls = dict[str, NetworkAcl]


def port(subnet: Subnet, host: int) -> Port:
    number = f"{subnet.id[-1]}{host}"
    return Port(
        id=f"eni-{number}",
        attachment_id=f"eni-attach-{number}",
        vpc_id="vpc-1",
        subnet=subnet,
        route_table_id="rtb-1",
        host="host-1",
        instance_id=f"i-{number}",
        boot=1,
        device_index=0,
        network_card_index=0,
        mac="02:00:00:00:00:01",
        addresses=tuple(block[host] for block in subnet.blocks),
        groups=(),
        source_dest_check=True,
    )


PORTS = [port(subnet, host) for subnet in SUBNETS for host in (5, 6)]
ENDS = [*PORTS, None]
"""``None`` is the internet gateway."""


@st.composite
def some_acls(draw: st.DrawFn) -> Acls:
    """Some of the ACLs, each subnet with one of them or none."""
    there = draw(st.lists(st.sampled_from(ACLS), unique=True))
    home = {subnet.id: draw(st.sampled_from([*there, ""])) for subnet in SUBNETS}
    return {
        id_: NetworkAcl(
            id_,
            "vpc-1",
            (4, 6),
            tuple(subnet for subnet, acl in home.items() if acl == id_),
            draw(sides()),
            draw(sides()),
        )
        for id_ in there
    }


class Table:
    """The gates of a VPC with all ports, over a modelled kernel."""

    def __init__(self, acls: Acls) -> None:
        self.kernel = Kernel()
        self._gates = Gates(cast(NetfilterSocket, self.kernel))
        self._gates.begin()
        for plug in PORTS:
            self._gates.announce_port(plug, here=True)
        self._acls: Acls = {}
        self.become(acls)

    def become(self, acls: Acls) -> None:
        """One batch, withdrawals first, as the router does it."""
        changed = {id_ for id_ in {*self._acls, *acls} if self._acls.get(id_) != acls.get(id_)}
        for id_ in changed & self._acls.keys():
            self._gates.withdraw_acl(self._acls[id_])
        for id_ in changed & acls.keys():
            self._gates.announce_acl(acls[id_])
        self._gates.commit()
        self._acls = dict(acls)

    def state(self) -> Any:
        """All of it that concerns network ACLs."""
        chains = {name: rules for name, rules in self.kernel.chains.items() if name.startswith(("acl_", STAGE))}
        maps = {name: self.kernel.elements[name] for name in ("acl_egress", "acl_ingress", "subnet", "beside")}
        return chains, maps


def link(end: Port | None) -> str:
    return names.port_link(end.attachment_id) if end else names.INTERNET


def frame(source: Port | None, destination: Port | None, packet: Packet) -> Frame:
    place = packet.peer.version == 6
    near = source.addresses[place] if source else INTERNET[packet.peer.version]
    far = destination.addresses[place] if destination else INTERNET[packet.peer.version]
    numbers = (packet.port, packet.code)
    if packet.protocol in (TCP, UDP):
        transport = (4444).to_bytes(2, "big") + packet.port.to_bytes(2, "big")
    else:
        transport = b"\0\0\0\0" if packet.protocol == GRE else bytes((*numbers, 0, 0))
    return Frame(link(source), link(destination), near, far, packet.protocol, transport)


def expected(acls: Acls, source: Port | None, destination: Port | None, sent: Frame, packet: Packet) -> str:
    """The reason the packet is dropped for, or nothing."""
    if source and destination and source.subnet == destination.subnet:
        return ""
    home = {subnet: acl for acl in acls.values() for subnet in acl.subnets}
    leaving, entering = (home.get(end.subnet.id) if end else None for end in (source, destination))
    if leaving and not first_match(leaving.egress, packet._replace(peer=sent.destination))[0]:
        return "network_acl_egress"
    if entering and not first_match(entering.ingress, packet._replace(peer=sent.source))[0]:
        return "network_acl_ingress"
    return ""


SENT = st.tuples(st.sampled_from(ENDS), st.sampled_from(ENDS), packets(["10.0.0.0", "2001:db8::"]))


@settings(max_examples=300)
@given(sides(), packets(["203.0.113.9", "2001:dead::9"]), st.sampled_from(["ingress", "egress"]))
def test_one_direction_of_one_acl_says_what_aws_says(
    said: tuple[AclEntry, ...], packet: Packet, direction: str
) -> None:
    inward = direction == "ingress"
    acl = NetworkAcl(ACLS[0], "vpc-1", (4, 6), ("subnet-1",), said if inward else OPEN, OPEN if inward else said)
    table = Table({acl.id: acl})
    sent = frame(None, PORTS[0], packet) if inward else frame(PORTS[0], None, packet)
    passed = STAGE not in table.kernel.chains or table.kernel.passes(STAGE, sent)
    assert passed is first_match(said, packet)[0]
    assert table.kernel.counted == ({} if passed else {f"network_acl_{direction}": 1})


@settings(max_examples=60)
@given(st.lists(some_acls(), min_size=1, max_size=4), st.lists(SENT, min_size=1, max_size=8))
def test_every_packet_meets_what_aws_says_after_every_change(
    history: list[Acls], sent: list[tuple[Port | None, Port | None, Packet]]
) -> None:
    table = Table(history[0])
    for acls in history:
        table.become(acls)
        for source, destination, packet in sent:
            made = frame(source, destination, packet)
            reason = expected(acls, source, destination, made, packet)
            before = table.kernel.counted.copy()
            guarded = STAGE in table.kernel.chains
            assert (not guarded or table.kernel.passes(STAGE, made)) is (not reason)
            assert table.kernel.counted - before == ({reason: 1} if reason else {})


@settings(max_examples=40)
@given(st.lists(some_acls(), min_size=2, max_size=4))
def test_a_table_that_was_changed_is_the_one_that_is_written_anew(history: list[Acls]) -> None:
    table = Table(history[0])
    for acls in history[1:]:
        table.become(acls)
    assert table.state() == Table(history[-1]).state()


@given(some_acls())
def test_the_stage_is_there_exactly_while_an_acl_restricts_a_subnet(acls: Acls) -> None:
    chains, _ = Table(acls).state()
    restricting = {
        names.acl_chain(acl.id, direction)
        for acl in acls.values()
        for direction in ("ingress", "egress")
        if acl.subnets and acl.restricts(direction)
    }
    assert chains.keys() == restricting | ({STAGE} if restricting else set())
