"""The VPC's resolver: a query becomes an answer. No sockets; the store is behind :class:`Names`.

It answers for Amazon's names of what is in the VPC, as the Route 53 Resolver does ("DNS attributes for your VPC" and
"Amazon EC2 instance hostname types" in AWS's guides), and is recursive only. Names outside do not exist, unless they
are to be forwarded.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, ip_address
from typing import Protocol

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.reversename
import dns.rrset

from enid import dns_names
from enid.services.dns.names import Host
from enid.topology.records import Address
from enid.topology.services import METADATA

PAYLOAD = 1232
"""Most bytes of a datagram we send; what fits everywhere."""
_PLAIN = 512
_TTL = 60
_INSTANCE_DATA = "instance-data"
"""Amazon's name of the metadata service."""


class Known(Protocol):
    """See :class:`enid.services.dns.names.Names`."""

    def is_attached(self, address: Address) -> bool: ...

    def instance_of(self, address: Address) -> str | None: ...

    def instance(self, instance_id: str) -> Host | None: ...

    def public(self, address: IPv4Address) -> IPv4Address | None: ...


@dataclass(frozen=True, slots=True)
class Found:
    """What a name has: record type → values. A name without records of the type asked for exists nevertheless."""

    records: dict[str, tuple[str, ...]]
    zone: str


class Elsewhere(Exception):
    """The name is in no zone of the VPC's."""


def parse(wire: bytes) -> dns.message.Message | None:
    """A query; None for what deserves no answer (too short, or an answer itself).

    :raises dns.exception.DNSException: a query that cannot be read.
    """
    if len(wire) < 12 or wire[2] & 0x80:
        return None
    return dns.message.from_wire(wire)


def malformed(wire: bytes) -> bytes:
    """The answer to a query that cannot be read."""
    return wire[:2] + bytes((0x80 | wire[2] & 0x79, 0x80 | dns.rcode.FORMERR)) + bytes(8)


def answer(query: dns.message.Message, known: Known, region: str) -> dns.message.Message:
    """:raises Elsewhere: somebody else may know."""
    refusal = _refusal(query)
    if refusal is not None:
        return _response(query, refusal)
    (question,) = query.question
    name = question.name.canonicalize()
    found = resolve(name, known, region)
    if found is None:
        return _response(query, dns.rcode.NXDOMAIN, _zone(name, region))
    response = _response(query, dns.rcode.NOERROR)
    for kind, values in found.records.items():
        if question.rdtype in (dns.rdatatype.from_text(kind), dns.rdatatype.ANY) and values:
            response.answer.append(dns.rrset.from_text_list(question.name, _TTL, "IN", kind, list(values)))
    return response if response.answer else _response(query, dns.rcode.NOERROR, found.zone)


def nowhere(query: dns.message.Message) -> dns.message.Message:
    """The answer to a name outside, where nothing is forwarded: beyond the VPC's own there are no names."""
    return _response(query, dns.rcode.NXDOMAIN, ".")


def failed(query: dns.message.Message) -> dns.message.Message:
    return _response(query, dns.rcode.SERVFAIL)


def encode(response: dns.message.Message, query: dns.message.Message, datagram: bool) -> bytes:
    """As it goes out: cut short for a datagram that would be longer than its receiver takes."""
    if not datagram:
        return response.to_wire(max_size=65535)
    longest = min(max(query.payload, _PLAIN), PAYLOAD) if query.edns >= 0 else _PLAIN
    return response.to_wire(max_size=longest, prefer_truncation=True)


def _refusal(query: dns.message.Message) -> dns.rcode.Rcode | None:
    if query.opcode() != dns.opcode.QUERY:
        return dns.rcode.NOTIMP
    if len(query.question) != 1:
        return dns.rcode.FORMERR
    if query.edns > 0:
        return dns.rcode.BADVERS
    if not query.flags & dns.flags.RD or query.question[0].rdclass != dns.rdataclass.IN:
        return dns.rcode.REFUSED
    return None


def _response(query: dns.message.Message, rcode: dns.rcode.Rcode, negative: str = "") -> dns.message.Message:
    """:param negative: the zone whose SOA says for how long there is no such thing."""
    response = dns.message.make_response(query, recursion_available=True, our_payload=PAYLOAD)
    response.set_rcode(rcode)
    if negative:
        start = f"ns0.{negative.lstrip('.')} hostmaster.amazon.com. 2012103100 3600 3600 3600 {_TTL}"
        response.authority.append(dns.rrset.from_text(negative, _TTL, "IN", "SOA", start))
    return response


# --- names ------------------------------------------------------------------------------------------------------------


def _zone(name: dns.name.Name, region: str) -> str:
    text = name.to_text()
    zones = (dns_names.private_suffix(region), dns_names.public_suffix(region), ".in-addr.arpa", ".ip6.arpa")
    return next((f"{zone[1:]}." for zone in zones if text.endswith(f"{zone}.") or text == f"{zone[1:]}."), ".")


def resolve(name: dns.name.Name, known: Known, region: str) -> Found | None:
    """What a (lower-case) name has; None when it does not exist.

    :raises Elsewhere: it is in no zone of the VPC's.
    """
    zone = _zone(name, region)
    if zone.endswith("arpa."):
        return _reverse(name, zone, known, region)
    label = name.labels[0].decode("ascii", "replace")
    relative = len(name.labels) - len(dns.name.from_text(zone).labels)
    if zone == ".":
        raise Elsewhere
    if relative == 0:
        return Found({}, zone)
    records = None
    if relative == 1:
        private = zone == f"{dns_names.private_suffix(region)[1:]}."
        records = _private(label, known) if private else _public(label, known)
    return None if records is None else Found(records, zone)


def _private(label: str, known: Known) -> dict[str, tuple[str, ...]] | None:
    if label == _INSTANCE_DATA:
        return {"A": (str(METADATA[0]),)}
    address = dns_names.address_of(label, "ip")
    if address is not None:
        return {"A": (str(address),)} if known.is_attached(address) else None
    host = known.instance(label) if label.startswith("i-") else None
    return None if host is None else {"A": host.ipv4, "AAAA": host.ipv6}


def _public(label: str, known: Known) -> dict[str, tuple[str, ...]] | None:
    address = dns_names.address_of(label, "ec2")
    leads_to = known.public(address) if address is not None else None
    return None if leads_to is None else {"A": (str(leads_to),)}


def _reverse(name: dns.name.Name, zone: str, known: Known, region: str) -> Found | None:
    try:
        address = ip_address(dns.reversename.to_address(name))
    except (dns.exception.DNSException, ValueError):
        return Found({}, zone)  # between the zone and an address
    names = _names_of(address, known, region)
    if not names and not address.is_private:
        raise Elsewhere
    return Found({"PTR": (f"{names}.",)}, zone) if names else None


def _names_of(address: Address, known: Known, region: str) -> str:
    """The name of an address; empty when it has none."""
    if address.version == 6:
        instance = known.instance_of(address)
        return f"{instance}{dns_names.private_suffix(region)}" if instance else ""
    if known.is_attached(address):
        return dns_names.private_name(region, str(address))
    return dns_names.public_name(region, str(address)) if known.public(address) else ""
