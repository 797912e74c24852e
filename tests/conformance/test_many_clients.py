"""Clients that all want the same at once, on either store: each is served, and none gets what another has."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from api_server import Api, serve
from botocore.exceptions import ClientError
from world import World

from enid.settings import Quotas

CLIENTS, CALLS = 20, 6


@pytest.fixture
def world(tmp_path: Path, database_url: str) -> Iterator[World]:
    with serve(tmp_path, database_url, Quotas()) as served:
        yield World(Api(*served))


def test_interfaces_in_one_subnet_get_addresses_of_their_own(world: World) -> None:
    subnet = world.subnet

    def create(_: int) -> str:
        made = world.ec2.create_network_interface(SubnetId=subnet, SecondaryPrivateIpAddressCount=1)
        return " ".join(item["PrivateIpAddress"] for item in made["NetworkInterface"]["PrivateIpAddresses"])

    with ThreadPoolExecutor(CLIENTS) as clients:
        answers = list(clients.map(create, range(CLIENTS * CALLS)))
    assert len(set(" ".join(answers).split())) == 2 * CLIENTS * CALLS
    (shown,) = world.ec2.describe_subnets(SubnetIds=[subnet])["Subnets"]
    assert shown["AvailableIpAddressCount"] == 251 - 2 * CLIENTS * CALLS


def test_one_address_wanted_by_all_is_given_to_one(world: World) -> None:
    subnet = world.subnet

    def create(_: int) -> str:
        try:
            world.ec2.create_network_interface(SubnetId=subnet, PrivateIpAddress="10.0.1.77")
        except ClientError as error:
            return str(error.response["Error"]["Code"])
        return "created"

    with ThreadPoolExecutor(CLIENTS) as clients:
        answers = sorted(clients.map(create, range(CLIENTS)))
    assert answers == ["InvalidIPAddress.InUse"] * (CLIENTS - 1) + ["created"]


def test_one_device_index_wanted_by_all_is_given_to_one(world: World) -> None:
    instance, _ = world.running("m5.4xlarge")
    interfaces = [world.eni() for _ in range(CLIENTS)]

    def attach(interface: str) -> str:
        try:
            world.ec2.attach_network_interface(NetworkInterfaceId=interface, InstanceId=instance, DeviceIndex=1)
        except ClientError as error:
            return str(error.response["Error"]["Code"])
        return "attached"

    with ThreadPoolExecutor(CLIENTS) as clients:
        answers = sorted(clients.map(attach, interfaces))
    assert answers == ["InvalidParameterValue"] * (CLIENTS - 1) + ["attached"]
