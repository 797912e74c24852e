"""Whose an address is."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address, ip_network

from worlds import APP, NAT, PRIVATE, port

from enid.fabric.linux.untracked.residents import Residents


def packed(text: str) -> bytes:
    return ip_address(text).packed


def test_an_address_is_its_holders_and_in_one_vpc_only() -> None:
    residents = Residents()
    residents.announce(APP)
    assert residents.at("vpc-1", packed("10.0.3.20")) is APP
    assert residents.at("vpc-1", packed("10.0.3.21")) is None
    assert residents.at("vpc-2", packed("10.0.3.20")) is None
    residents.withdraw(APP)
    assert residents.at("vpc-1", packed("10.0.3.20")) is None


def test_all_of_a_prefix_is_its_holders() -> None:
    prefixes = (ip_network("10.0.3.32/28"), ip_network("2001:db8:0:1:2::/80"))
    holder, residents = replace(APP, prefixes=prefixes), Residents()
    residents.announce(holder)
    for inside in ("10.0.3.32", "10.0.3.47", "2001:db8:0:1:2::", "2001:db8:0:1:2:ffff:ffff:ffff"):
        assert residents.at("vpc-1", packed(inside)) is holder
    for outside in ("10.0.3.31", "10.0.3.48", "2001:db8:0:1:3::"):
        assert residents.at("vpc-1", packed(outside)) is None


def test_what_passes_on_is_the_successors() -> None:
    residents, successor = Residents(), port("eni-next", "i-next", PRIVATE, "rtb-private", "10.0.3.20")
    residents.announce(APP)
    residents.announce(successor)
    residents.withdraw(APP)
    assert residents.at("vpc-1", packed("10.0.3.20")) is successor
    residents.announce(NAT)
    assert residents.at("vpc-1", packed("10.0.1.99")) is NAT
