"""Which routes lead into a tunnel, which never do, and what is left when there is none."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Interface, IPv4Network

from enid.netlink.routes import UNICAST, Route
from enid.topology.blocks import ANYWHERE
from enid.vpn.ends import End, Tunnel
from enid.vpn.ways import PROTOCOL, wanted

OFFICE, GATEWAYS = IPv4Address("203.0.113.50"), (IPv4Address("198.51.100.1"), IPv4Address("203.0.113.1"))
BLOCK, SOURCE = IPv4Network("10.0.0.0/16"), IPv4Address("172.16.0.10")
TUNNELS = tuple(
    Tunnel(f"tunnel-{number}", gateway, IPv4Interface(f"169.254.1{number}.2/30"), "key")
    for number, gateway in enumerate(GATEWAYS, 1)
)
GATEWAY = End("vpn-1", None, OFFICE, TUNNELS, (ANYWHERE[4],))
SITE = End("vpn-1", "office", OFFICE, TUNNELS, (BLOCK,), SOURCE)
OTHER = End("vpn-2", "office", OFFICE, TUNNELS, (BLOCK, IPv4Network("10.1.0.0/16")), SOURCE)
INTERNET, TUNNEL, SECOND = 2, 3, 4


def devices(found: dict[object, Route], destination: object) -> list[int]:
    """Where packets for a destination go, the best way first; 0 is nowhere."""
    ways = sorted((way for way in found.values() if way.destination == destination), key=lambda way: way.metric)
    return [way.device if way.kind == UNICAST else 0 for way in ways]


def test_a_gateway_leads_everything_into_its_tunnels_but_what_is_for_the_customer_gateway() -> None:
    found = dict(wanted({GATEWAY: TUNNEL}, INTERNET))
    assert devices(found, ANYWHERE[4]) == [TUNNEL, 0]
    assert devices(found, IPv4Network(OFFICE)) == [INTERNET, 0]


def test_a_site_leads_the_vpc_into_its_tunnels_and_sends_from_its_own_address() -> None:
    found = dict(wanted({SITE: TUNNEL}, INTERNET))
    assert devices(found, BLOCK) == [TUNNEL, 0]
    assert {way.source for way in found.values() if way.device == TUNNEL} == {SOURCE}
    for gateway in GATEWAYS:
        assert devices(found, IPv4Network(gateway)) == [INTERNET, 0]


def test_without_a_link_packets_go_nowhere() -> None:
    found = dict(wanted({GATEWAY: 0}, 0))
    assert devices(found, ANYWHERE[4]) == devices(found, IPv4Network(OFFICE)) == [0]


def test_of_two_that_lead_to_the_same_block_the_first_has_it() -> None:
    for order in ((SITE, OTHER), (OTHER, SITE)):
        found = dict(wanted({end: TUNNEL if end is SITE else SECOND for end in order}, INTERNET))
        assert devices(found, BLOCK) == [TUNNEL, 0]
        assert devices(found, IPv4Network("10.1.0.0/16")) == [SECOND, 0]


def test_no_route_is_an_administrators() -> None:
    assert {way.protocol for way in wanted({SITE: TUNNEL, GATEWAY: 0}, INTERNET).values()} == {PROTOCOL}
