"""What a VPC's resolver answers, of what is in the store."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import dns.edns
import dns.flags
import dns.message
import dns.opcode
import dns.rcode
import dns.rdatatype
import pytest
from hypothesis import given
from hypothesis import strategies as st
from machines import Machines
from sqlalchemy import update

from enid.services.dns import answers
from enid.services.dns.resolver import Resolver
from enid.store import tables as t

NXDOMAIN, NOERROR, REFUSED = dns.rcode.NXDOMAIN, dns.rcode.NOERROR, dns.rcode.REFUSED


class Asking:
    """A resolver of a VPC's instances."""

    def __init__(self, account: Any, vpc_id: str, threads: ThreadPoolExecutor) -> None:
        self.resolver = Resolver(account.database, account.settings.region, threads)
        self.vpc_id = vpc_id

    def wire(self, wire: bytes, *, datagram: bool = True) -> bytes | None:
        return asyncio.run(self.resolver.answer(self.vpc_id, wire, datagram=datagram))

    def message(self, query: dns.message.Message) -> dns.message.Message:
        wire = self.wire(query.to_wire())
        assert wire is not None
        response = dns.message.from_wire(wire)
        assert query.is_response(response)
        assert response.flags & dns.flags.RA
        return response

    def __call__(self, name: str, kind: str = "A") -> tuple[dns.rcode.Rcode, list[str]]:
        response = self.message(dns.message.make_query(name, kind))
        found = [data.to_text() for rrset in response.answer for data in rrset]
        if not found:
            assert response.authority, "how long there is nothing"
        return response.rcode(), found


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


@pytest.fixture
def ask(call: Any, machines: Machines, threads: ThreadPoolExecutor) -> Asking:
    return Asking(call, machines.network.vpc, threads)


def dashed(ip: str) -> str:
    return ip.replace(".", "-")


def test_every_private_address_of_an_attached_interface(ask: Asking, machines: Machines) -> None:
    _, eni = machines.network.machine(SecondaryPrivateIpAddressCount=2)
    ips = machines.network.ips(eni)
    assert len(ips) == 3
    for ip in ips:
        name = f"ip-{dashed(ip)}.ec2.internal"
        assert ask(name) == (NOERROR, [ip])
        assert ask(name.upper()) == (NOERROR, [ip])
        assert ask(name, "AAAA") == (NOERROR, [])
        reverse = ".".join(reversed(ip.split("."))) + ".in-addr.arpa"
        assert ask(reverse, "PTR") == (NOERROR, [f"{name}."])


def test_every_address_of_a_prefix(ask: Asking, machines: Machines, call: Any) -> None:
    machines.network.machine(Ipv4Prefixes=[{"Ipv4Prefix": "10.0.1.64/28"}])
    for ip in ("10.0.1.64", "10.0.1.79"):
        assert ask(f"ip-{dashed(ip)}.ec2.internal") == (NOERROR, [ip])
    assert ask("70.1.0.10.in-addr.arpa", "PTR") == (NOERROR, ["ip-10-0-1-70.ec2.internal."])
    assert ask("ip-10-0-1-80.ec2.internal") == (NXDOMAIN, [])
    call("DetachNetworkInterface", AttachmentId=_second(machines, "10.0.1.96/28"))
    assert ask("ip-10-0-1-96.ec2.internal") == (NXDOMAIN, [])


def _second(machines: Machines, prefix: str) -> str:
    """The attachment of a secondary interface with a prefix."""
    eni = machines.network.interface(Ipv4Prefixes=[{"Ipv4Prefix": prefix}])
    return machines.network.attach(eni, machines.network.instance(), 1)


