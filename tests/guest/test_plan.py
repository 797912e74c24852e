"""Plans and replies cross a socket unchanged; user data arrives as a script."""

from __future__ import annotations

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enid.guest.plan import Limit, Plan, Reply, Tree
from enid.guest.userdata import plain

text = st.text(max_size=20)
plans = st.builds(
    Plan,
    token=st.integers(1),
    id=text,
    boot=st.integers(1),
    hostname=text,
    id_base=st.integers(0),
    id_count=st.integers(1),
    disk=text,
    console=text,
    record=text,
    release=text,
    scratch=text,
    trees=st.lists(st.builds(Tree, text, text, st.booleans()), max_size=3).map(tuple),
    xattr_option=text,
    limits=st.lists(st.builds(Limit, text, st.lists(st.tuples(text, text), max_size=3).map(tuple)), max_size=3).map(
        tuple
    ),
    shm_mib=st.integers(1),
    user_data=st.binary(max_size=100),
    authorized_keys=st.lists(text, max_size=2).map(tuple),
    address=text,
    nameservers=st.lists(text, max_size=2).map(tuple),
    search=st.lists(text, max_size=2).map(tuple),
    leave_network=st.booleans(),
)


@given(plans)
def test_a_plan_survives_the_way(plan: Plan) -> None:
    assert Plan.decode(plan.encode()) == plan


@given(st.builds(Reply, token=st.integers(), id=text, pid=st.integers(), born=st.integers(), reason=text))
def test_a_reply_survives_the_way(reply: Reply) -> None:
    assert Reply.decode(reply.encode()) == reply


@given(st.binary(max_size=2000))
def test_compression_is_undone(data: bytes) -> None:
    assert plain(gzip.compress(b"#" + data, mtime=0)) == b"#" + data


@pytest.mark.parametrize(
    "data", [b"", b"#!/bin/sh\n", b"\x1f\x8b", b"\x1f\x8bnonsense", gzip.compress(b"x" * 1000, mtime=0)[:-9]]
)
def test_what_is_not_compressed_stays(data: bytes) -> None:
    assert plain(data) == data


def test_a_bomb_is_not_unpacked() -> None:
    bomb = gzip.compress(b"\0" * (64 << 20))
    assert plain(bomb) == bomb
