"""Which host ids play an instance's."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enid.guest.ids import (
    SLOTS,
    WIDTH,
    NotEnoughIds,
    mapped,
    private_range,
    private_ranges_available,
    shared_range,
)

ROOT = "         0          0 4294967295\n"
USER = "0 1000 1\n1 100000 65536\n"


def test_real_root_has_ranges_for_everybody() -> None:
    assert private_ranges_available(ROOT, ROOT)
    assert not private_ranges_available(USER, USER)


@given(st.integers(0, SLOTS - 1), st.integers(0, SLOTS - 1))
def test_private_ranges_never_overlap_and_never_touch_ordinary_users(one: int, other: int) -> None:
    first, second = private_range(one), private_range(other)
    assert first.base >= 1 << 29
    assert first.base + WIDTH < 1 << 31
    assert one == other or abs(first.base - second.base) >= WIDTH


def test_there_is_an_end_to_them() -> None:
    with pytest.raises(NotEnoughIds):
        private_range(SLOTS)


def test_the_shared_range_never_contains_the_user() -> None:
    ids = shared_range(USER, USER)
    assert (ids.base, ids.count) == (1, 65536)
    assert ids.map_line == "0 1 65536\n"


def test_the_smaller_of_both_maps_counts() -> None:
    assert shared_range(USER, "0 1000 1\n1 100000 5000\n").count == 5000


@pytest.mark.parametrize("uid_map", ["0 1000 1\n", "0 1000 1\n1 100000 10\n", "0 1000 1\n5 100000 65536\n"])
def test_too_few_ids_are_refused_with_the_remedy(uid_map: str) -> None:
    with pytest.raises(NotEnoughIds, match="/etc/subuid"):
        shared_range(uid_map, USER)


@given(st.lists(st.integers(1, 1000), min_size=1, max_size=6), st.randoms())
def test_extents_add_up_in_any_order(sizes: list[int], random: object) -> None:
    lines, start = [], 1
    for size in sizes:
        lines.append(f"{start} {start + 100000} {size}")
        start += size
    random.shuffle(lines)
    assert mapped("\n".join(lines), 1) == sum(sizes)
