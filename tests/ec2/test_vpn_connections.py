"""VPN connections: tunnels, static routes, whether somebody is at the far end."""

from __future__ import annotations

from datetime import timedelta
from ipaddress import IPv4Address, IPv4Network
from typing import Any
from xml.etree.ElementTree import fromstring

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import insert

from accounts import Account
from enid import clock
from enid.ec2 import vpn_tunnels
from enid.store.database import Database
from enid.store.status import forget_ended, tunnels_changed
from enid.store.tables import sites

INSIDE = st.integers(0, 2**14 - 1).map(lambda number: str(IPv4Network((0xA9FE0000 + 4 * number, 30))))


class World:
    """A VPC with its VPN gateway, and a customer gateway."""

    def __init__(self, call: Account) -> None:
        self.call = call
        self.vpc = call("CreateVpc", CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        self.vgw = call("CreateVpnGateway", Type="ipsec.1")["VpnGateway"]["VpnGatewayId"]
        call("AttachVpnGateway", VpnGatewayId=self.vgw, VpcId=self.vpc)
        self.cgw = self.customer("198.18.0.9")

    def customer(self, ip: str, asn: int = 65000) -> str:
        request = {"Type": "ipsec.1", "IpAddress": ip, "BgpAsn": asn}
        return str(self.call("CreateCustomerGateway", **request)["CustomerGateway"]["CustomerGatewayId"])

    def request(self, **options: Any) -> dict[str, Any]:
        return {
            "Type": "ipsec.1",
            "CustomerGatewayId": self.cgw,
            "VpnGatewayId": self.vgw,
            "Options": {"StaticRoutesOnly": True, **options},
        }

    def connect(self, **options: Any) -> dict[str, Any]:
        return dict(self.call("CreateVpnConnection", **self.request(**options))["VpnConnection"])

    def shown(self) -> dict[str, Any]:
        [shown] = self.call("DescribeVpnConnections")["VpnConnections"]
        return dict(shown)


@pytest.fixture
def world(call: Account) -> World:
    return World(call)


def test_a_new_connection_has_two_tunnels(world: World) -> None:
    shown = world.connect()
    assert world.call.changed == [("vpc", world.vpc)]
    assert shown | {"State": "available", "Category": "VPN", "CustomerGatewayId": world.cgw, "Routes": []} == shown
    tunnels = shown["Options"]["TunnelOptions"]
    assert len({tunnel["OutsideIpAddress"] for tunnel in tunnels}) == 2
    for tunnel in tunnels:
        assert IPv4Network(tunnel["TunnelInsideCidr"]).subnet_of(IPv4Network("169.254.0.0/16"))
        assert 8 <= len(tunnel["PreSharedKey"]) <= 64


def test_the_configuration_for_the_far_side_says_the_same(world: World) -> None:
    shown = world.connect()
    root = fromstring(shown["CustomerGatewayConfiguration"])
    assert root.get("id") == shown["VpnConnectionId"]
    assert root.findtext("customer_gateway_id") == world.cgw
    for element, tunnel in zip(root.findall("ipsec_tunnel"), shown["Options"]["TunnelOptions"], strict=True):
        assert element.findtext("vpn_gateway/tunnel_outside_address/ip_address") == tunnel["OutsideIpAddress"]
        assert element.findtext("customer_gateway/tunnel_outside_address/ip_address") == "198.18.0.9"
        assert element.findtext("ike/pre_shared_key") == tunnel["PreSharedKey"]
        sides = [element.findtext(f"{side}/tunnel_inside_address/ip_address") for side in SIDES]
        assert len(set(sides)) == 2
        assert all(IPv4Address(side) in IPv4Network(tunnel["TunnelInsideCidr"]) for side in sides)


SIDES = ("vpn_gateway", "customer_gateway")


def test_telemetry_is_up_only_when_a_site_has_the_customer_gateways_address(world: World) -> None:
    world.connect()
    assert {tunnel["Status"] for tunnel in world.shown()["VgwTelemetry"]} == {"DOWN"}
    world.call.put(insert(sites).values(name="elsewhere", public_ip="198.18.0.10"))
    assert {tunnel["Status"] for tunnel in world.shown()["VgwTelemetry"]} == {"DOWN"}
    world.call.put(insert(sites).values(name="corporate", public_ip="198.18.0.9"))
    assert {tunnel["Status"] for tunnel in world.shown()["VgwTelemetry"]} == {"UP"}


def test_telemetry_of_real_tunnels_is_what_was_seen_of_them(world: World) -> None:
    id_ = world.connect()["VpnConnectionId"]
    world.call("CreateVpnConnectionRoute", VpnConnectionId=id_, DestinationCidrBlock="192.168.0.0/16")
    world.call.settings = world.call.settings.model_copy(update={"vpn": "ipsec"})
    world.call.put(insert(sites).values(name="corporate", public_ip="198.18.0.9"))

    def shown() -> list[tuple[str, str, int]]:
        found = world.shown()["VgwTelemetry"]
        return [(each["Status"], each["StatusMessage"], each["AcceptedRouteCount"]) for each in found]

    down, up = ("DOWN", "IPSEC IS DOWN", 0), ("UP", "", 1)
    assert shown() == [down, down]
    with world.call.database.write() as db:
        tunnels_changed(db, {id_: (False, True)}, clock.now())
    assert shown() == [down, up]
    world.call("DeleteVpnConnection", VpnConnectionId=id_)
    assert shown() == [("DOWN", "IPSEC IS DOWN", 0)] * 2


def test_a_tunnels_outside_address_is_nobody_elses(world: World) -> None:
    world.call.put(insert(sites).values(name="client", public_ip="198.51.100.1"))
    world.customer("203.0.113.1")
    tunnels = world.connect()["Options"]["TunnelOptions"]
    assert [tunnel["OutsideIpAddress"] for tunnel in tunnels] == ["198.51.100.2", "203.0.113.2"]


def test_static_routes(world: World) -> None:
    id_ = world.connect()["VpnConnectionId"]
    route = {"VpnConnectionId": id_, "DestinationCidrBlock": "192.168.1.2/16"}
    for noted in ([("vpc", world.vpc)], []):
        world.call("CreateVpnConnectionRoute", **route)
        assert world.call.changed == noted
    expected = [{"DestinationCidrBlock": "192.168.0.0/16", "Source": "Static", "State": "available"}]
    assert world.shown()["Routes"] == expected
    world.call("DeleteVpnConnectionRoute", **route)
    assert world.call.changed == [("vpc", world.vpc)]
    assert world.shown()["Routes"] == []
    assert world.call.refused("DeleteVpnConnectionRoute", **route).code == "InvalidRoute.NotFound"
    bad = {**route, "DestinationCidrBlock": "everywhere"}
    assert world.call.refused("CreateVpnConnectionRoute", **bad).code == "InvalidParameterValue"


def test_tunnels_as_the_client_wants_them(world: World) -> None:
    wanted = [
        {"TunnelInsideCidr": "169.254.44.0/30", "PreSharedKey": "secret.key_1"},
        {"TunnelInsideCidr": "169.254.44.4/30"},
    ]
    tunnels = world.connect(TunnelOptions=wanted)["Options"]["TunnelOptions"]
    assert [tunnel["TunnelInsideCidr"] for tunnel in tunnels] == ["169.254.44.0/30", "169.254.44.4/30"]
    assert tunnels[0]["PreSharedKey"] == "secret.key_1"
    world.cgw = world.customer("198.18.0.10")
    error = world.call.refused("CreateVpnConnection", **world.request(TunnelOptions=wanted[:1]))
    assert error.code == "InvalidCidr.InUse"


def test_a_tunnel_gets_another_key_and_other_addresses_inside(world: World) -> None:
    made = world.connect()
    one, other = made["Options"]["TunnelOptions"]
    request = {"VpnConnectionId": made["VpnConnectionId"], "VpnTunnelOutsideIpAddress": one["OutsideIpAddress"]}
    options = {"PreSharedKey": "another.key", "TunnelInsideCidr": "169.254.44.0/30"}
    answer = world.call("ModifyVpnTunnelOptions", **request, TunnelOptions=options)["VpnConnection"]
    assert world.call.changed == [("vpc", world.vpc)]
    assert answer["Options"]["TunnelOptions"] == [one | options, other]
    assert "another.key" in answer["CustomerGatewayConfiguration"]
    assert world.shown() == answer
    again = world.call("ModifyVpnTunnelOptions", **request, TunnelOptions=options)["VpnConnection"]
    assert again["Options"]["TunnelOptions"] == [one | options, other]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"VpnTunnelOutsideIpAddress": "192.0.2.1"}, "InvalidParameterValue"),
        ({"VpnConnectionId": "vpn-0123456789abcdef0"}, "InvalidVpnConnectionID.NotFound"),
        ({"TunnelOptions": {"PreSharedKey": "short"}}, "InvalidParameterValue"),
        ({"TunnelOptions": {"TunnelInsideCidr": "10.0.0.0/30"}}, "InvalidParameterValue"),
        ({"TunnelOptions": {"TunnelInsideCidr": "the other's"}}, "InvalidCidr.InUse"),
        ({"TunnelOptions": {"StartupAction": "start"}}, "UnsupportedOperation"),
        ({"SkipTunnelReplacement": True}, "UnsupportedOperation"),
        ({"PreSharedKeyStorage": "SecretsManager"}, "UnsupportedOperation"),
    ],
)
def test_what_a_tunnel_cannot_become(world: World, changes: dict[str, Any], code: str) -> None:
    made = world.connect()
    one, other = made["Options"]["TunnelOptions"]
    request = {
        "VpnConnectionId": made["VpnConnectionId"],
        "VpnTunnelOutsideIpAddress": one["OutsideIpAddress"],
        "TunnelOptions": {"PreSharedKey": "another.key"},
        **changes,
    }
    if request["TunnelOptions"].get("TunnelInsideCidr") == "the other's":
        request["TunnelOptions"] = {"TunnelInsideCidr": other["TunnelInsideCidr"]}
    assert world.call.refused("ModifyVpnTunnelOptions", **request).code == code


