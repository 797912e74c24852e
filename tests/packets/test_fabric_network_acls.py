"""Network ACLs: stateless, in the order of their numbers, at the borders of subnets and nowhere else."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from dataclasses import replace
from ipaddress import IPv4Address, ip_address, ip_network

import pytest
from fabric_lab import (
    EVERYWHERE,
    EVERYWHERE6,
    OTHER,
    SUBNET,
    Guest,
    Lab,
    delivers,
    group,
    nothing_for,
    port,
    table,
    until,
    vpc,
)

from enid.netlink.netfilter import NetfilterSocket
from enid.netlink.nftables import get_chains, parse_chain
from enid.topology.records import AclEntry, NetworkAcl, Port, Route, Site, TargetKind

pytestmark = pytest.mark.root

TCP, UDP, ICMP, ICMP6 = 6, 17, 1, 58
PUBLIC = IPv4Address("198.18.0.5")
CAFE = Site("cafe", IPv4Address("198.19.0.1"))


def there(number: int, **changes: object) -> Port:
    """Interface ``number`` of OTHER: 10.0.2.<number> and 2001:db8:0:2::<number>."""
    addresses = (ip_address(f"10.0.2.{number}"), ip_address(f"2001:db8:0:2::{number:x}"))
    return port(number, subnet=OTHER, addresses=addresses, **changes)


A, B, C = port(5), port(6), there(7)
"""A and B share a subnet; C is in the other one."""


def entry(number: int, action: str, protocol: int = -1, block: str = "", first: int = -1, last: int = -1) -> AclEntry:
    return AclEntry(number, action == "allow", protocol, ip_network(block or "0.0.0.0/0"), first, last)


ALL = (entry(100, "allow"), entry(101, "allow", block="::/0"))


def acl(
    name: str,
    *subnets: str,
    ingress: Iterable[AclEntry] = ALL,
    egress: Iterable[AclEntry] = ALL,
) -> NetworkAcl:
    return NetworkAcl(f"acl-{name}", vpc().id, (4, 6), subnets, tuple(ingress), tuple(egress))


@pytest.fixture
def three(lab: Lab) -> Lab:
    """A and B here, C there, and security groups that allow everything."""
    lab.apply(vpc(), table(), group(), A, B, C)
    return lab


def denied(lab: Lab, direction: str, sender: socket.socket, receiver: socket.socket, to: object) -> None:
    """A datagram is dropped by a network ACL in this direction, and for no other reason."""
    before = lab.fabric.drops(vpc().id)
    sender.sendto(b"no", (str(to), receiver.getsockname()[1]))
    reason = f"network_acl_{direction}"
    until(lambda: lab.dropped(reason) == before[reason] + 1, reason)
    assert {**lab.fabric.drops(vpc().id), reason: before[reason]} == before
    assert nothing_for(receiver)


def stage(lab: Lab) -> set[str]:
    """The chains the kernel has for network ACLs."""
    router = lab.fabric._routers[vpc().id]
    netfilter: NetfilterSocket = router.node.netfilter
    names = {name for _, name, _ in (parse_chain(body) for body in netfilter.dump(get_chains()))}
    return {name for name in names if name.startswith(("network_acls", "acl_"))}


def test_acls_that_let_everything_through_are_not_there(three: Lab) -> None:
    open_ = acl("1", SUBNET.id, OTHER.id)
    three.apply(open_)
    assert stage(three) == set()
    three.apply(acl("1", SUBNET.id, OTHER.id, ingress=[entry(90, "deny", UDP, "10.0.9.0/24", 1, 1), *ALL]))
    assert stage(three) == {"network_acls", "acl_ingress_1"}
    three.apply(acl("1", ingress=[]))
    assert stage(three) == set(), "it guards no subnet"
    three.apply(open_)
    three.remove(open_)
    assert stage(three) == set()


@pytest.mark.parametrize("version", [4, 6])
def test_the_first_entry_that_matches_decides(three: Lab, version: int) -> None:
    source, to = A.addresses[version == 6], C.addresses[version == 6]
    length = source.max_prefixlen
    everybody = "0.0.0.0/0" if version == 4 else "::/0"
    three.apply(
        acl(
            "1",
            OTHER.id,
            ingress=[
                entry(10, "deny", UDP, f"{source}/{length}", 53, 60),
                entry(20, "allow", UDP, everybody, 50, 100),
                entry(30, "deny", UDP, everybody, 70, 80),
                entry(40, "allow", TCP, everybody, 0, 65535),
            ],
        )
    )
    sender, neighbour = three.guest(A).udp(source), three.guest(B).udp(B.addresses[version == 6])
    for number in (53, 60):
        receiver = three.guest(C).udp(to, number)
        denied(three, "ingress", sender, receiver, to)
        delivers(neighbour, receiver, to)
    for number in (50, 52, 61, 70, 100):
        delivers(sender, three.guest(C).udp(to, number), to)
    for number in (49, 101):
        denied(three, "ingress", neighbour, three.guest(C).udp(to, number), to)
    url = f"http://[{to}]:777/" if version == 6 else f"http://{to}:777/"
    assert three.guest(A).run(f"curl -s --max-time 2 '{url}'").returncode == 7, "TCP is refused, not lost"


def test_a_reply_is_judged_by_itself(three: Lab) -> None:
    """The server's subnet lets requests in, and its replies only to ports clients send from."""
    asks, answers = three.guest(A).udp(A.addresses[0], 40000), three.guest(C).udp(C.addresses[0], 53)
    inward = [entry(100, "allow", UDP, "", 53, 53)]
    three.apply(acl("1", OTHER.id, ingress=inward, egress=[]))
    delivers(asks, answers, C.addresses[0])
    denied(three, "egress", answers, asks, A.addresses[0])
    three.apply(acl("1", OTHER.id, ingress=inward, egress=[entry(100, "allow", UDP, "10.0.1.0/24", 1024, 65535)]))
    delivers(answers, asks, A.addresses[0])
    low = three.guest(A).udp(A.addresses[0], 1023)
    delivers(low, answers, C.addresses[0])
    denied(three, "egress", answers, low, A.addresses[0])