def test_what_nobody_has_does_not_exist(ask: Asking, machines: Machines) -> None:
    spare = machines.network.ips(machines.network.interface())[0]
    for name in (
        f"ip-{dashed(spare)}.ec2.internal", "ip-10-0-1-200.ec2.internal", "ip-10-0-1.ec2.internal", "ip-.ec2.internal",
        "ip-10-0-1-5.x.ec2.internal", "x.ec2.internal", "i-0123.ec2.internal", "ec2-198-18-0-1.compute-1.amazonaws.com",
        "ec2-x.compute-1.amazonaws.com", "example.com", "com", "ip-10-0-1-4.eu-west-1.compute.internal",
    ):  # fmt: skip
        assert ask(name) == (NXDOMAIN, []), name
    assert ask("200.1.0.10.in-addr.arpa", "PTR") == (NXDOMAIN, [])
    assert ask("9.9.9.9.in-addr.arpa", "PTR") == (NXDOMAIN, [])


def test_names_above_do_exist(ask: Asking) -> None:
    assert ask("ec2.internal") == (NOERROR, [])
    assert ask("1.0.10.in-addr.arpa", "PTR") == (NOERROR, [])


def test_another_vpc_is_another_world(call: Any, machines: Machines, threads: ThreadPoolExecutor) -> None:
    _, eni = machines.network.machine()
    ip = machines.network.ips(eni)[0]
    assert Asking(call, machines.network.other_vpc, threads)(f"ip-{dashed(ip)}.ec2.internal") == (NXDOMAIN, [])


def test_other_regions_have_another_zone(call: Any, machines: Machines, threads: ThreadPoolExecutor) -> None:
    _, eni = machines.network.machine()
    ip = machines.network.ips(eni)[0]
    call.settings = call.settings.model_copy(update={"region": "eu-west-1"})
    ask = Asking(call, machines.network.vpc, threads)
    assert ask(f"ip-{dashed(ip)}.eu-west-1.compute.internal") == (NOERROR, [ip])
    assert ask(f"ip-{dashed(ip)}.ec2.internal") == (NXDOMAIN, [])


def test_resource_names(ask: Asking, machines: Machines) -> None:
    def launched(**options: bool) -> dict[str, Any]:
        shown = machines.shown(machines.running(PrivateDnsNameOptions={"HostnameType": "resource-name", **options}))
        primary = shown["NetworkInterfaces"][0]["NetworkInterfaceId"]
        machines.call("AssignIpv6Addresses", NetworkInterfaceId=primary, Ipv6AddressCount=1)
        return machines.shown(shown["InstanceId"])

    both = launched(EnableResourceNameDnsARecord=True, EnableResourceNameDnsAAAARecord=True)
    name, ipv6 = f"{both['InstanceId']}.ec2.internal", both["Ipv6Address"]
    assert ask(name) == (NOERROR, [both["PrivateIpAddress"]])
    assert ask(name, "AAAA") == (NOERROR, [ipv6])
    assert sorted(ask(name, "ANY")[1]) == sorted([both["PrivateIpAddress"], ipv6])
    assert ask(dns.reversename.from_address(ipv6).to_text(), "PTR") == (NOERROR, [f"{name}."])
    only_a = launched(EnableResourceNameDnsARecord=True)
    assert ask(f"{only_a['InstanceId']}.ec2.internal", "AAAA") == (NOERROR, [])
    assert ask(dns.reversename.from_address(only_a["Ipv6Address"]).to_text(), "PTR") == (NXDOMAIN, [])
    neither = launched()
    assert ask(f"{neither['InstanceId']}.ec2.internal") == (NXDOMAIN, [])