@given(st.lists(INSIDE, max_size=2, unique=True), st.sets(INSIDE, max_size=5))
def test_tunnels_never_share_an_address(asked: list[str], used: set[str]) -> None:
    asked = [block for block in asked if block not in used and not block.startswith(RESERVED)]
    tunnels = vpn_tunnels.build([{"TunnelInsideCidr": block} for block in asked], {"198.51.100.1"}, used)
    inside = [tunnel["TunnelInsideCidr"] for tunnel in tunnels]
    assert inside[: len(asked)] == asked
    assert len(set(inside)) == 2
    assert not set(inside) & used
    assert not [block for block in inside if block.startswith(RESERVED)]
    assert "198.51.100.1" not in {tunnel["OutsideIpAddress"] for tunnel in tunnels}


RESERVED = (*(f"169.254.{number}.0/" for number in range(6)), "169.254.169.252/")


def test_the_same_two_gateways_have_one_connection(world: World) -> None:
    first = world.connect()
    assert world.connect()["VpnConnectionId"] == first["VpnConnectionId"]
    options = {"TunnelOptions": [{"TunnelInsideCidr": "169.254.44.0/30"}]}
    assert world.call.refused("CreateVpnConnection", **world.request(**options)).code == "InvalidOption.Conflict"
    world.cgw = world.customer("198.18.0.10")
    outside = {tunnel["OutsideIpAddress"] for tunnel in first["Options"]["TunnelOptions"]}
    assert not outside & {tunnel["OutsideIpAddress"] for tunnel in world.connect()["Options"]["TunnelOptions"]}


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"Type": "ipsec.2"}, "InvalidParameterValue"),
        ({"Options": {}}, "UnsupportedOperation"),
        ({"Options": {"StaticRoutesOnly": False}}, "UnsupportedOperation"),
        ({"Options": {"StaticRoutesOnly": True, "EnableAcceleration": True}}, "UnsupportedOperation"),
        ({"Options": {"StaticRoutesOnly": True, "TunnelInsideIpVersion": "ipv6"}}, "UnsupportedOperation"),
        ({"TransitGatewayId": "tgw-12345678"}, "UnsupportedOperation"),
        ({"CustomerGatewayId": "cgw-12345678"}, "InvalidCustomerGatewayID.NotFound"),
        ({"VpnGatewayId": "vgw-12345678"}, "InvalidVpnGatewayID.NotFound"),
    ],
)
def test_connections_that_may_not_be(world: World, changes: dict[str, Any], code: str) -> None:
    assert world.call.refused("CreateVpnConnection", **{**world.request(), **changes}).code == code


