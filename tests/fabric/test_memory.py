"""The fabric without a kernel keeps what it was given."""

from __future__ import annotations

from ipaddress import IPv4Address

from enid.fabric.interface import Fabric
from enid.fabric.memory import MemoryFabric
from enid.topology.records import Change, Kind, Site

CAFE = Site("cafe", IPv4Address("198.18.0.1"))


def test_it_is_a_fabric_and_keeps_the_world() -> None:
    fabric = MemoryFabric()
    driver: Fabric = fabric
    assert driver.apply([Change(None, CAFE)]) == {}
    assert fabric.world == {(Kind.SITE, "cafe"): CAFE}
    assert driver.apply([Change(CAFE, None)]) == {}
    assert fabric.world == {}
    assert fabric.carried == 2


def test_what_it_shall_refuse_fails_with_the_reason() -> None:
    fabric = MemoryFabric()
    fabric.refuse[CAFE.key] = "no"
    assert fabric.apply([Change(None, CAFE)]) == {CAFE.key: "no"}
    assert fabric.resync({CAFE.key: CAFE}) == {CAFE.key: "no"}
    assert fabric.world == {}
