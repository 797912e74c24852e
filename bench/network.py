"""VPCs carried by the Linux fabric itself, from records: no API and no sandboxes, so that nothing but packets is timed.

Instances are bare namespaces, configured as a guest of enid is.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path as Directory

from bench.traffic.path import Path
from enid.fabric.linux import LinuxFabric
from enid.fabric.linux.names import INTERNET, UPPER
from enid.guest.network import GuestNetwork
from enid.netlink import namespaces
from enid.netlink.links import set_link
from enid.settings import Settings
from enid.topology.records import (
    Change,
    Port,
    Record,
    Route,
    RouteTable,
    Rule,
    SecurityGroup,
    Subnet,
    TargetKind,
    Vpc,
)

RULES_PER_GROUP = 50
PORTS_PER_INSTANCE = 15
EVERYWHERE = "0.0.0.0/0"
TRANSIT_NETWORK = "100.64.0.0/10"
"""What a client in the internet's own namespace sends from."""
POOL = IPv4Address("198.18.0.0")
_FIRST_ADDRESS = 4


class Network:
    """A fabric in a temporary run directory, and the namespaces that play its instances."""

    def __init__(self, run_dir: Directory) -> None:
        self.run_dir = run_dir
        self._instances: dict[str, GuestNetwork] = {}
        self.fabric = LinuxFabric(Settings(run_dir=run_dir, host_route=False), self._instances.get)

    def vpc(self, number: int, ports: int, rules: int, *, public: bool = False) -> Path:
        """Carry out a VPC of so many ports and rules; from its first port to its second.

        ``public``: from the internet to the second port's public address.
        """
        vpc = _vpc(number, public)
        groups = _groups(vpc, rules)
        world: list[Record] = [
            vpc,
            _route_table(vpc, public),
            *groups,
            *_ports(vpc, ports, groups, POOL + number if public else None),
        ]
        self.carry_out(world)
        plugged = [record for record in world if isinstance(record, Port)]
        for port in plugged[:2]:
            self._configure(port)
        client, server = plugged[:2]
        ours, theirs = str(client.addresses[0]), str(server.addresses[0])
        if public:
            internet = namespaces.open_pinned(self.run_dir / "netns" / INTERNET)
            assert internet is not None
            self._instances["internet"] = GuestNetwork(internet)
            return Path(internet, str(UPPER[4]), self._place(server), theirs, str(POOL + number))
        return Path(self._place(client), ours, self._place(server), theirs, theirs)

    def _place(self, port: Port) -> int:
        return self._instances[port.instance_id].namespace

    def carry_out(self, world: Sequence[Record]) -> None:
        """Apply new records.

        :raises RuntimeError: the fabric could not.
        """
        for record in world:
            if isinstance(record, Port):
                self._instance(record.instance_id)
        failures = self.fabric.apply([Change(None, record) for record in world])
        if failures:
            raise RuntimeError(f"not carried out: {failures}")

    def _instance(self, instance_id: str) -> None:
        if instance_id not in self._instances:
            self._instances[instance_id] = GuestNetwork(namespaces.new())
            self._instances[instance_id].route.batch([set_link(name="lo", up=True)])

    def _configure(self, port: Port) -> None:
        self._instances[port.instance_id].apply([port])

    def close(self) -> None:
        self.fabric.destroy()
        for instance in self._instances.values():
            instance.close()
            os.close(instance.namespace)


@contextmanager
def network() -> Iterator[Network]:
    """Taken down with everything in it."""
    directory = Directory(tempfile.mkdtemp(prefix="enid-bench-"))
    there = Network(directory)
    try:
        yield there
    finally:
        there.close()
        shutil.rmtree(directory, ignore_errors=True)


def _vpc(number: int, internet: bool) -> Vpc:
    block = IPv4Network(f"10.{number}.0.0/16")
    return Vpc(f"vpc-{number:017x}", (block,), (Subnet(f"subnet-{number:017x}", (block,)),), internet)


def _route_table(vpc: Vpc, internet: bool) -> RouteTable:
    default = (Route(IPv4Network(EVERYWHERE), TargetKind.INTERNET),) if internet else ()
    return RouteTable(f"rtb-{vpc.id[4:]}", vpc.id, default)


def _groups(vpc: Vpc, rules: int) -> list[SecurityGroup]:
    """``rules`` ingress rules in groups of at most :data:`RULES_PER_GROUP`; one of each group allows what is sent."""
    return [
        _group(vpc, number, min(RULES_PER_GROUP, rules - first))
        for number, first in enumerate(range(0, rules, RULES_PER_GROUP))
    ]


def _group(vpc: Vpc, number: int, rules: int) -> SecurityGroup:
    """The rules do not overlap: what a wider rule allows already would be no element of its own."""
    sender = Rule(-1, -1, -1, TRANSIT_NETWORK if vpc.internet else str(vpc.blocks[0]))
    others = [
        Rule(6, 1000 + place, 2000 + place, f"172.{16 + place % 16}.{number}.{place}/32") for place in range(1, rules)
    ]
    anywhere = Rule(-1, -1, -1, EVERYWHERE)
    return SecurityGroup(f"sg-{number:05x}{vpc.id[-12:]}", vpc.id, tuple(sorted([sender, *others])), (anywhere,))


def _ports(vpc: Vpc, count: int, groups: Sequence[SecurityGroup], public: IPv4Address | None) -> Iterator[Port]:
    """The first two alone in their instances, the others fifteen to an instance."""
    for number in range(count):
        address = vpc.subnets[0].blocks[0].network_address + _FIRST_ADDRESS + number
        assert isinstance(address, IPv4Address)
        home, index = (number, 0) if number < 2 else divmod(number - 2, PORTS_PER_INSTANCE)
        instance = f"i-{vpc.id[-6:]}{home if number < 2 else home + 2:011x}"
        yield Port(
            id=f"eni-{vpc.id[-6:]}{number:011x}",
            attachment_id=f"eni-attach-{vpc.id[-6:]}{number:011x}",
            vpc_id=vpc.id,
            subnet=vpc.subnets[0],
            route_table_id=f"rtb-{vpc.id[4:]}",
            host="host-1",
            instance_id=instance,
            boot=1,
            device_index=index,
            network_card_index=0,
            mac=f"02:{vpc.id[-2:]}:00:00:{number >> 8:02x}:{number & 255:02x}",
            addresses=(address,),
            groups=(groups[number % len(groups)].id,),
            source_dest_check=True,
            public=((address, public),) if public and number == 1 else (),
        )
