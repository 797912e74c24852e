"""What DHCPv6 gives an interface, from the messages alone."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv6Address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from machines import Machines

from enid.services.ipv6 import conversation, lease
from enid.services.ipv6 import message as m
from enid.services.ipv6.lease import Lease
from enid.services.ipv6.message import Association, Message
from enid.topology.dhcp_options import DhcpOptions

OPTIONS = DhcpOptions("ec2.internal corp.example.com", ntp_servers=("10.0.0.3", "fd00::7b"), ipv6_servers=("fd00::35",))
ONE, TWO, OTHER = (IPv6Address(f"2001:db8:0:1::{number}") for number in (4, 5, 9))
LEASE = Lease(bytes(6), (ONE, TWO), OPTIONS)
NONE = replace(LEASE, addresses=())
OURS, CLIENT, ID = b"\0\3\0\1server", b"\0\3\0\1client", b"iaid"


def wants(*addresses: IPv6Address, id_: bytes = ID) -> tuple[int, bytes]:
    """The option that asks for addresses, or names those it has."""
    named = tuple((address, 0, 0) for address in addresses)
    return m.ADDRESSES, m.encode_association(Association(id_, addresses=named))


def asked(kind: int, *options: tuple[int, bytes], server: bytes | None = None) -> Message:
    named = ((m.SERVER, server),) if server is not None else ()
    return Message(kind, b"abc", ((m.CLIENT, CLIENT), *named, *options))


def answer(message: Message, own: Lease = LEASE) -> Message | None:
    return conversation.answer(message, own, OURS)


def answered(message: Message, own: Lease = LEASE) -> Message:
    found = answer(message, own)
    assert found is not None
    assert (found.transaction, found.first(m.CLIENT), found.first(m.SERVER)) == (b"abc", CLIENT, OURS)
    return found


def associations(message: Message) -> list[Association]:
    return [found for value in message.all(m.ADDRESSES) if (found := m.association(value))]


def lifetimes(message: Message) -> dict[IPv6Address, tuple[int, int]]:
    return {
        address: (preferred, valid) for each in associations(message) for address, preferred, valid in each.addresses
    }


CONVERSATION = [(m.SOLICIT, None), (m.REQUEST, OURS), (m.RENEW, OURS), (m.REBIND, None)]


@pytest.mark.parametrize(("kind", "server"), CONVERSATION)
def test_an_interface_gets_all_its_addresses_at_once(kind: int, server: bytes | None) -> None:
    said = answered(asked(kind, wants(ONE), server=server))
    assert said.type == (m.ADVERTISE if kind == m.SOLICIT else m.REPLY)
    (given,) = associations(said)
    assert (given.id, given.times, given.status) == (ID, (70, 112), m.SUCCESS)
    assert lifetimes(said) == {ONE: (140, 450), TWO: (140, 450)}


def test_what_goes_with_a_lease() -> None:
    said = answered(asked(m.REQUEST, wants(), server=OURS))
    assert said.first(m.DNS) == IPv6Address("fd00::35").packed
    assert said.first(m.SEARCH) == b"\3ec2\10internal\0\4corp\7example\3com\0"
    assert said.first(m.SNTP) == IPv6Address("fd00::7b").packed, "only what IPv6 can name"
    assert said.first(m.NTP) == b"\0\1\0\20" + IPv6Address("fd00::7b").packed


def test_a_rapid_commit_is_not_offered() -> None:
    assert answered(asked(m.SOLICIT, (14, b""), wants())).type == m.ADVERTISE


def test_a_client_is_told_what_it_has_no_more() -> None:
    for kind, server in ((m.RENEW, OURS), (m.REBIND, None)):
        said = answered(asked(kind, wants(ONE, OTHER), server=server))
        assert lifetimes(said) == {ONE: (140, 450), TWO: (140, 450), OTHER: (0, 0)}
        assert lifetimes(answered(asked(kind, wants(ONE), server=server), NONE)) == {ONE: (0, 0)}
    (given,) = associations(answered(asked(m.REQUEST, wants(ONE), server=OURS), NONE))
    assert (given.addresses, given.status) == ((), m.NO_ADDRESSES)


def test_addresses_are_given_once_and_prefixes_never() -> None:
    prefix = (m.PREFIXES, m.encode_association(Association(b"pfix", (9, 9))))
    said = answered(asked(m.REQUEST, wants(), wants(id_=b"more"), prefix, server=OURS))
    first, second = associations(said)
    assert (len(first.addresses), second.addresses, second.status) == (2, (), m.NO_ADDRESSES)
    (refused,) = said.all(m.PREFIXES)
    assert m.association(refused) == Association(b"pfix", status=m.NO_PREFIXES)


def test_confirmation() -> None:
    for own, status in ((ONE, m.SUCCESS), (OTHER, m.NOT_ON_LINK)):
        said = answered(asked(m.CONFIRM, wants(TWO, own)))
        assert said.first(m.STATUS) == m.status(status)
    assert answer(asked(m.CONFIRM, wants())) is None


def test_what_is_given_back_is_the_interfaces_nevertheless() -> None:
    for kind in (m.RELEASE, m.DECLINE):
        assert answered(asked(kind, wants(ONE), server=OURS)).first(m.STATUS) == m.status(m.SUCCESS)


def test_information_without_a_lease() -> None:
    said = answer(Message(m.INFORMATION_REQUEST, b"abc"))
    assert said is not None
    assert (said.type, said.first(m.CLIENT), said.first(m.SERVER)) == (m.REPLY, None, OURS)
    assert said.first(m.DNS)
    assert said.first(m.REFRESH) == (600).to_bytes(4, "big")
    assert answer(asked(m.INFORMATION_REQUEST, wants())) is None


def test_silence() -> None:
    assert answer(asked(m.SOLICIT, wants()), NONE) is None
    assert answer(Message(m.INFORMATION_REQUEST, b"abc"), NONE) is None
    for kind in (m.REQUEST, m.RENEW, m.RELEASE, m.DECLINE):
        assert answer(asked(kind, wants(), server=b"another")) is None
        assert answer(asked(kind, wants())) is None
    for kind in (m.SOLICIT, m.CONFIRM, m.REBIND):
        assert answer(asked(kind, wants(ONE), server=OURS)) is None
        assert answer(Message(kind, b"abc", (wants(ONE),))) is None, "it says not who it is"
    for kind in (m.ADVERTISE, m.REPLY, 10, 12, 13, 255):
        assert answer(asked(kind, wants(), server=OURS)) is None


def test_how_long_an_address_is_preferred_and_a_router_a_default_router() -> None:
    """The advertisement comes with the lease, so the router must last longer than until the lease is renewed."""

    def of(seconds: int) -> Lease:
        return replace(LEASE, options=DhcpOptions(ipv6_lease=seconds))

    assert (of(140).times, of(140).router_seconds) == ((70, 112), 1800)
    assert (of(7200).seconds, of(7200).times, of(7200).router_seconds) == ((7200, 7510), (3600, 5760), 10800)
    longest = of(2**31 - 1)
    assert longest.router_seconds == 65535
    assert longest.times[0] * 3 <= 65535
    assert lifetimes(answered(asked(m.SOLICIT, wants()), longest))[ONE] == (2**31 - 1, 2**31 + 309)


def tail(machines: Machines, interface: str) -> str:
    """What the interface's link is named after."""
    return str(machines.network.shown(interface)["Attachment"]["AttachmentId"])[-14:]