def test_a_new_deny_cuts_an_established_flow_at_once_and_its_end_mends_it(three: Lab) -> None:
    three.apply(acl("1", SUBNET.id), acl("2", OTHER.id))
    asks, answers = three.guest(A).udp(A.addresses[0]), three.guest(C).udp(C.addresses[0], 53)
    delivers(asks, answers, C.addresses[0])
    delivers(answers, asks, A.addresses[0])
    three.apply(acl("1", SUBNET.id, egress=[entry(99, "deny", UDP, "10.0.2.7/32", 53, 53), *ALL]))
    denied(three, "egress", asks, answers, C.addresses[0])
    delivers(answers, asks, A.addresses[0])
    three.apply(acl("1", SUBNET.id, ingress=[entry(99, "deny", UDP, "10.0.2.0/24", 0, 65535), *ALL]))
    delivers(asks, answers, C.addresses[0])
    denied(three, "ingress", answers, asks, A.addresses[0])
    three.apply(acl("1", SUBNET.id))
    delivers(answers, asks, A.addresses[0])


def test_within_a_subnet_nothing_is_asked(three: Lab) -> None:
    three.apply(acl("1", SUBNET.id, OTHER.id, ingress=[], egress=[]))
    asks, answers = three.guest(A).udp(A.addresses[0]), three.guest(B).udp(B.addresses[0], 53)
    delivers(asks, answers, B.addresses[0])
    delivers(answers, asks, A.addresses[0])
    assert three.guest(A).pings(B.addresses[1])
    denied(three, "egress", asks, three.guest(C).udp(C.addresses[0], 53), C.addresses[0])


def test_the_router_itself_is_not_behind_a_border(three: Lab) -> None:
    """Guests find their gateway whatever an ACL says, as they must to find anybody."""
    three.apply(acl("1", SUBNET.id, ingress=[], egress=[]))
    before = three.fabric.drops(vpc().id)
    three.guest(A).udp(A.addresses[0]).sendto(b"x", (str(SUBNET.gateways[0]), 53))
    until(lambda: three.dropped("to_router") == before["to_router"] + 1, "it is the router's to answer")
    assert three.dropped("network_acl_egress") == 0


def test_icmp_types_are_told_apart(three: Lab) -> None:
    allowed = [entry(100, "allow", ICMP, "", 8, -1), entry(101, "allow", ICMP6, "::/0", 128, 0)]
    three.apply(acl("1", OTHER.id, ingress=allowed))
    assert three.guest(A).pings(C.addresses[0])
    assert three.guest(A).pings(C.addresses[1])
    denied(three, "ingress", three.guest(A).udp(A.addresses[0]), three.guest(C).udp(C.addresses[0], 9), C.addresses[0])
    three.apply(acl("1", OTHER.id, egress=[entry(90, "deny", ICMP, "", 0, -1), *ALL]))
    before = three.dropped("network_acl_egress")
    assert not three.guest(A).pings(C.addresses[0]), "the echo reply is another type, and denied"
    assert three.dropped("network_acl_egress") == before + 1
    three.apply(acl("1", OTHER.id, ingress=[entry(90, "deny", ICMP, "", -1, -1), *ALL]))
    assert not three.guest(A).pings(C.addresses[0])
    assert three.guest(A).pings(C.addresses[1])


def test_an_acl_without_entries_denies_everything(three: Lab) -> None:
    three.apply(acl("1", OTHER.id, ingress=[], egress=[]))
    for place in (0, 1):
        near, far = three.guest(A).udp(A.addresses[place], 53), three.guest(C).udp(C.addresses[place], 53)
        denied(three, "ingress", near, far, C.addresses[place])
        denied(three, "egress", far, near, A.addresses[place])


