"""The choice of prefixes against a simple model: whole, aligned, free, reserved ones first."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, insert
from test_allocation import store

from enid.store import allocation, prefixes
from enid.store.tables import subnet_cidr_reservations

BLOCK = IPv4Network("10.0.0.0/24")
NUMBERS = range(1, 15)
WIDE = IPv6Network("2001:db8::/64")


def reserve(db: Connection, type_: str, *blocks: int, family: int = 4) -> None:
    for number in blocks:
        place: dict[str, Any] = {"first_block": number, "last_block": number, "family": family}
        if family == 4:
            place |= {"first_offset": number * 16, "last_offset": number * 16 + 15}
        cidr = str(prefixes.numbered(BLOCK if family == 4 else WIDE, number))
        values = {"id": f"scr-{number}", "account_id": "1", "subnet_id": "subnet-1", "cidr": cidr, **place}
        db.execute(insert(subnet_cidr_reservations).values(reservation_type=type_, **values))


def occupy(db: Connection, *offsets: int) -> None:
    rows = [
        allocation.private_row("subnet-1", "eni-1", BLOCK.network_address + offset, BLOCK, position)
        for position, offset in enumerate(offsets)
    ]
    allocation.add_private(db, rows)


def delegate(db: Connection, *numbers: int) -> None:
    prefixes.add(db, "subnet-1", "eni-1", BLOCK, [prefixes.numbered(BLOCK, number) for number in numbers])


def numbers_of(found: list[prefixes.Network]) -> list[int]:
    return [allocation.block_number(BLOCK, prefix.network_address) for prefix in found]


@settings(max_examples=150, deadline=None)
@given(
    offsets=st.sets(st.integers(4, 254), max_size=12),
    delegated=st.sets(st.sampled_from(NUMBERS), max_size=8),
    explicit=st.sets(st.sampled_from(NUMBERS), max_size=4),
    reserved=st.sets(st.sampled_from(NUMBERS), max_size=4),
    count=st.integers(0, 15),
)
def test_exactly_the_free_blocks_can_be_had_and_reserved_ones_come_first(
    offsets: set[int], delegated: set[int], explicit: set[int], reserved: set[int], count: int
) -> None:
    offsets = {offset for offset in offsets if offset // 16 not in delegated}
    reserved -= explicit
    free = set(NUMBERS) - delegated - {offset // 16 for offset in offsets} - explicit
    with store() as db:
        if offsets:
            occupy(db, *offsets)
        delegate(db, *delegated)
        reserve(db, "explicit", *explicit)
        reserve(db, "prefix", *reserved)
        if count > len(free):
            with pytest.raises(allocation.Exhausted):
                prefixes.take(db, "subnet-1", BLOCK, count)
            return
        found = numbers_of(prefixes.take(db, "subnet-1", BLOCK, count))
        assert len(set(found)) == count
        assert set(found) <= free
        assert all(number in reserved for number in found[: len(free & reserved)])


@settings(max_examples=80, deadline=None)
@given(
    delegated=st.sets(st.sampled_from(NUMBERS), max_size=14),
    reserved=st.sets(st.sampled_from(NUMBERS), max_size=4),
    start=st.integers(4, 254),
)
def test_an_address_is_never_chosen_in_a_prefix_or_a_reservation(
    delegated: set[int], reserved: set[int], start: int
) -> None:
    with store() as db:
        delegate(db, *delegated)
        reserve(db, "prefix", *reserved)
        free = [offset for offset in allocation.usable(BLOCK) if offset // 16 not in delegated | reserved]
        found = allocation.free_offsets(db, "subnet-1", BLOCK, start, len(free))
        assert sorted(found) == free
        with pytest.raises(allocation.Exhausted):
            allocation.free_offsets(db, "subnet-1", BLOCK, start, len(free) + 1)


def test_a_block_that_was_given_back_waits_its_turn() -> None:
    with store() as db:
        delegate(db, 14, 13)
        assert numbers_of(prefixes.take(db, "subnet-1", BLOCK, 1)) == [12]
    with store() as db:
        delegate(db, 13, 1)
        assert numbers_of(prefixes.take(db, "subnet-1", BLOCK, 2)) == [14, 12]


def test_ipv6_prefixes_are_80s_and_addresses_keep_out_of_them() -> None:
    with store() as db:
        found = prefixes.take(db, "subnet-1", WIDE, 100)
        assert len(set(found)) == 100
        assert all(prefix.prefixlen == 80 and prefix.subnet_of(WIDE) for prefix in found)  # type: ignore[arg-type]
        reserve(db, "prefix", 7, family=6)
        assert prefixes.take(db, "subnet-1", WIDE, 1) == [IPv6Network("2001:db8:0:0:7::/80")]


def test_addresses_are_chosen_outside_of_reserved_ipv6_ranges() -> None:
    with store() as db:
        upper = {"cidr": "2001:db8:0:0:8000::/65", "first_block": 32768, "last_block": 65535}
        db.execute(
            insert(subnet_cidr_reservations).values(
                id="scr-1", account_id="1", subnet_id="subnet-1", family=6, reservation_type="explicit", **upper
            )
        )
        found = allocation.take_ipv6(db, "subnet-1", WIDE, 20)
        assert len(set(found)) == 20
        assert not [address for address in found if address in IPv6Network(upper["cidr"])]  # type: ignore[arg-type]
        with pytest.raises(allocation.Exhausted):
            allocation.take_ipv6(db, "subnet-1", WIDE, 1, [IPv6Network("2001:db8::/65")])


def test_a_subnet_of_two_blocks_has_no_prefix() -> None:
    assert not prefixes.usable(IPv4Network("10.0.0.0/27"))
    assert not prefixes.usable(IPv4Network("10.0.0.0/28"))
    assert len(prefixes.usable(IPv4Network("10.0.0.0/16"))) == 4094
