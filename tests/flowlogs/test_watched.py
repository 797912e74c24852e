"""Who is watched at a link: while it is there, and while packets of it may still be read."""

from __future__ import annotations

from dataclasses import replace

from flows import INTERFACE

from enid.flowlogs.watched import LATE, Watched

THERE = {"a1": INTERFACE}


def test_an_interface_that_left_is_known_for_a_moment_and_its_flows_until_the_window_closes() -> None:
    watched = Watched()
    watched.become(THERE, 0)
    watched.become({}, 10)
    assert watched.at("a1", 10 + LATE / 2) == INTERFACE
    assert watched.at("a1", 10 + LATE) is None
    assert watched.seen("a1") == INTERFACE
    assert watched.present == {}


def test_it_may_leave_just_before_a_window_closes() -> None:
    watched = Watched()
    watched.become(THERE, 0)
    watched.become({}, 10)
    watched.next_window(10.1)
    assert watched.at("a1", 10.2) == watched.seen("a1") == INTERFACE
    watched.next_window(10 + LATE)
    assert watched.at("a1", 10 + LATE) is None


def test_one_that_comes_back_is_as_it_is_now() -> None:
    watched, changed = Watched(), replace(INTERFACE, instance_id="i-2")
    watched.become(THERE, 0)
    watched.become({}, 1)
    watched.become({"a1": changed}, 2)
    watched.next_window(100)
    assert watched.at("a1", 200) == changed
    watched.become({}, 300)
    assert watched.at("a1", 300) == changed


def test_a_stranger() -> None:
    assert Watched().at("a1", 0) is None
