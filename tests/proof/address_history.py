"""What clients saw of one subnet's addresses, as one small history for each address and for each interface.

Either kind is judged by itself: a history that makes sense as a whole makes sense for each object (Herlihy and Wing).
An address knows who holds it, as what, and which Elastic IP stands for it; an interface knows which addresses it has.
What one call does to several objects is one call in the history of each.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from callers import BUSY, Reply
from linearizability import Call, contradiction, unknown


class Held(NamedTuple):
    """The state of an address that is not free."""

    interface: str
    primary: bool
    elastic: str | None = None


Shown = Mapping[str, Held]
"""Addresses of an interface, as Describe shows them."""


@dataclass(frozen=True, slots=True)
class Event:
    """One call and what is known of it. Which members count depends on what it was."""

    kind: str
    reply: Reply
    interface: str = ""
    wanted: tuple[str, ...] = ()
    got: tuple[str, ...] = ()
    elastic: str = ""
    shown: Shown | None = None


GONE = "gone"
Interface = frozenset[str] | str | None
"""The state of an interface: its addresses, :data:`GONE`, or not there yet."""


LOOKS = frozenset(("keep", "taken", "stuck", "seen", "not of", "missing", "has", "show"))
"""Calls that change nothing."""


def step_address(state: Held | None, what: tuple[Any, ...]) -> Iterator[Held | None]:
    """The sequential model of one address."""
    match what:
        case ("gain", interface, primary) if state is None:
            yield Held(interface, primary)
        case ("move", interface) if state is None or not (state.primary or state.interface == interface):
            yield Held(interface, False, state and state.elastic)
        case ("keep", interface) if state is not None and state.interface == interface and not state.primary:
            yield state
        case ("lose", interface) if state is not None and state.interface == interface and not state.primary:
            yield None
        case ("gone", interface):
            yield None if state is not None and state.interface == interface else state
        case ("stand", interface, elastic) if state is not None and state.interface == interface:
            yield state._replace(elastic=elastic)
        case ("left", elastic):
            yield state._replace(elastic=None) if state is not None and state.elastic == elastic else state
        case ("off", elastic) if state is not None and state.elastic == elastic:
            yield state._replace(elastic=None)
        case ("taken",) if state is not None:
            yield state
        case ("stuck",) if state is not None and state.primary:
            yield state
        case ("seen", shown) if state == shown:
            yield state
        case ("not of", interface) if state is None or state.interface != interface or state.primary:
            yield state


def step_interface(state: Interface, what: tuple[Any, ...]) -> Iterator[Interface]:
    """The sequential model of one interface."""
    match what:
        case ("born", addresses) if state is None:
            yield addresses
        case ("missing",) if not isinstance(state, frozenset):
            yield state
        case ("stolen", address):
            yield state - {address} if isinstance(state, frozenset) else state
        case (kind, *rest) if isinstance(state, frozenset):
            yield from _step_living(state, kind, rest)


def _step_living(state: frozenset[str], kind: str, rest: list[Any]) -> Iterator[Interface]:
    match kind, *rest:
        case ("die",):
            yield GONE
        case ("add", addresses) if not state & addresses:
            yield state | addresses
        case ("take", fresh, kept) if not state & fresh and kept <= state:
            yield state | fresh
        case ("may take", addresses):
            yield state | addresses
        case ("remove", addresses) if addresses <= state:
            yield state - addresses
        case ("has", address) if address in state:
            yield state
        case ("show", addresses) if state == addresses:
            yield state


def interface_is_away(state: Interface, what: tuple[Any, ...]) -> float:
    """How many addresses the interface would have to get or lose before this can happen."""
    if not isinstance(state, frozenset):
        return math.inf
    match what:
        case ("show", addresses):
            return len(state ^ addresses)
        case ("remove", addresses):
            return len(addresses - state)
        case ("add", addresses):
            return len(addresses & state)
        case ("take", fresh, kept):
            return len(fresh & state) + len(kept - state)
    return math.inf


def wakes_address(what: tuple[Any, ...], other: tuple[Any, ...]) -> bool:
    """Whether a call that is nothing to the address may be something after the other one."""
    match what, other:
        case ("gone", interface), ("gain" | "move", gainer, *_):
            return bool(gainer == interface)
        case ("left", elastic), ("stand", _, standing):
            return bool(standing == elastic)
    return what[0] not in ("gone", "left")


def wakes_interface(what: tuple[Any, ...], other: tuple[Any, ...]) -> bool:
    """The same of an interface."""
    match what, other:
        case ("stolen", address), ("born" | "add" | "may take" | "take", gained, *_):
            return address in gained
    return what[0] != "stolen"


class Histories:
    """Sorts events into the histories of what they are about."""

    def __init__(self, before: Mapping[str, Shown], events: Iterable[Event]) -> None:
        """:param before: the interfaces there were at the beginning."""
        self._before = before
        self._events = list(events)
        self._addresses: defaultdict[str, list[Call]] = defaultdict(list)
        self._interfaces: defaultdict[str, list[Call]] = defaultdict(list)
        self._holders: defaultdict[str, set[str]] = defaultdict(set)
        """Address → interfaces that may have had it at some time."""
        self._places: defaultdict[str, set[str]] = defaultdict(set)
        """Elastic IP → addresses it may have stood for at some time."""
        self._look_ahead()
        for event in self._events:
            self._sort(event)

    def contradictions(self) -> list[str]:
        """Of every object that has one."""
        start = {address: held for shown in self._before.values() for address, held in shown.items()}
        found = [
            f"address {address}\n{told}"
            for address, calls in self._addresses.items()
            if (told := contradiction(calls, start.get(address), step_address, LOOKS, wakes=wakes_address))
        ]
        for interface, calls in self._interfaces.items():
            begin = frozenset(self._before[interface]) if interface in self._before else None
            if told := contradiction(calls, begin, step_interface, LOOKS, interface_is_away, wakes_interface):
                found.append(f"interface {interface}\n{told}")
        return found

    def _look_ahead(self) -> None:
        for interface, shown in self._before.items():
            self._may_hold(interface, shown)
        for event in self._events:
            for address in {*event.got, *event.wanted, *(event.shown or ())}:
                if event.interface:
                    self._may_hold(event.interface, [address])
                if event.elastic:
                    self._places[event.elastic].add(address)
            for address, held in (event.shown or {}).items():
                if held.elastic:
                    self._places[held.elastic].add(address)

    def _may_hold(self, interface: str, addresses: Iterable[str]) -> None:
        for address in addresses:
            self._holders[address].add(interface)

    def _sort(self, event: Event) -> None:
        reply, interface = event.reply, event.interface
        if reply.code in BUSY:
            return
        if reply.code == "InvalidNetworkInterfaceID.NotFound":
            self._of_interface(event, interface, "missing")
        elif reply.code:
            self._sort_refusal(event)
        else:
            getattr(self, f"_sort_{event.kind}")(event)

    def _sort_refusal(self, event: Event) -> None:
        """Addresses that the refusal names, or the only one that was asked for."""
        if event.kind == "move" and event.got:
            self._of_addresses(event, event.got, "stuck")
        elif event.kind in ("create", "assign") and event.got:
            self._of_addresses(event, event.got, "taken")
        elif event.kind == "unassign" and len(event.wanted) == 1:
            self._of_addresses(event, event.wanted, "not of", event.interface)

    def _sort_create(self, event: Event) -> None:
        for position, address in enumerate(event.got):
            self._of_addresses(event, [address], "gain", event.interface, position == 0)
        self._of_interface(event, event.interface, "born", frozenset(event.got))

    def _sort_delete(self, event: Event) -> None:
        mine = [address for address, holders in self._holders.items() if event.interface in holders]
        self._of_addresses(event, mine, "gone", event.interface)
        self._of_interface(event, event.interface, "die")

    def _sort_assign(self, event: Event) -> None:
        if event.reply.answered or event.wanted:
            addresses = event.got or event.wanted
            self._of_addresses(event, addresses, "gain", event.interface, False)
            self._of_interface(event, event.interface, "add", frozenset(addresses))
            return
        for address, holders in self._holders.items():  # which ones it would have been told, nobody knows
            if event.interface in holders:
                self._of_addresses(event, [address], "gain", event.interface, False)
                self._of_interface(event, event.interface, "add", frozenset([address]))

    def _sort_move(self, event: Event) -> None:
        wanted = frozenset(event.wanted)
        got = frozenset(event.got) if event.reply.answered else wanted
        self._of_addresses(event, got, "move", event.interface)
        self._of_addresses(event, wanted - got, "keep", event.interface)
        if event.reply.answered:
            self._of_interface(event, event.interface, "take", got, wanted - got)
        else:
            self._of_interface(event, event.interface, "may take", wanted)
        for address in got:
            for other in self._holders[address] - {event.interface}:
                self._of_interface(event, other, "stolen", address)

    def _sort_unassign(self, event: Event) -> None:
        self._of_addresses(event, event.wanted, "lose", event.interface)
        self._of_interface(event, event.interface, "remove", frozenset(event.wanted))

    def _sort_associate(self, event: Event) -> None:
        self._of_addresses(event, event.wanted, "stand", event.interface, event.elastic)
        self._of_addresses(event, self._places[event.elastic] - {*event.wanted}, "left", event.elastic)
        for address in event.wanted:
            self._of_interface(event, event.interface, "has", address)

    def _sort_disassociate(self, event: Event) -> None:
        if event.reply.answered:
            self._of_addresses(event, event.got, "off", event.elastic)
        else:
            self._of_addresses(event, event.got, "left", event.elastic)

    def _sort_show(self, event: Event) -> None:
        if event.shown is not None:
            for address, held in event.shown.items():
                self._of_addresses(event, [address], "seen", held)
            self._of_interface(event, event.interface, "show", frozenset(event.shown))
        elif event.reply.answered:
            self._of_addresses(event, event.wanted, "seen", None)

    def _sort_missing(self, event: Event) -> None:
        self._of_interface(event, event.interface, "missing")

    def _of_addresses(self, event: Event, addresses: Iterable[str], *what: Any) -> None:
        for address in addresses:
            self._addresses[address].append(_call(event.reply, what))

    def _of_interface(self, event: Event, interface: str, *what: Any) -> None:
        self._interfaces[interface].append(_call(event.reply, what))


def _call(reply: Reply, what: tuple[Any, ...]) -> Call:
    return Call(reply.begin, reply.end, what) if reply.answered else unknown(reply.begin, what)