def test_an_acl_is_replaced_while_packets_flow(three: Lab) -> None:
    """In one change one ACL loses the subnet and another gets it."""
    three.apply(acl("1", OTHER.id, ingress=[]), acl("2"))
    asks, answers = three.guest(A).udp(A.addresses[0]), three.guest(C).udp(C.addresses[0], 53)
    denied(three, "ingress", asks, answers, C.addresses[0])
    three.apply(acl("1", ingress=[]), acl("2", OTHER.id))
    delivers(asks, answers, C.addresses[0])
    three.apply(acl("2"), acl("1", OTHER.id, ingress=[]))
    denied(three, "ingress", asks, answers, C.addresses[0])
    three.apply(acl("1", ingress=[]), acl("3", OTHER.id, ingress=[entry(1, "allow", UDP, "10.0.1.5/32", 53, 53)]))
    delivers(asks, answers, C.addresses[0])
    denied(three, "ingress", three.guest(B).udp(B.addresses[0]), answers, C.addresses[0])


def test_a_new_agent_and_a_rewritten_table_judge_the_same(three: Lab) -> None:
    three.apply(acl("1", OTHER.id, ingress=[entry(1, "allow", UDP, "10.0.1.5/32", 53, 53)]), acl("2", SUBNET.id))
    one, two = three.guest(A).udp(A.addresses[0]), three.guest(B).udp(B.addresses[0])
    answers = three.guest(C).udp(C.addresses[0], 53)

    def holds() -> None:
        assert stage(three) == {"network_acls", "acl_ingress_1"}
        delivers(one, answers, C.addresses[0])
        denied(three, "ingress", two, answers, C.addresses[0])

    holds()
    three.restart()
    while three.fabric.tidy():
        pass
    holds()
    three.fabric._routers[vpc().id]._rewrite()
    while three.fabric.tidy():
        pass
    holds()
    three.apply(acl("1", OTHER.id))
    delivers(two, answers, C.addresses[0])


def test_the_internet_is_across_the_border_and_sees_private_addresses_inside(lab: Lab) -> None:
    out = table(Route(EVERYWHERE, TargetKind.INTERNET), Route(EVERYWHERE6, TargetKind.INTERNET))
    a = replace(A, public=((IPv4Address("10.0.1.5"), PUBLIC),))
    lab.apply(vpc(internet=True), group(), out, CAFE, a, B)
    cafe = lab.site("cafe")
    outside, inside = cafe.udp(CAFE.public_ip, 53), lab.guest(a).udp(a.addresses[0], 53)
    lab.apply(acl("1", SUBNET.id, ingress=[entry(1, "allow", UDP, f"{CAFE.public_ip}/32", 53, 53)]))
    delivers(outside, inside, PUBLIC)
    delivers(inside, outside, CAFE.public_ip)
    lab.apply(acl("1", SUBNET.id, egress=[entry(1, "deny", UDP, f"{CAFE.public_ip}/32", 53, 53), *ALL]))
    denied(lab, "egress", inside, outside, CAFE.public_ip)
    lab.apply(acl("1", SUBNET.id, ingress=[entry(1, "deny", UDP, f"{CAFE.public_ip}/32", 53, 53), *ALL]))
    before = lab.dropped("network_acl_ingress")
    outside.sendto(b"no", (str(PUBLIC), 53))
    until(lambda: lab.dropped("network_acl_ingress") == before + 1, "denied on the way in")
    # From a neighbour to the public address: out of the subnet and into it again, from a public address.
    b = replace(B, public=((IPv4Address("10.0.1.6"), IPv4Address("198.18.0.6")),))
    lab.apply(b, acl("1", SUBNET.id, ingress=[entry(1, "allow", UDP, "198.18.0.6/32", 53, 53)]))
    delivers(lab.guest(b).udp(b.addresses[0]), inside, PUBLIC)
    lab.apply(acl("1", SUBNET.id, ingress=[entry(1, "allow", UDP, "10.0.1.6/32", 53, 53)]))
    denied(lab, "ingress", lab.guest(b).udp(b.addresses[0]), inside, PUBLIC)


def test_an_appliance_passes_its_own_subnets_border(lab: Lab) -> None:
    """Packets of A's to the far network go through C, which forwards them: into C's subnet and out of it again."""
    appliance = there(7, source_dest_check=False)
    far = "192.168.7.7"
    ways = table(Route(ip_network("192.168.7.0/24"), TargetKind.PORT, appliance.id, appliance.addresses[0]))
    lab.apply(vpc(), group(), ways, A, appliance)
    middle: Guest = lab.guest(appliance)
    middle.run(f"ip address add {far}/32 dev lo")
    asks, answers = lab.guest(A).udp(A.addresses[0]), middle.udp(far, 53)
    lab.apply(acl("1", OTHER.id, ingress=[entry(1, "allow", UDP, "10.0.1.5/32", 53, 53)]))
    delivers(asks, answers, far)
    delivers(answers, asks, A.addresses[0])
    lab.apply(acl("1", OTHER.id, ingress=[]))
    denied(lab, "ingress", asks, answers, far)
    lab.apply(acl("1", OTHER.id, egress=[entry(1, "deny", UDP, "10.0.1.5/32", 0, 65535), *ALL]))
    delivers(asks, answers, far)
    denied(lab, "egress", answers, asks, A.addresses[0])