@pytest.mark.parametrize(
    ("option", "code"),
    [
        ({"TunnelInsideCidr": "169.254.0.0/30"}, "InvalidParameterValue"),
        ({"TunnelInsideCidr": "169.254.44.0/29"}, "InvalidParameterValue"),
        ({"TunnelInsideCidr": "10.0.0.0/30"}, "InvalidParameterValue"),
        ({"PreSharedKey": "short"}, "InvalidParameterValue"),
        ({"PreSharedKey": "0starts-with-zero"}, "InvalidParameterValue"),
        ({"DPDTimeoutSeconds": 40}, "UnsupportedOperation"),
    ],
)
def test_tunnel_options_that_may_not_be(world: World, option: dict[str, Any], code: str) -> None:
    assert world.call.refused("CreateVpnConnection", **world.request(TunnelOptions=[option])).code == code


def test_missing_gateway_equal_asns_and_the_quota(world: World) -> None:
    request = world.request()
    del request["VpnGatewayId"]
    assert world.call.refused("CreateVpnConnection", **request).code == "MissingParameter"
    same = world.customer("198.18.0.11", asn=64512)
    assert world.call.refused("CreateVpnConnection", **{**world.request(), "CustomerGatewayId": same}).code == (
        "AsnConflict"
    )
    world.call.limit(vpn_connections_per_gateway=0)
    assert world.call.refused("CreateVpnConnection", **world.request()).code == "VpnConnectionLimitExceeded"


