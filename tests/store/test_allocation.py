"""Address allocation against a simple model: never a reserved or used address, never one too few."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from ipaddress import IPv4Address, IPv4Network, IPv6Network
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, event, insert, select

from enid.settings import Settings
from enid.store import allocation
from enid.store.database import Conflict
from enid.store.tables import (
    network_interfaces,
    private_addresses,
    public_addresses,
    sites,
    subnets,
    vpcs,
)
from fresh_store import fresh_store

BLOCK = IPv4Network("10.0.0.0/28")
USABLE = range(4, 15)


@contextmanager
def store() -> Iterator[Connection]:
    """A store with one subnet ``subnet-1`` and one interface ``eni-1``."""
    with TemporaryDirectory() as directory, closing(fresh_store(Settings(state_dir=Path(directory)))) as database:
        with database.write() as db:
            db.execute(insert(vpcs).values(id="vpc-1", account_id="1"))
            db.execute(insert(subnets).values(id="subnet-1", account_id="1", vpc_id="vpc-1", cidr_block=str(BLOCK)))
            db.execute(
                insert(network_interfaces).values(
                    id="eni-1", account_id="1", vpc_id="vpc-1", subnet_id="subnet-1", mac_address="02:00:00:00:00:01"
                )
            )
            yield db


@pytest.fixture
def db() -> Iterator[Connection]:
    with store() as db:
        yield db


def occupy(db: Connection, *offsets: int, block: IPv4Network = BLOCK) -> None:
    addresses = [block.network_address + offset for offset in offsets]
    allocation.add_private(
        db, [allocation.private_row("subnet-1", "eni-1", address, block, at) for at, address in enumerate(addresses)]
    )


def hint(db: Connection) -> int:
    return db.execute(select(subnets.c.next_offset)).scalar_one()


def test_the_first_four_and_the_last_address_of_a_block_are_reserved() -> None:
    assert list(allocation.usable(BLOCK)) == list(USABLE)
    usable = allocation.usable(IPv6Network("2001:db8::/64"))
    assert (usable.start, usable.stop) == (4, 2**64 - 1)


def test_the_search_starts_at_the_hint_and_goes_around_the_end_once(db: Connection) -> None:
    occupy(db, 12, 14, 4)
    assert allocation.free_offsets(db, "subnet-1", BLOCK, 12, 3) == [13, 5, 6]


@pytest.mark.parametrize("start", [0, 3, 15, 16, 400])
def test_a_hint_outside_the_block_does_no_harm(db: Connection, start: int) -> None:
    (found,) = allocation.free_offsets(db, "subnet-1", BLOCK, start, 1)
    assert found in USABLE


@settings(max_examples=200, deadline=None)
@given(occupied=st.sets(st.sampled_from(USABLE)), start=st.integers(0, 20), count=st.integers(0, 12))
def test_free_offsets_are_exactly_the_next_free_ones(occupied: set[int], start: int, count: int) -> None:
    order = [4 + (start - 4 + step) % len(USABLE) for step in range(len(USABLE))]
    free = [offset for offset in order if offset not in occupied]
    with store() as db:
        if occupied:
            occupy(db, *occupied)
        if count > len(free):
            with pytest.raises(allocation.Exhausted):
                allocation.free_offsets(db, "subnet-1", BLOCK, start, count)
        else:
            assert allocation.free_offsets(db, "subnet-1", BLOCK, start, count) == free[:count]


def test_taking_avoids_what_the_same_call_names_and_moves_the_hint_on(db: Connection) -> None:
    given_ones = [IPv4Address("10.0.0.4"), IPv4Address("10.0.0.6")]
    taken = allocation.take_ipv4(db, "subnet-1", BLOCK, 4, 2, given_ones)
    assert taken == [IPv4Address("10.0.0.5"), IPv4Address("10.0.0.7")]
    assert hint(db) == 8


def test_taking_leaves_room_for_what_the_same_call_names(db: Connection) -> None:
    named = [IPv4Address("10.0.0.4")]
    assert len(allocation.take_ipv4(db, "subnet-1", BLOCK, 4, 10, named)) == 10
    with pytest.raises(allocation.Exhausted):
        allocation.take_ipv4(db, "subnet-1", BLOCK, 4, 11, named)


def test_any_number_of_addresses_costs_the_same_statements(db: Connection) -> None:
    def statements(count: int) -> int:
        seen: list[str] = []

        def listener(_db: object, _cursor: object, statement: str, *_: object) -> None:
            seen.append(statement)

        event.listen(db.engine, "before_cursor_execute", listener)
        allocation.take_ipv4(db, "subnet-1", BLOCK, 4, count)
        event.remove(db.engine, "before_cursor_execute", listener)
        return len(seen)

    assert statements(1) == 1
    assert statements(2) == statements(11) == 2


def test_a_key_that_is_taken_after_all_is_a_conflict(db: Connection) -> None:
    occupy(db, 5)
    with pytest.raises(Conflict):
        occupy(db, 5)


def test_ipv6_addresses_are_random_within_the_block(db: Connection) -> None:
    block = IPv6Network("2001:db8::/64")
    taken = allocation.take_ipv6(db, "subnet-1", block, 1000)
    assert len(set(taken)) == 1000
    assert all(int(address) - int(block.network_address) in allocation.usable(block) for address in taken)


# --- public -----------------------------------------------------------------------------------------------------------


def test_the_last_24_of_a_large_pool_is_kept_for_the_infrastructure() -> None:
    pool = IPv4Network("198.18.0.0/15")
    assert allocation.is_public(pool, IPv4Address("198.18.0.1"))
    assert allocation.is_public(pool, IPv4Address("198.19.254.255"))
    for kept in ("198.18.0.0", "198.19.255.0", "198.19.255.255", "198.20.0.1"):
        assert not allocation.is_public(pool, IPv4Address(kept)), kept


def test_a_pool_gives_every_address_out_once_and_then_none(db: Connection) -> None:
    pool = IPv4Network("198.18.0.0/26")
    db.execute(insert(sites).values(name="corporate", public_ip="198.18.0.9"))
    given_out: set[str] = set()
    for _ in range(61):
        ip = allocation.take_public(db, pool)
        assert ip not in given_out
        given_out.add(ip)
        db.execute(insert(public_addresses).values(ip=ip, account_id="1"))
    assert given_out == {str(ip) for ip in pool.hosts()} - {"198.18.0.9"}
    with pytest.raises(allocation.Exhausted):
        allocation.take_public(db, pool)


def test_private_rows_keep_the_offset_that_the_key_judges(db: Connection) -> None:
    occupy(db, 5)
    row = db.execute(select(private_addresses)).one()
    assert (row.ip, row.address_offset, row.family) == ("10.0.0.5", 5, 4)
