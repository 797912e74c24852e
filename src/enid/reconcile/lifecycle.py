"""What an instance needs now: a pure decision from what the store wants and what the host has."""

from __future__ import annotations

from enum import Enum, auto


class Action(Enum):
    """The one next step of an instance."""

    NOTHING = auto()
    START = auto()
    RESTART = auto()
    """End what runs, then start the wanted boot."""
    STOP = auto()
    """End what runs; the disk stays; then it is ``stopped``."""
    TERMINATE = auto()
    """End what runs, delete the disk; then it is ``terminated``."""


def decide(state: str, health: str, boot: int, guest_boot: int | None, starting_boot: int | None) -> Action:
    """The next step.

    :param state: EC2's state name.
    :param health: ``impaired`` means it died unasked: it stays down until somebody asks, as broken hardware would.
    :param boot: the wanted boot number.
    :param guest_boot: the boot number of the live sandbox, ``None`` without one.
    :param starting_boot: the boot number of a start that has not answered yet.
    """
    if state in ("pending", "running"):
        if guest_boot is not None:
            return Action.NOTHING if guest_boot == boot else Action.RESTART
        if starting_boot is not None:
            return Action.NOTHING
        return Action.NOTHING if state == "running" and health == "impaired" else Action.START
    if starting_boot is not None and guest_boot is None:
        return Action.NOTHING  # its end comes when the start has answered, so that nothing is left behind
    if state == "stopping":
        return Action.STOP
    if state == "shutting-down":
        return Action.TERMINATE
    return Action.NOTHING
