"""What DHCP gives an interface, from the messages alone."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from machines import Machines

from enid.services.dhcp import leases, packet
from enid.services.dhcp.leases import Lease, answer
from enid.services.dhcp.packet import Message
from enid.topology.dhcp_options import DhcpOptions

MAC = "02:00:00:00:00:05"
OPTIONS = DhcpOptions("ec2.internal", ("10.0.0.2", "2001:db8::53"), ("169.254.169.123",), ("10.0.0.9",), 2)
LEASE = Lease("eni-attach-1", IPv4Address("10.0.1.5"), IPv4Network("10.0.1.0/24"), "ip-10-0-1-5", OPTIONS)


def asked(kind: int, client: str = "0.0.0.0", **options: str) -> Message:
    """A client's message; options are addresses, by their names here."""
    given = {getattr(packet, name.upper()): IPv4Address(value).packed for name, value in options.items()}
    return Message(7, MAC, {packet.TYPE: bytes((kind,)), **given}, client=IPv4Address(client))


def answered(message: Message) -> Message:
    found = answer(message, LEASE)
    assert found is not None
    assert (found.transaction, found.mac) == (7, MAC)
    return found


def test_an_offer_and_what_it_says() -> None:
    offer = answered(asked(packet.DISCOVER))
    assert (offer.type, offer.yours) == (packet.OFFER, LEASE.address)
    assert offer.address(packet.SERVER) == offer.address(packet.ROUTER) == IPv4Address("10.0.1.1")
    assert offer.address(packet.MASK) == IPv4Address("255.255.255.0")
    assert int.from_bytes(offer.options[packet.LEASE], "big") == 3600
    assert int.from_bytes(offer.options[packet.MTU], "big") == 9001
    assert offer.options[packet.HOST_NAME] == b"ip-10-0-1-5"
    assert offer.options[packet.DOMAIN] == b"ec2.internal"
    assert offer.address(packet.DNS) == IPv4Address("10.0.0.2"), "only what IPv4 can name"
    assert offer.address(packet.NTP) == IPv4Address("169.254.169.123")
    assert offer.address(packet.NETBIOS_SERVERS) == IPv4Address("10.0.0.9")
    assert offer.options[packet.NETBIOS_NODE] == b"\2"


def test_a_request_of_what_was_offered() -> None:
    ack = answered(asked(packet.REQUEST, requested="10.0.1.5", server="10.0.1.1"))
    assert (ack.type, ack.yours) == (packet.ACK, LEASE.address)


def test_a_renewal_is_answered_to_the_client() -> None:
    ack = answered(asked(packet.REQUEST, client="10.0.1.5"))
    assert (ack.type, ack.client) == (packet.ACK, LEASE.address)


def test_any_other_address_is_refused() -> None:
    for message in (asked(packet.REQUEST, requested="10.0.1.6"), asked(packet.REQUEST, client="192.168.0.1")):
        nak = answered(message)
        assert (nak.type, nak.yours, nak.to_all) == (packet.NAK, packet.NOBODY, True)
        assert packet.LEASE not in nak.options


def test_information_without_a_lease() -> None:
    ack = answered(asked(packet.INFORM, client="10.0.1.5"))
    assert (ack.type, ack.yours) == (packet.ACK, packet.NOBODY)
    assert packet.DNS in ack.options
    assert packet.LEASE not in ack.options


def test_silence() -> None:
    assert answer(asked(packet.REQUEST, requested="10.0.1.5", server="10.0.1.9"), LEASE) is None
    for kind in (packet.DECLINE, packet.RELEASE, packet.OFFER, packet.ACK):
        assert answer(asked(kind), LEASE) is None


def test_a_vpc_without_options(machines: Machines) -> None:
    """It gets an address and a router, and no names."""
    _, eni = machines.network.machine(SecondaryPrivateIpAddressCount=2)
    shown = machines.network.shown(eni)
    with machines.call.database.read() as db:
        lease = leases.of(db, machines.network.vpc, shown["MacAddress"])
        assert leases.of(db, machines.network.other_vpc, shown["MacAddress"]) is None
        assert leases.of(db, machines.network.vpc, MAC) is None
    assert lease is not None
    assert str(lease.address) == shown["PrivateIpAddress"], "the primary address, and no other"
    offer = answer(asked(packet.DISCOVER), lease)
    assert offer is not None
    assert not {packet.DNS, packet.DOMAIN, packet.NTP} & offer.options.keys()


def test_the_option_set_of_the_vpc(call: Any, machines: Machines) -> None:
    given = [
        {"Key": "domain-name", "Values": ["corp.example.com"]},
        {"Key": "domain-name-servers", "Values": ["10.0.0.53", "AmazonProvidedDNS"]},
    ]
    id_ = call("CreateDhcpOptions", DhcpConfigurations=given)["DhcpOptions"]["DhcpOptionsId"]
    call("AssociateDhcpOptions", VpcId=machines.network.vpc, DhcpOptionsId=id_)
    _, eni = machines.network.machine()
    mac = machines.network.shown(eni)["MacAddress"]

    def options() -> DhcpOptions:
        with call.database.read() as db:
            lease = leases.of(db, machines.network.vpc, mac)
        assert lease is not None
        return lease.options

    assert options().domain == "corp.example.com"
    assert options().domain_name_servers == ("10.0.0.53", "10.0.0.2")
    call("ModifyVpcAttribute", VpcId=machines.network.vpc, EnableDnsHostnames={"Value": False})
    call("ModifyVpcAttribute", VpcId=machines.network.vpc, EnableDnsSupport={"Value": False})
    assert options().domain_name_servers == ("10.0.0.53",), "a resolver that does not answer is not named"


options = st.dictionaries(st.integers(1, 254).filter(lambda number: number != packet.TYPE), st.binary(max_size=600))


@given(options, st.integers(1, 8), st.booleans(), st.ip_addresses(v=4))
def test_a_message_survives_the_way(given: dict[int, bytes], kind: int, to_all: bool, client: IPv4Address) -> None:
    message = Message(2**32 - 1, MAC, {packet.TYPE: bytes((kind,)), **given}, to_all, client)
    wire = bytearray(packet.encode(message))
    wire[0] = 1  # a client's
    assert packet.parse(bytes(wire)) == message


@given(st.binary(max_size=400))
def test_no_bytes_are_too_strange(data: bytes) -> None:
    packet.parse(data)
    head = bytearray(packet.encode(Message(1, MAC, {})))[:240]
    head[0] = 1
    message = packet.parse(bytes(head) + data)
    if message is not None:
        answer(message, LEASE)
