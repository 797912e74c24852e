"""Every instance's id range stays its own as long as its disk exists."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from enid.guest.records import Record, birth, host_boot, path_of, read, read_all, write
from enid.guest.slots import Slots


def test_a_slot_is_kept_over_restarts(tmp_path: Path) -> None:
    for name in ("i-1", "i-2"):
        (tmp_path / name).mkdir()
    slots = Slots(tmp_path)
    assert (slots.take("i-1"), slots.take("i-2"), slots.take("i-1")) == (0, 1, 0)
    assert Slots(tmp_path).take("i-2") == 1


def test_a_freed_slot_is_used_again_a_held_one_never(tmp_path: Path) -> None:
    for name in ("i-1", "i-2", "i-3"):
        (tmp_path / name).mkdir()
    slots = Slots(tmp_path)
    slots.take("i-1")
    slots.take("i-2")
    slots.free("i-1")
    assert slots.take("i-3") == 0


@settings(max_examples=30)
@given(actions=st.lists(st.tuples(st.booleans(), st.integers(0, 6)), max_size=30))
def test_no_two_instances_ever_share(actions: list[tuple[bool, int]], tmp_path_factory: object) -> None:
    directory = tmp_path_factory.mktemp("slots")
    slots, held = Slots(directory), {}
    for take, number in actions:
        name = f"i-{number}"
        (directory / name).mkdir(exist_ok=True)
        if take:
            held[name] = slots.take(name)
        elif held.pop(name, None) is not None:
            slots.free(name)
        assert len(set(held.values())) == len(held)


def test_a_record_says_whether_its_process_lives(tmp_path: Path) -> None:
    import os

    (tmp_path / "instances").mkdir()
    born = birth(os.getpid())
    assert born is not None
    record = Record("i-1", 2, os.getpid(), born, host_boot(), "running", ("/a",))
    write(str(path_of(tmp_path, "i-1")), record)
    assert read(path_of(tmp_path, "i-1")) == record
    assert read_all(tmp_path) == [record]
    assert record.alive
    assert not Record("i-1", 2, os.getpid(), born + 1, host_boot(), "running").alive
    assert not Record("i-1", 2, os.getpid(), born, "another boot", "running").alive
    assert read(path_of(tmp_path, "i-2")) is None