def test_gateways_in_use_stay(world: World) -> None:
    id_ = world.connect()["VpnConnectionId"]
    world.call("DetachVpnGateway", VpnGatewayId=world.vgw, VpcId=world.vpc)
    for action, params in (
        ("DeleteVpnGateway", {"VpnGatewayId": world.vgw}),
        ("DeleteCustomerGateway", {"CustomerGatewayId": world.cgw}),
    ):
        error = world.call.refused(action, **params)
        assert error.code == "IncorrectState"
        assert id_ in error.message
    world.call("DeleteVpnConnection", VpnConnectionId=id_)
    assert world.call.changed == [], "the gateway is attached to no VPC"
    world.call("DeleteVpnGateway", VpnGatewayId=world.vgw)
    world.call("DeleteCustomerGateway", CustomerGatewayId=world.cgw)


def test_filters(world: World) -> None:
    tags = [{"ResourceType": "vpn-connection", "Tags": [{"Key": "Name", "Value": "corp"}]}]
    request = world.request() | {"TagSpecifications": tags}
    shown = world.call("CreateVpnConnection", **request)["VpnConnection"]
    id_ = shown["VpnConnectionId"]
    world.call("CreateVpnConnectionRoute", VpnConnectionId=id_, DestinationCidrBlock="192.168.0.0/16")
    first, world.cgw = world.cgw, world.customer("198.18.0.10", asn=65010)
    other = world.connect()["VpnConnectionId"]
    for name, value, expected in (
        ("bgp-asn", "65000", {id_}),
        ("customer-gateway-configuration", shown["CustomerGatewayConfiguration"], {id_}),
        ("customer-gateway-id", first, {id_}),
        ("route.destination-cidr-block", "192.168.0.0/16", {id_}),
        ("tag:Name", "corp", {id_}),
        ("tag-key", "Name", {id_}),
        ("vpn-connection-id", other, {other}),
        ("option.static-routes-only", "true", {id_, other}),
        ("option.static-routes-only", "false", set()),
        ("state", "available", {id_, other}),
        ("type", "ipsec.1", {id_, other}),
        ("vpn-gateway-id", world.vgw, {id_, other}),
        ("transit-gateway-id", "*", set()),
    ):
        found = world.call("DescribeVpnConnections", Filters=[{"Name": name, "Values": [value]}])["VpnConnections"]
        assert {item["VpnConnectionId"] for item in found} == expected, name


def test_what_is_deleted_stays_in_sight_for_an_hour_and_is_found_by_nobody(world: World, database: Database) -> None:
    call, connection = world.call, world.connect()["VpnConnectionId"]
    call("CreateVpnConnectionRoute", VpnConnectionId=connection, DestinationCidrBlock="192.168.0.0/16")
    call("DeleteVpnConnection", VpnConnectionId=connection)
    call("DetachVpnGateway", VpnGatewayId=world.vgw, VpcId=world.vpc)
    call("DeleteVpnGateway", VpnGatewayId=world.vgw)
    call("DeleteCustomerGateway", CustomerGatewayId=world.cgw)
    describes = {
        "VpnConnections": ("DescribeVpnConnections", {"VpnConnectionIds": [connection]}),
        "VpnGateways": ("DescribeVpnGateways", {"VpnGatewayIds": [world.vgw]}),
        "CustomerGateways": ("DescribeCustomerGateways", {"CustomerGatewayIds": [world.cgw]}),
    }
    for member, (operation, ids) in describes.items():
        assert [shown["State"] for shown in call(operation, **ids)[member]] == ["deleted"]
    assert call.refused("DeleteVpnConnection", VpnConnectionId=connection).code == "InvalidVpnConnectionID.NotFound"
    assert call.refused("DeleteVpnGateway", VpnGatewayId=world.vgw).code == "InvalidVpnGatewayID.NotFound"
    assert world.customer("198.18.0.9") != world.cgw, "the same again is a new one"
    with database.write() as db:
        forget_ended(db, clock.now(ago=timedelta(seconds=-1)))
    for operation, ids in describes.values():
        assert call.refused(operation, **ids).code.endswith("NotFound")