def test_the_lease_of_a_link(machines: Machines) -> None:
    _, eni = machines.network.machine(Ipv6AddressCount=2)
    shown = machines.network.shown(eni)
    with machines.call.database.read() as db:
        own = lease.of(db, machines.network.vpc, tail(machines, eni))
        assert lease.of(db, machines.network.other_vpc, tail(machines, eni)) is None
        assert lease.of(db, machines.network.vpc, "0" * 14) is None
    assert own is not None
    assert own.mac.hex(":") == shown["MacAddress"]
    assert [str(address) for address in own.addresses] == [each["Ipv6Address"] for each in shown["Ipv6Addresses"]]
    assert own.seconds == (140, 450)


def test_the_option_set_of_the_vpc(call: Any, machines: Machines) -> None:
    given = [
        {"Key": "domain-name-servers", "Values": ["10.0.0.53", "AmazonProvidedDNS", "2001:db8::53"]},
        {"Key": "ipv6-address-preferred-lease-time", "Values": ["86400"]},
    ]
    id_ = call("CreateDhcpOptions", DhcpConfigurations=given)["DhcpOptions"]["DhcpOptionsId"]
    call("AssociateDhcpOptions", VpcId=machines.network.vpc, DhcpOptionsId=id_)
    _, eni = machines.network.machine(Ipv6AddressCount=1)

    def own() -> Lease:
        with call.database.read() as db:
            found = lease.of(db, machines.network.vpc, tail(machines, eni))
        assert found is not None
        return found

    assert own().seconds == (86400, 86710)
    assert own().options.ipv6_servers == ("fd00:ec2::253", "2001:db8::53")
    call("ModifyVpcAttribute", VpcId=machines.network.vpc, EnableDnsHostnames={"Value": False})
    call("ModifyVpcAttribute", VpcId=machines.network.vpc, EnableDnsSupport={"Value": False})
    assert own().options.ipv6_servers == ("2001:db8::53",), "a resolver that does not answer is not named"


numbers = st.integers(0, 2**32 - 1)
options = st.lists(st.tuples(st.integers(0, 2**16 - 1), st.binary(max_size=300)), max_size=6).map(tuple)


@given(st.integers(0, 255), st.binary(min_size=3, max_size=3), options)
def test_a_message_survives_the_way(kind: int, transaction: bytes, given: Any) -> None:
    message = Message(kind, transaction, given)
    assert m.parse(m.encode(message)) == message


@given(
    st.binary(min_size=4, max_size=4),
    st.tuples(numbers, numbers),
    st.lists(st.tuples(st.ip_addresses(v=6), numbers, numbers), max_size=3).map(tuple),
    st.integers(0, 2**16 - 1),
)
def test_an_association_survives_the_way(id_: bytes, times: Any, addresses: Any, status: int) -> None:
    given = Association(id_, times, addresses, status)
    assert m.association(m.encode_association(given)) == given


@given(st.binary(max_size=200), st.sampled_from(range(1, 12)), st.binary(max_size=60))
def test_no_bytes_are_too_strange(data: bytes, kind: int, association: bytes) -> None:
    m.parse(data)
    for server in (None, OURS):
        answer(asked(kind, (m.ADDRESSES, association), (m.PREFIXES, association), server=server))
