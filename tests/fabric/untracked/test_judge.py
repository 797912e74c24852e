"""Which running flows a change ends: the judge, over records and made-up flows."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address, ip_network

from worlds import APP, NAT_GATEWAY, PRIVATE, VPC, all_traffic, group, port, table, tcp, to_internet, to_port

from enid.fabric.linux.untracked.judge import Judge, Scene, Sentence
from enid.fabric.linux.untracked.residents import Residents
from enid.netlink.conntrack import CUT, Flow
from enid.topology.records import Peering, Port, Record, RouteTable, Rule, SecurityGroup
from enid.topology.tracking import openness

OPEN = group("sg-app", all_traffic())
OTHER = port("eni-other", "i-other", PRIVATE, "rtb-private", "10.0.3.21", groups=("sg-other",))
PEERS = port("eni-peer", "i-peer", PRIVATE, "rtb-peer", "10.7.0.5", groups=("sg-peer",), vpc="vpc-2")
LINKED = replace(VPC, peerings=(Peering("pcx-1", "vpc-2", (ip_network("10.7.0.0/16"),)),))


def flow(source: str, destination: str, number: int = 80, protocol: int = 6, cut: bool = False) -> Flow:
    ends = (ip_address(end).packed for end in (source, destination))
    return Flow(*ends, protocol, number, 8 | (CUT if cut else 0), b"")


def sentence(*records: Record, flows: list[Flow]) -> Sentence:
    """Of flows, when APP and OTHER were open to everywhere, and the rules are those of the records."""
    ports = {each.id: each for each in (APP, OTHER, NAT_GATEWAY, PEERS)}
    ports |= {each.id: each for each in records if isinstance(each, Port)}
    residents = Residents()
    for each in ports.values():
        residents.announce(each)
    groups = {each.id: each for each in records if isinstance(each, SecurityGroup)}
    tables = {each.id: each for each in records if isinstance(each, RouteTable)}
    scene = Scene(LINKED, ports, residents, groups, tables, lambda port: port.vpc_id == VPC.id)
    return Judge(scene, lambda _: True, lambda _: [openness([OPEN])]).judge(flows)


IN, OUT = flow("203.0.113.80", "10.0.3.20"), flow("10.0.3.20", "203.0.113.80")


def test_each_way_is_judged_by_its_own_rules() -> None:
    assert sentence(group("sg-app"), flows=[IN, OUT]) == ([IN], [], [])
    assert sentence(group("sg-app", all_traffic(), egress=()), flows=[IN, OUT]) == ([OUT], [], [])
    assert sentence(flows=[IN, OUT]) == ([IN, OUT], [], [])


def test_one_end_that_ends_it_is_enough() -> None:
    both = flow("10.0.3.20", "10.0.3.21")
    assert sentence(OPEN, group("sg-other", all_traffic()), flows=[both]).cut == []
    assert sentence(OPEN, group("sg-other"), flows=[both]).cut == [both]
    assert sentence(group("sg-app", egress=()), group("sg-other", all_traffic()), flows=[both]).cut == [both]


def test_a_block_or_a_group_that_still_allows_it() -> None:
    mine, others = flow("10.0.3.21", "10.0.3.20"), flow("10.0.3.22", "10.0.3.20")
    opened = group("sg-other", all_traffic())
    for rule in (tcp(80, "10.0.3.21/32"), tcp(80, group="sg-other")):
        assert sentence(group("sg-app", rule), opened, flows=[mine, others]).cut == [others]
    for rule in (tcp(81, "10.0.3.21/32"), tcp(80, group="sg-else"), tcp(80, "::/0")):
        assert sentence(group("sg-app", rule), opened, flows=[mine, others]).cut == [mine, others]


def test_a_peers_group_counts_over_its_connection_alone() -> None:
    from_peer = flow("10.7.0.5", "10.0.3.20")
    known = Rule(6, 80, 80, group="sg-peer", peering="pcx-1")
    assert sentence(group("sg-app", known), flows=[from_peer]).cut == []
    assert sentence(group("sg-app", replace(known, peering="pcx-2")), flows=[from_peer]).cut == [from_peer]


def test_what_goes_out_through_a_nat_gateway_is_left_alone() -> None:
    shut = group("sg-app", egress=())
    through = table("rtb-private", to_port("0.0.0.0/0", NAT_GATEWAY.id, "10.0.1.98"))
    assert sentence(shut, through, flows=[OUT]).cut == []
    assert sentence(shut, table("rtb-private", to_internet()), flows=[OUT]).cut == [OUT]
    assert sentence(group("sg-app"), through, flows=[IN]).cut == [IN]


def test_strangers_and_ports_without_groups_are_left_alone() -> None:
    passing = [flow("203.0.113.80", "10.0.1.98"), flow("203.0.113.80", "10.0.9.9"), flow("203.0.113.80", "10.7.0.5")]
    assert sentence(flows=passing).cut == []


def test_a_flow_that_was_cut_is_pardoned_when_both_ends_allow_it() -> None:
    was = flow("10.0.3.20", "10.0.3.21", cut=True)
    assert sentence(OPEN, group("sg-other", all_traffic()), flows=[was]) == ([], [], [was])
    assert sentence(OPEN, group("sg-other"), flows=[was]) == ([], [was], [])
    assert sentence(group("sg-app", egress=()), group("sg-other", all_traffic()), flows=[was]) == ([], [was], [])
