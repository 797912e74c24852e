"""Versions 1 and 2 of the metadata service, and who may ask."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from instance_inside import Inside
from machines import Machines

from enid.services.imds import tokens
from enid.services.imds.tokens import Tokens

TOKEN = "/latest/api/token"
ID = "/latest/meta-data/instance-id"


def options(machines: Machines, instance: dict[str, Any], **changed: Any) -> None:
    machines.call("ModifyInstanceMetadataOptions", InstanceId=instance["InstanceId"], **changed)


def token_of(inside: Inside, seconds: int = 60) -> str:
    answer = inside.ask("PUT", TOKEN, x_aws_ec2_metadata_token_ttl_seconds=str(seconds))
    assert answer is not None
    assert answer.status == 200
    assert answer.headers["X-Aws-Ec2-Metadata-Token-Ttl-Seconds"] == str(seconds)
    assert len(answer.body) == 56
    return answer.body.decode()


def test_version_1_needs_no_token(inside: Inside, instance: dict[str, Any]) -> None:
    assert inside.get("meta-data/instance-id") == instance["InstanceId"]


def test_version_2(inside: Inside, machines: Machines, instance: dict[str, Any]) -> None:
    options(machines, instance, HttpTokens="required")
    assert inside.status("GET", ID) == 401
    token = token_of(inside)
    answer = inside.ask("GET", ID, x_aws_ec2_metadata_token=token)
    assert answer is not None
    assert answer.body.decode() == instance["InstanceId"]
    assert 0 < int(answer.headers["X-Aws-Ec2-Metadata-Token-Ttl-Seconds"]) <= 60
    assert inside.status("GET", "/latest/meta-data/nothing", x_aws_ec2_metadata_token=token) == 404


@pytest.mark.parametrize("ttl", ["", "0", "21601", "-1", "x", "1.5", "٣", "9" * 5000])
def test_a_token_needs_a_time_to_live(inside: Inside, ttl: str) -> None:
    assert inside.status("PUT", TOKEN, x_aws_ec2_metadata_token_ttl_seconds=ttl) == 400


def test_no_token_through_a_proxy(inside: Inside) -> None:
    headers = {"x_aws_ec2_metadata_token_ttl_seconds": "60", "x_forwarded_for": "10.0.0.1"}
    assert inside.status("PUT", TOKEN, **headers) == 403


def test_a_wrong_token_is_refused_even_where_none_is_needed(inside: Inside) -> None:
    for token in ("", "x", "ä", "A" * 56, token_of(inside)[:-4] + "AA=="):
        assert inside.status("GET", ID, x_aws_ec2_metadata_token=token) == 401


def test_a_token_is_its_instances_alone(call: Any, inside: Inside, machines: Machines) -> None:
    other = Inside(call, machines.network.vpc, machines.shown(machines.running())["PrivateIpAddress"])
    assert other.status("GET", ID, x_aws_ec2_metadata_token=token_of(inside)) == 401


def test_the_hop_limit(inside: Inside, machines: Machines, instance: dict[str, Any]) -> None:
    answer = inside.ask("PUT", TOKEN, x_aws_ec2_metadata_token_ttl_seconds="60")
    assert answer is not None
    assert answer.hop_limit == 1
    options(machines, instance, HttpPutResponseHopLimit=3)
    answer = inside.ask("PUT", TOKEN, x_aws_ec2_metadata_token_ttl_seconds="60")
    assert answer is not None
    assert answer.hop_limit == 3
    answer = inside.ask("GET", ID)
    assert answer is not None
    assert answer.hop_limit == 64


def test_it_can_be_turned_off_and_on(inside: Inside, machines: Machines, instance: dict[str, Any]) -> None:
    options(machines, instance, HttpEndpoint="disabled")
    assert inside.status("GET", ID) == 403
    assert inside.status("PUT", TOKEN, x_aws_ec2_metadata_token_ttl_seconds="60") == 403
    options(machines, instance, HttpEndpoint="enabled")
    assert inside.status("GET", ID) == 200


def test_over_ipv6_only_where_it_is_allowed(inside: Inside, machines: Machines, instance: dict[str, Any]) -> None:
    primary = instance["NetworkInterfaces"][0]["NetworkInterfaceId"]
    machines.call("AssignIpv6Addresses", NetworkInterfaceId=primary, Ipv6Addresses=["2001:db8:0:1::9"])
    assert inside.status("GET", ID, address="2001:db8:0:1::9") == 403
    options(machines, instance, HttpProtocolIpv6="enabled")
    assert inside.status("GET", ID, address="2001:db8:0:1::9") == 200


def test_methods(inside: Inside) -> None:
    assert inside.status("HEAD", ID) == 200
    assert [inside.status(method, ID) for method in ("PUT", "POST", "DELETE")] == [405] * 3
    assert inside.status("GET", TOKEN) == 405


def test_the_options_of_a_launch(call: Any, machines: Machines) -> None:
    id_ = machines.running(MetadataOptions={"HttpTokens": "required"})
    inside = Inside(call, machines.network.vpc, machines.shown(id_)["PrivateIpAddress"])
    assert inside.status("GET", ID) == 401


def test_who_asks_is_told_by_vpc_and_address(call: Any, machines: Machines) -> None:
    """The same address in two VPCs is two instances; one nobody has is nobody."""
    network = machines.network
    twin_vpc = network.add_vpc("10.0.0.0/16")
    twin_subnet = network.add_subnet(twin_vpc, "10.0.1.0/24")
    one = machines.running(PrivateIpAddress="10.0.1.50")
    two = machines.running(SubnetId=twin_subnet, PrivateIpAddress="10.0.1.50")
    assert Inside(call, network.vpc, "10.0.1.50").get("meta-data/instance-id") == one
    assert Inside(call, twin_vpc, "10.0.1.50").get("meta-data/instance-id") == two
    assert Inside(call, network.vpc, "10.0.1.51").ask("GET", ID) is None
    assert Inside(call, "vpc-none", "10.0.1.50").ask("GET", ID) is None


def test_any_of_an_instances_addresses_will_do(inside: Inside, machines: Machines, instance: dict[str, Any]) -> None:
    primary = instance["NetworkInterfaces"][0]["NetworkInterfaceId"]
    machines.call("AssignPrivateIpAddresses", NetworkInterfaceId=primary, PrivateIpAddresses=["10.0.1.77"])
    answer = inside.ask("GET", ID, address="10.0.1.77")
    assert answer is not None
    assert answer.body.decode() == instance["InstanceId"]


class TestTokens:
    def test_they_expire(self) -> None:
        now = [1000.0]
        made = Tokens(b"key", lambda: now[0])
        token = made.issue("i-1", 10)
        assert made.seconds_left("i-1", token) == 10
        now[0] += 10
        assert made.seconds_left("i-1", token) == 0

    def test_they_outlive_the_process_but_not_the_key(self, tmp_path: Path) -> None:
        token = Tokens(tokens.key(tmp_path / "key")).issue("i-1", 60)
        assert Tokens(tokens.key(tmp_path / "key")).seconds_left("i-1", token)
        assert not Tokens(tokens.key(tmp_path / "other")).seconds_left("i-1", token)
        assert (tmp_path / "key").stat().st_mode & 0o077 == 0

    @given(st.text() | st.binary().map(lambda raw: raw.decode("latin-1")))
    def test_nothing_made_up_is_one(self, text: str) -> None:
        assert Tokens(b"key").seconds_left("i-1", text) == 0
