"""The server's part of DHCPv6 (RFC 8415, 18.3). Pure.

It holds no state: an interface is given the addresses it has, whenever it asks, and is told of those it has no more. A
rapid commit is not offered, as on AWS.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from enid.services.ipv6 import message as m
from enid.services.ipv6.lease import Lease
from enid.services.ipv6.message import Association, Message, Options

_TO_OUR_SERVER = (m.REQUEST, m.RENEW, m.RELEASE, m.DECLINE)
_TO_ANY_SERVER = (m.SOLICIT, m.CONFIRM, m.REBIND)
_ABOUT_ADDRESSES = (m.ADDRESSES, m.TEMPORARY, m.PREFIXES)
_SHORTEST_REFRESH = 600
"""Seconds: no client asks for information more often."""
_ONLY_SERVER = bytes((255,))
"""A preference: the client need not wait for others."""


def answer(asked: Message, lease: Lease, server: bytes) -> Message | None:
    """None where it is silent.

    :param server: its DUID.
    """
    if not _is_for(asked, server):
        return None
    client = asked.first(m.CLIENT)
    names: Options = (*(((m.CLIENT, client),) if client else ()), (m.SERVER, server))
    said = _said(asked, lease)
    if said is None:
        return None
    kind = m.ADVERTISE if asked.type == m.SOLICIT else m.REPLY
    return Message(kind, asked.transaction, (*names, *said))


def _is_for(asked: Message, server: bytes) -> bool:
    """Whether it may be answered at all (RFC 8415, 16)."""
    named = asked.first(m.SERVER)
    if asked.type == m.INFORMATION_REQUEST:
        return named in (None, server) and not any(map(asked.first, _ABOUT_ADDRESSES))
    if not asked.first(m.CLIENT):
        return False
    return (asked.type in _TO_OUR_SERVER and named == server) or (asked.type in _TO_ANY_SERVER and named is None)


def _said(asked: Message, lease: Lease) -> Options | None:
    told = _told(lease)
    if asked.type == m.SOLICIT:
        return (*_given(asked, lease), *told, (m.PREFERENCE, _ONLY_SERVER)) if lease.addresses else None
    if asked.type in (m.REQUEST, m.RENEW, m.REBIND):
        return (*_given(asked, lease), *told)
    if asked.type == m.INFORMATION_REQUEST:
        refresh = max(_SHORTEST_REFRESH, lease.times[0]).to_bytes(4, "big")
        return (*told, (m.REFRESH, refresh)) if lease.addresses else None
    if asked.type == m.CONFIRM:
        return _confirmed(asked, lease)
    return ((m.STATUS, m.status(m.SUCCESS)),)  # released, declined: it has them nevertheless


def _given(asked: Message, lease: Lease) -> Iterator[tuple[int, bytes]]:
    """All its addresses in the first association it asks for, and nothing in any other."""
    left = lease.addresses
    for wanted in filter(None, map(m.association, asked.all(m.ADDRESSES))):
        stale = [address for address, *_ in wanted.addresses if address not in lease.addresses]
        gone = tuple((address, 0, 0) for address in stale if asked.type in (m.RENEW, m.REBIND))
        addresses = tuple((address, *lease.seconds) for address in left)
        times = lease.times if left else m.NO_TIMES
        status = m.SUCCESS if addresses or gone else m.NO_ADDRESSES
        yield m.ADDRESSES, m.encode_association(Association(wanted.id, times, addresses + gone, status))
        left = ()
    for wanted in filter(None, map(m.association, asked.all(m.PREFIXES))):
        refused = replace(wanted, times=m.NO_TIMES, addresses=(), status=m.NO_PREFIXES)
        yield m.PREFIXES, m.encode_association(refused)


def _confirmed(asked: Message, lease: Lease) -> Options | None:
    """Whether all the addresses are still the interface's: no others would do on its link."""
    wanted = filter(None, map(m.association, asked.all(m.ADDRESSES)))
    named = [address for each in wanted for address, *_ in each.addresses]
    if not named:
        return None
    status = m.SUCCESS if set(named) <= set(lease.addresses) else m.NOT_ON_LINK
    return ((m.STATUS, m.status(status)),)


def _told(lease: Lease) -> Options:
    options = lease.options
    clocks = [server for server in options.ntp_servers if ":" in server]
    values = (
        (m.DNS, m.addresses(options.ipv6_servers)),
        (m.SEARCH, m.domains(options.domain_name.split())),
        (m.SNTP, m.addresses(clocks)),
        (m.NTP, m.time_servers(clocks)),
    )
    return tuple((number, value) for number, value in values if value)
