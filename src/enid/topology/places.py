"""What a traffic question speaks of: its two ends, and the traffic between them, out of the words a person types.

Only names are resolved here; whether a packet gets through is :mod:`enid.topology.reach`'s to say.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address

from enid.topology.records import Address, Port, Rule, Site, World

INTERNET = "internet"
SITE_PREFIX = "site/"
PROTOCOLS = {"icmp": 1, "tcp": 6, "udp": 17, "icmpv6": 58}
_NAMES = {number: name for name, number in PROTOCOLS.items()}
_ICMP = (1, 58)
_WITH_PORTS = (6, 17)
_EPHEMERAL = (1024, 65535)
"""The ports clients send from, as AWS advises to allow them. Linux takes 32768 to 60999 of them."""
_ANSWERS = {(1, 8): 0, (1, 13): 14, (1, 15): 16, (1, 17): 18, (58, 128): 129}
"""ICMP types that are answered, and with which type."""


class UnknownPlace(LookupError):
    """A word that names no end of a path, or traffic that is none; the message says what would."""


class NotAttached(Exception):
    """The interface or instance is not on the network: not attached, not running, or it does not exist."""


@dataclass(frozen=True, slots=True)
class Traffic:
    """The first packet of a conversation."""

    protocol: int
    """IANA number."""
    number: int = -1
    """TCP and UDP: the destination port. ICMP: the type. Otherwise -1."""
    code: int = -1
    """ICMP only."""
    last: int = -1
    """TCP and UDP: the last of several destination ports."""

    def __str__(self) -> str:
        name = _NAMES.get(self.protocol, f"protocol {self.protocol}")
        ports = f"{self.number}-{self.last}" if self.last > self.number else str(self.number)
        return f"{name}/{ports}" if self.protocol in _WITH_PORTS else name

    def reply(self) -> Traffic | None:
        """What comes back, as a stateless look sees it: to any port a client may have sent from. ``None``: nothing."""
        if self.protocol in _WITH_PORTS:
            return Traffic(self.protocol, _EPHEMERAL[0], last=_EPHEMERAL[1])
        if self.protocol in _ICMP:
            answer = _ANSWERS.get((self.protocol, self.number))
            return None if answer is None else Traffic(self.protocol, answer, 0)
        return self

    def allowed_by(self, rule: Rule) -> bool:
        """Whether the rule speaks of this traffic (whoever sends it)."""
        if rule.protocol == -1:
            return True
        if rule.protocol != self.protocol:
            return False
        if self.protocol in _WITH_PORTS:
            return rule.from_port <= self.number <= rule.to_port
        if self.protocol in _ICMP:
            return rule.from_port in (-1, self.number) and rule.to_port in (-1, self.code)
        return True


PING = {4: Traffic(1, 8, 0), 6: Traffic(58, 128, 0)}
"""An echo request, by IP version."""


def _is_number(word: str) -> bool:
    """One that can be a port: Python refuses to read thousands of digits."""
    return word.isascii() and word.isdigit() and len(word) <= len("65535")


def traffic(text: str) -> Traffic:
    """``tcp/80``, ``udp/53``, ``icmp`` (an echo request), ``icmp/3/4`` (type, code), ``icmpv6``, or an IANA number.

    :raises UnknownPlace: it is none of these.
    """
    words = text.lower().split("/")
    name, numbers = words[0], words[1:]
    refusal = UnknownPlace(f"{text!r} is no traffic: write tcp/80, udp/53, icmp, or a protocol number")
    if not all(map(_is_number, numbers)):
        raise refusal
    protocol = PROTOCOLS.get(name, int(name) if _is_number(name) else -1)
    values = [int(word) for word in numbers]
    if protocol in _WITH_PORTS and len(values) == 1 and values[0] <= 65535:
        return Traffic(protocol, values[0])
    if protocol in _ICMP and len(values) <= 2 and all(value <= 255 for value in values):
        echo = PING[4 if protocol == 1 else 6].number
        return Traffic(protocol, values[0] if values else echo, values[1] if len(values) > 1 else 0)
    if 0 <= protocol <= 255 and protocol not in (*_WITH_PORTS, *_ICMP) and not values:
        return Traffic(protocol)
    raise refusal


@dataclass(frozen=True, slots=True)
class Place:
    """One end of a path. ``where`` says who it is, ``address`` which of its addresses is meant.

    A port or site without an address lets the path choose; an address without a ``where`` is whoever has it where
    the packet looks for it; neither is anybody on the internet.
    """

    where: Port | Site | None = None
    address: Address | None = None
    siblings: tuple[Port, ...] = ()
    """The place was named by its instance: the interfaces it may send from, as its guest routes."""


def place(world: World, text: str) -> Place:
    """The end that ``text`` names: ``eni-…``, ``i-…`` (its first interface), ``nat-…``, ``site/NAME``, ``internet``, an
    address.

    :raises NotAttached: an interface or instance that is not on the network.
    :raises UnknownPlace: no such thing.
    """
    if text == INTERNET:
        return Place()
    if text.startswith("eni-"):
        return Place(_plugged(world, text)[0])
    if text.startswith(("i-", "nat-")):
        mine = _plugged(world, text)
        return Place(mine[0], siblings=mine)
    if text.startswith(SITE_PREFIX):
        return Place(_site(world, text.removeprefix(SITE_PREFIX)))
    try:
        return Place(address=ip_address(text))
    except ValueError:
        raise UnknownPlace(
            f"{text!r} names nothing on the network: write eni-…, i-…, site/NAME, internet or an IP address"
        ) from None


def ports(world: World) -> Iterator[Port]:
    """Every interface on the network, instances' and appliances'."""
    return (record for record in world.values() if isinstance(record, Port))


def sites(world: World) -> Iterator[Site]:
    """Every place outside AWS."""
    return (record for record in world.values() if isinstance(record, Site))


def _plugged(world: World, id_: str) -> tuple[Port, ...]:
    mine = [port for port in ports(world) if id_ in (port.id, port.instance_id)]
    if not mine:
        missing = "attached to a running instance" if id_.startswith("eni-") else "running with an interface attached"
        raise NotAttached(f"{id_} is not {missing}")
    return tuple(sorted(mine, key=lambda port: (port.network_card_index, port.device_index)))


def _site(world: World, name: str) -> Site:
    known = {site.id: site for site in sites(world)}
    if name not in known:
        raise UnknownPlace(f"there is no site {name!r}" + (f"; there are {', '.join(sorted(known))}" if known else ""))
    return known[name]
