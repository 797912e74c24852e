"""The ends that are to be played, as the store has them."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network
from typing import Any

import pytest
from sqlalchemy import insert

from accounts import Account
from enid.store import status
from enid.store.tables import sites
from enid.topology.blocks import ANYWHERE
from enid.vpn.ends import End, ends

OFFICE = "203.0.113.50"


class World:
    """A VPC, and a VPN connection of it."""

    def __init__(self, call: Account) -> None:
        self.call = call
        self.vpc = call("CreateVpc", CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        self.gateway = call("CreateVpnGateway", Type="ipsec.1")["VpnGateway"]["VpnGatewayId"]
        customer = call("CreateCustomerGateway", Type="ipsec.1", IpAddress=OFFICE)["CustomerGateway"]
        self.made: dict[str, Any] = call(
            "CreateVpnConnection",
            Type="ipsec.1",
            CustomerGatewayId=customer["CustomerGatewayId"],
            VpnGatewayId=self.gateway,
            Options={"StaticRoutesOnly": True},
        )["VpnConnection"]
        self.id = self.made["VpnConnectionId"]

    def attach(self) -> None:
        self.call("AttachVpnGateway", VpnGatewayId=self.gateway, VpcId=self.vpc)

    def site(self, **columns: str) -> None:
        self.call.put(insert(sites).values(name="office", public_ip=OFFICE, **columns))

    def ends(self) -> list[End]:
        with self.call.database.read() as db:
            return ends(db)


@pytest.fixture
def world(call: Account) -> World:
    return World(call)


def test_a_connection_has_an_end_here_while_its_gateway_is_attached(world: World) -> None:
    assert world.ends() == []
    world.attach()
    (end,) = world.ends()
    assert (end.id, end.pin, end.site, end.behind) == (world.id, world.id, None, (ANYWHERE[4],))
    assert end.peers == (IPv4Address(OFFICE),)
    for tunnel, option in zip(end.tunnels, world.made["Options"]["TunnelOptions"], strict=True):
        assert (str(tunnel.gateway), tunnel.key) == (option["OutsideIpAddress"], option["PreSharedKey"])
        assert tunnel.inside.network == IPv4Network(option["TunnelInsideCidr"])
    world.call("DeleteVpnConnection", VpnConnectionId=world.id)
    assert world.ends() == []


def test_a_site_with_a_network_is_the_other_end(world: World) -> None:
    world.attach()
    world.call("AssociateVpcCidrBlock", VpcId=world.vpc, CidrBlock="10.1.0.0/16")
    world.call("AssociateVpcCidrBlock", VpcId=world.vpc, AmazonProvidedIpv6CidrBlock=True)
    world.site(network="172.16.0.0/24", host_ip="172.16.0.10")
    gateway, site = world.ends()
    assert (site.id, site.pin, site.site) == (f"{world.id}.site", "site-office", "office")
    assert site.behind == (IPv4Network("10.0.0.0/16"), IPv4Network("10.1.0.0/16"))
    assert site.source == IPv4Address("172.16.0.10")
    assert site.peers == tuple(tunnel.gateway for tunnel in gateway.tunnels)
    for ours, theirs in zip(gateway.tunnels, site.tunnels, strict=True):
        assert ours.key == theirs.key
        assert ours.inside.network == theirs.inside.network
        assert ours.inside != theirs.inside


def test_a_site_without_a_network_is_left_to_its_user(world: World) -> None:
    world.attach()
    world.site()
    assert [end.site for end in world.ends()] == [None]


def test_what_is_up_is_written_down_with_since_when(world: World) -> None:
    database = world.call.database
    with database.write() as db:
        assert status.tunnels(db) == {world.id: (False, False)}
        status.tunnels_changed(db, {world.id: (True, False)}, "2026-01-01T00:00:00.000Z")
        status.tunnels_changed(db, {world.id: (True, True)}, "2026-01-02T00:00:00.000Z")
        assert status.tunnels(db) == {world.id: (True, True)}
    world.call.settings = world.call.settings.model_copy(update={"vpn": "ipsec"})
    (shown,) = world.call("DescribeVpnConnections")["VpnConnections"]
    since = [each["LastStatusChange"] for each in shown["VgwTelemetry"]]
    assert [each[:10] for each in since] == ["2026-01-01", "2026-01-02"]