def test_public_names_lead_inside_from_inside(call: Any, machines: Machines, threads: ThreadPoolExecutor) -> None:
    network = machines.network
    _, eni = network.machine()
    allocation = network.elastic_ip()
    public = network.address(allocation)["PublicIp"]
    name = f"ec2-{dashed(public)}.compute-1.amazonaws.com"
    here, there = (Asking(call, vpc, threads) for vpc in (network.vpc, network.other_vpc))
    assert here(name) == (NXDOMAIN, []), "nobody uses it"
    call("AssociateAddress", AllocationId=allocation, NetworkInterfaceId=eni)
    assert here(name) == (NOERROR, network.ips(eni))
    assert there(name) == (NOERROR, [public])
    reverse = dns.reversename.from_address(public).to_text()
    assert there(reverse, "PTR") == (NOERROR, [f"{name}."])
    call("ModifyVpcAttribute", VpcId=network.vpc, EnableDnsHostnames={"Value": False})
    assert here(name) == there(name) == there(reverse, "PTR") == (NXDOMAIN, [])
    assert here(f"ip-{dashed(network.ips(eni)[0])}.ec2.internal")[0] == NOERROR


def test_without_dns_support_there_is_no_answer(ask: Asking, machines: Machines) -> None:
    machines.call.put(update(t.vpcs).values(enable_dns_support=False))
    assert ask.wire(dns.message.make_query("ec2.internal", "A").to_wire()) is None


def test_the_metadata_service_has_a_name(ask: Asking) -> None:
    assert ask("instance-data.ec2.internal") == (NOERROR, ["169.254.169.254"])


class TestTheProtocol:
    def test_recursive_only(self, ask: Asking) -> None:
        query = dns.message.make_query("ec2.internal", "A")
        query.flags &= ~dns.flags.RD
        assert ask.message(query).rcode() == REFUSED

    def test_other_classes_and_operations(self, ask: Asking) -> None:
        assert ask.message(dns.message.make_query("version.bind", "TXT", "CH")).rcode() == REFUSED
        query = dns.message.make_query("ec2.internal", "A")
        query.set_opcode(dns.opcode.STATUS)
        assert ask.message(query).rcode() == dns.rcode.NOTIMP

    def test_edns(self, ask: Asking) -> None:
        assert ask.message(dns.message.make_query("ec2.internal", "A")).edns == -1
        response = ask.message(dns.message.make_query("ec2.internal", "A", use_edns=0, payload=4096))
        assert (response.edns, response.payload) == (0, answers.PAYLOAD)
        assert ask.message(dns.message.make_query("ec2.internal", "A", use_edns=1)).rcode() == dns.rcode.BADVERS

    def test_what_is_too_long_for_a_datagram_is_cut_short(self) -> None:
        query = dns.message.make_query("many.ec2.internal", "A")
        response = dns.message.make_response(query)
        ips = [f"10.0.0.{number}" for number in range(100)]
        response.answer.append(dns.rrset.from_text_list("many.ec2.internal.", 60, "IN", "A", ips))
        short = dns.message.from_wire(answers.encode(response, query, datagram=True), ignore_trailing=True)
        assert short.flags & dns.flags.TC
        assert len(answers.encode(response, query, datagram=True)) <= 512
        whole = dns.message.from_wire(answers.encode(response, query, datagram=False))
        assert len(whole.answer[0]) == 100

    def test_answers_are_not_answered(self, ask: Asking) -> None:
        assert ask.wire(dns.message.make_response(dns.message.make_query("a.example", "A")).to_wire()) is None

    def test_what_cannot_be_read_is_a_format_error(self, ask: Asking) -> None:
        wire = ask.wire(dns.message.make_query("ec2.internal", "A").to_wire()[:-3])
        assert wire is not None
        assert wire[3] & 15 == dns.rcode.FORMERR

    @given(wire=st.binary(max_size=600))
    def test_no_bytes_are_too_strange(self, wire: bytes) -> None:
        class Nothing:
            def is_attached(self, _address: object) -> bool:
                return False

            def instance_of(self, _address: object) -> None:
                return None

            instance = public = instance_of

        try:
            query = answers.parse(wire)
        except dns.exception.DNSException:
            assert answers.malformed(wire)
            return
        if query is not None:
            try:
                response = answers.answer(query, Nothing(), "us-east-1")
            except answers.Elsewhere:
                response = answers.nowhere(query)
            assert answers.encode(response, query, datagram=True)
