"""Which of the agent's user and group ids play an instance's ids 0, 1, 2, …

Real root gives every instance a range of its own, so that even two instances are strangers to each other's files and
processes. Inside a user namespace (an ordinary user's enid) there are only that user's subordinate ids: all instances
share them, and agent-id 0, which is the user himself, is never among them. Nothing here touches the kernel but
:func:`available`.
"""

from __future__ import annotations

from dataclasses import dataclass

WIDTH = 65536
FIRST = 0x20000000
"""Host id of the first private range: above every user a host is likely to have, below 2**31."""
SLOTS = (0x7FFF0000 - FIRST) // WIDTH
NOBODY = 65534


@dataclass(frozen=True, slots=True)
class IdRange:
    """Instance ids 0 … ``count`` - 1 are the agent's ids from ``base`` on."""

    base: int
    count: int

    def __getitem__(self, guest_id: int) -> int:
        """The agent's id of an instance's id."""
        return self.base + min(guest_id, self.count - 1)

    @property
    def map_line(self) -> str:
        """What to write to ``/proc/<pid>/uid_map``."""
        return f"0 {self.base} {self.count}\n"


class NotEnoughIds(RuntimeError):
    """The agent's user namespace maps too few ids to give instances users of their own."""


def private_range(slot: int) -> IdRange:
    """The range of an instance that has one of its own."""
    if not 0 <= slot < SLOTS:
        raise NotEnoughIds(f"no id range is left: {SLOTS} instances have one")
    return IdRange(FIRST + slot * WIDTH, WIDTH)


def mapped(map_text: str, first: int) -> int:
    """How many ids from ``first`` on without a gap a ``uid_map`` maps."""
    extents = sorted((int(inside), int(count)) for inside, _, count in map(str.split, map_text.splitlines()))
    end = first
    for start, count in extents:
        if start <= end < start + count:
            end = start + count
    return end - first


def shared_range(uid_map: str, gid_map: str) -> IdRange:
    """The one range all instances of an ordinary user's enid share: agent-ids 1 … N.

    Raises :class:`NotEnoughIds` when only the user's own id is mapped.
    """
    count = min(mapped(uid_map, 1), mapped(gid_map, 1), WIDTH)
    if count < 1000:
        raise NotEnoughIds(
            f"instances need user ids of their own, but only {count + 1} ids are mapped here; "
            "give your user a range in /etc/subuid and /etc/subgid (usermod --add-subuids 100000-165535 "
            "--add-subgids 100000-165535 NAME) and install newuidmap (package uidmap)"
        )
    return IdRange(1, count)


def private_ranges_available(uid_map: str, gid_map: str) -> bool:
    """Whether every instance may have a range of its own (real root)."""
    needed = SLOTS * WIDTH
    return mapped(uid_map, FIRST) >= needed and mapped(gid_map, FIRST) >= needed


def available() -> tuple[str, str]:
    """This process's uid map and gid map."""
    with open("/proc/self/uid_map", encoding="ascii") as uids, open("/proc/self/gid_map", encoding="ascii") as gids:
        return uids.read(), gids.read()
