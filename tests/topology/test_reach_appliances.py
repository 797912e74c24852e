"""Through appliances that pass packets on as they are: routes within the VPC, and gateways' route tables."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address, ip_network

import pytest
from worlds import (
    APP,
    CLIENT,
    CORP,
    PRIVATE,
    VPC,
    WEB_PUBLIC,
    all_traffic,
    but,
    group,
    port,
    subnet,
    table,
    tcp,
    to_internet,
    to_port,
    to_vpn,
    world,
)

from enid.topology.reach import Part, Reason, Verdict, reach
from enid.topology.records import Port, World

INSPECTION = subnet("subnet-inspection", "10.0.9.0/24")
BOX = port("eni-box", "i-box", INSPECTION, "rtb-box", "10.0.9.9", groups=("sg-box",), check=False)
CLOSED = replace(BOX, source_dest_check=True)
SECOND = port("eni-second", "i-second", WEB_PUBLIC.subnet, "rtb-public", "10.0.1.11", groups=("sg-web",))
INSPECTED: World = world(
    replace(VPC, subnets=(*VPC.subnets, INSPECTION), internet_table="rtb-edge", vpn_table="rtb-edge"),
    CORP,
    CLIENT,
    WEB_PUBLIC,
    SECOND,
    APP,
    BOX,
    table("rtb-public", *(to_port(block, "eni-box", "10.0.9.9") for block in ("0.0.0.0/0", "10.0.3.0/24"))),
    table("rtb-private"),
    table("rtb-box", to_internet(), to_vpn("192.168.0.0/16")),
    table("rtb-edge", to_port("10.0.1.0/24", "eni-box", "10.0.9.9")),
    group("sg-web", tcp(80, "0.0.0.0/0")),
    group("sg-app", tcp(8080, group="sg-web")),
    group("sg-box", all_traffic()),
)


def ask(source: str, destination: str, what: str = "tcp/80", of: World = INSPECTED) -> Verdict:
    return reach(of, source, destination, what)


def passed(verdict: Verdict) -> list[str]:
    """The instances and gateways on the way."""
    assert verdict.reachable, verdict.sentence
    return [hop.id for hop in verdict.hops if hop.part in (Part.INSTANCE, Part.INTERNET_GATEWAY, Part.VPN)]


@pytest.mark.parametrize(
    ("source", "destination", "what", "way"),
    [
        ("site/client", "198.18.0.5", "tcp/80", ["vpc-1", "i-box"]),
        ("192.168.0.10", "10.0.1.10", "tcp/80", ["vpn-1", "i-box"]),
        ("i-web", "site/client", "tcp/443", ["i-box", "vpc-1"]),
        ("i-web", "i-app", "tcp/8080", ["i-box"]),
        ("i-web", "i-second", "tcp/80", []),
    ],
)
def test_the_way_leads_through_the_appliance(source: str, destination: str, what: str, way: list[str]) -> None:
    assert passed(ask(source, destination, what)) == way


def test_the_receivers_groups_know_the_first_sender() -> None:
    """The appliance changes no address, so a reference to the sender's group holds."""
    only_box = but(INSPECTED, group("sg-app", tcp(8080, group="sg-box")))
    assert ask("i-web", "i-app", "tcp/8080", only_box).reason is Reason.INGRESS


def test_the_appliances_own_groups_are_asked() -> None:
    shut = but(INSPECTED, group("sg-box"))
    for source, destination in (("site/client", "198.18.0.5"), ("i-web", "site/client")):
        verdict = ask(source, destination, of=shut)
        assert (verdict.reason, verdict.hops[-1].port) == (Reason.INGRESS, "eni-box")
    mute = but(INSPECTED, group("sg-box", all_traffic(), egress=()))
    assert ask("site/client", "198.18.0.5", of=mute).reason is Reason.EGRESS


def test_an_appliance_that_checks_addresses_takes_nothing() -> None:
    assert ask("site/client", "198.18.0.5", of=but(INSPECTED, CLOSED)).reason is Reason.SOURCE_DEST_CHECK


def test_an_appliance_that_is_gone_leaves_a_black_hole() -> None:
    gone = {key: record for key, record in INSPECTED.items() if key != BOX.key}
    assert ask("site/client", "198.18.0.5", of=gone).reason is Reason.BLACKHOLE


def test_the_reply_too_may_come_by_the_appliance_and_must_get_out_there() -> None:
    stuck = but(INSPECTED, table("rtb-box"))
    assert ask("site/client", "198.18.0.5", of=stuck).reason is Reason.NO_WAY_BACK
    loop = but(INSPECTED, table("rtb-box", to_port("0.0.0.0/0", "eni-box", "10.0.9.9")))
    assert ask("site/client", "198.18.0.5", of=loop).reason is Reason.NO_WAY_BACK


def test_a_gateway_without_a_route_to_the_address_goes_straight_there() -> None:
    elsewhere = but(INSPECTED, table("rtb-edge", to_port("10.0.3.0/24", "eni-box", "10.0.9.9")))
    assert "i-box" not in passed(ask("site/client", "198.18.0.5", of=elsewhere))
    assert ip_network("10.0.3.0/24") == PRIVATE.blocks[0]


def test_over_ipv6_nothing_comes_in_whose_reply_only_an_appliance_would_send_out() -> None:
    outside, inside, middle = "2001:db8:ffff::7", "2001:db8:1:1::4", "2001:db8:1:9::9"

    def dual(each: Port, address: str) -> Port:
        home = replace(each.subnet, blocks=(*each.subnet.blocks, ip_network(f"{address}/64", strict=False)))
        return replace(each, subnet=home, addresses=(*each.addresses, ip_address(address)))

    web, box = dual(WEB_PUBLIC, inside), dual(BOX, middle)
    vpc = replace(VPC, blocks=(*VPC.blocks, ip_network("2001:db8:1::/56")), subnets=(web.subnet, box.subnet))
    straight = world(
        vpc,
        web,
        box,
        table("rtb-public", to_port("::/0", "eni-box", middle)),
        table("rtb-box", to_internet("::/0")),
        group("sg-web", tcp(80, "::/0"), egress=(all_traffic("::/0"),)),
        group("sg-box", all_traffic("::/0"), egress=(all_traffic("::/0"),)),
    )
    verdict = ask(outside, inside, of=straight)
    assert (verdict.reason, verdict.hops[-1].id) == (Reason.NO_WAY_BACK, "rtb-public")
    assert verdict.sentence.startswith("the request is dropped")
    edge = table("rtb-edge", to_port("2001:db8:1:1::/64", "eni-box", middle))
    assert ask(outside, inside, of=but(straight, replace(vpc, internet_table="rtb-edge"), edge)).reachable
