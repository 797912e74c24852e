"""A laboratory for the Linux fabric: a world of records, guests that are bare namespaces, and sockets inside them."""

from __future__ import annotations

import os
import select
import socket
import struct
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_interface, ip_network
from pathlib import Path

import pytest

from enid.fabric.linux import LinuxFabric, names
from enid.fabric.linux.gates import Gates
from enid.fabric.linux.untracked.cuts import Cuts
from enid.netlink import addresses, links, namespaces, routes, sysctl
from enid.netlink.socket import RouteSocket
from enid.settings import Settings
from enid.topology.records import Change, Port, Record, RecordKey, Route, RouteTable, Rule, SecurityGroup, Subnet, Vpc

PATIENCE = 5.0
EVERYWHERE = ip_network("0.0.0.0/0")
EVERYWHERE6 = ip_network("::/0")
ANY = (Rule(-1, -1, -1, cidr="0.0.0.0/0"), Rule(-1, -1, -1, cidr="::/0"))
NEAR = (Rule(-1, -1, -1, cidr="10.0.0.0/16"), Rule(-1, -1, -1, cidr="2001:db8::/56"))
"""From or to the VPC alone: flows that are allowed by this are tracked, and outlive it."""
SUBNET = Subnet("subnet-a", (ip_network("10.0.1.0/24"), ip_network("2001:db8:0:1::/64")))
OTHER = Subnet("subnet-b", (ip_network("10.0.2.0/24"), ip_network("2001:db8:0:2::/64")))
BLOCKS = (ip_network("10.0.0.0/16"), ip_network("2001:db8::/56"))


def until(condition: Callable[[], object], what: str = "", patience: float = PATIENCE) -> None:
    """Wait for a condition; fail when patience ends."""
    deadline = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < deadline, f"never: {what}"
        select.select([], [], [], 0.002)


def vpc(name: str = "vpc-0000000000000000a", **changes: object) -> Vpc:
    return replace(Vpc(name, BLOCKS, (SUBNET, OTHER), internet=False), **changes)  # type: ignore[arg-type]


def group(
    name: str = "sg-open", ingress: Iterable[Rule] = ANY, egress: Iterable[Rule] = ANY, owner: str = vpc().id
) -> SecurityGroup:
    return SecurityGroup(name, owner, tuple(sorted(ingress)), tuple(sorted(egress)))


def table(*ways: Route, name: str = "rtb-main", owner: str = vpc().id) -> RouteTable:
    return RouteTable(name, owner, ways)


def port(number: int, instance: str = "", attachment: int = 0, **changes: object) -> Port:
    """Interface ``number`` of SUBNET: 10.0.1.<number> and 2001:db8:0:1::<number>, in instance i-<number>."""
    made = Port(
        id=f"eni-{number:017x}",
        attachment_id=f"eni-attach-{attachment or number:017x}",
        vpc_id=vpc().id,
        subnet=SUBNET,
        route_table_id="rtb-main",
        host="host-1",
        instance_id=instance or f"i-{number}",
        boot=1,
        device_index=0,
        network_card_index=0,
        mac=f"02:e0:00:00:00:{number:02x}",
        addresses=(ip_address(f"10.0.1.{number}"), ip_address(f"2001:db8:0:1::{number:x}")),
        groups=("sg-open",),
        source_dest_check=True,
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def _local(route: RouteSocket) -> set[object]:
    """The IPv6 addresses the kernel delivers to itself."""
    found = [routes.parse_route(body) for body in route.dump(routes.get_routes(6))]
    return {way.destination for way in found if way is not None and way.table == routes.LOCAL}


class Guest:
    """A namespace that plays an instance."""

    def __init__(self, namespace: int | None = None) -> None:
        self.namespace = namespaces.new() if namespace is None else namespace
        sysctl.write(
            self.namespace,
            {
                "net/ipv6/conf/all/accept_ra": 0,
                "net/ipv6/conf/default/accept_ra": 0,
                "net/ipv6/conf/default/dad_transmits": 0,
                "net/ipv4/conf/all/rp_filter": 0,
                "net/ipv4/conf/default/rp_filter": 0,
            },
        )
        self.route = RouteSocket(self.namespace)
        self.route.batch([links.set_link(index=1, up=True)])
        self._open: list[socket.socket] = []

    def configure(self, plug: Port) -> None:
        """As a good guest does; see the module that does it for sandboxes."""
        with RouteSocket(self.namespace) as route:
            (body,) = route.request(links.get_link(name=plug.device))
            index = links.parse_link(body).index
            work = []
            for address in plug.addresses:
                length = plug.subnet.blocks[0].prefixlen if address.version == 4 else 128
                interface = ip_interface(f"{address}/{length}")
                work.append(addresses.add_address(index, interface, flags=addresses.NODAD))
            work.append(routes.replace_route(routes.Route(EVERYWHERE, device=index, gateway=plug.subnet.gateways[0])))
            work.append(routes.replace_route(routes.Route(EVERYWHERE6, device=index, gateway=ip_address("fe80::1"))))
            assert set(route.batch(work)) == {0}
        self.await_own(*plug.addresses)

    def await_own(self, *own: IPv4Address | IPv6Address) -> None:
        """The kernel makes an IPv6 address its own a moment after it acknowledged it."""
        sixes = {ip_network(address) for address in own if address.version == 6}
        with RouteSocket(self.namespace) as route:
            until(lambda: sixes <= _local(route), "it has its IPv6 addresses")

    def run(self, command: str) -> subprocess.CompletedProcess[str]:
        """A shell command inside."""

        def inside() -> subprocess.CompletedProcess[str]:
            return subprocess.run(command, shell=True, capture_output=True, text=True, timeout=20, check=False)

        return namespaces.run_in(self.namespace, inside)

    def pings(self, address: object) -> bool:
        return self.run(f"ping -n -c1 -W2 {address}").returncode == 0

    def socket(self, family: int, kind: int, protocol: int = 0) -> socket.socket:
        made = namespaces.run_in(self.namespace, lambda: socket.socket(family, kind, protocol))
        made.settimeout(PATIENCE)
        self._open.append(made)
        return made

    def udp(self, address: object, number: int = 0) -> socket.socket:
        """A bound UDP socket."""
        family = socket.AF_INET6 if ":" in str(address) else socket.AF_INET
        made = self.socket(family, socket.SOCK_DGRAM)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        made.bind((str(address), number))
        return made

    def accept(self, server: socket.socket) -> tuple[socket.socket, str]:
        """A connection to one of its listening sockets, and who made it."""
        made, (peer, *_) = server.accept()
        made.settimeout(PATIENCE)
        self._open.append(made)
        return made, str(peer)

    def frame(self, device: str, payload: bytes) -> None:
        """Send a raw Ethernet frame."""
        made = self.socket(socket.AF_PACKET, socket.SOCK_RAW)
        made.bind((device, 0))
        made.send(payload)

    def close(self) -> None:
        for made in self._open:
            made.close()
        self.route.close()
        os.close(self.namespace)


class Lab:
    """A fabric and its guests."""

    def __init__(self, directory: Path, **settings: object) -> None:
        given = {"run_dir": directory, "state_dir": directory, "host_route": False, **settings}
        self.settings = Settings(**given)  # type: ignore[arg-type]
        self.guests: dict[str, Guest] = {}
        self.world: dict[RecordKey, Record] = {}
        self.fabric = LinuxFabric(self.settings, self.guests.get)

    def guest(self, plug: Port) -> Guest:
        return self.guests[plug.instance_id]

    def apply(self, *records: Record) -> None:
        """Make these records so, in the order given; new ports get a guest, configured."""
        for record in records:
            if isinstance(record, Port) and not record.appliance and record.instance_id not in self.guests:
                self.guests[record.instance_id] = Guest()
        changes = [Change(self.world.get(record.key), record) for record in records]
        assert self.fabric.apply(changes) == {}
        for record in records:
            self.world[record.key] = record
            if isinstance(record, Port) and not record.appliance:
                self.guest(record).configure(record)

    def remove(self, *records: Record) -> None:
        assert self.fabric.apply([Change(record, None) for record in records]) == {}
        for record in records:
            self.world.pop(record.key, None)

    def restart(self) -> None:
        """A new agent takes over."""
        self.fabric.close()
        self.fabric = LinuxFabric(self.settings, self.guests.get)
        assert self.fabric.resync(self.world) == {}

    def site(self, name: str) -> Guest:
        """A site's namespace, as a guest."""
        namespace = namespaces.open_pinned(self.settings.run_dir / "netns" / f"site-{name}")
        assert namespace is not None
        guest = self.guests[f"site {name}"] = Guest(namespace)
        return guest

    def router(self, owner: str = vpc().id) -> Guest:
        """A VPC's router, to look at."""
        if f"router {owner}" not in self.guests:
            namespace = namespaces.open_pinned(self.settings.run_dir / "netns" / names.vpc_pin(owner))
            assert namespace is not None
            self.guests[f"router {owner}"] = Guest(namespace)
        return self.guests[f"router {owner}"]

    def forwarded(self, owner: str = vpc().id) -> int:
        """Packets a VPC's router has forwarded: what an accelerator takes is not among them."""
        heads, counts, *_ = self.router(owner).run("grep ^Ip: /proc/thread-self/net/snmp").stdout.splitlines()
        (sixes,) = self.router(owner).run("grep Ip6OutForwDatagrams /proc/thread-self/net/snmp6").stdout.splitlines()
        return int(dict(zip(heads.split(), counts.split(), strict=True))["ForwDatagrams"]) + int(sixes.split()[1])

    def dropped(self, reason: str, owner: str = vpc().id) -> int:
        return self.fabric.drops(owner)[reason]

    def close(self) -> None:
        self.fabric.destroy()
        for guest in self.guests.values():
            guest.close()


@contextmanager
def dying(method: str) -> Iterator[None]:
    """The agent gets no further than this method of :class:`Cuts`, and leaves behind what it has written by then."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Cuts, method, lambda *_: None)
        patch.setattr(Gates, "let_go", lambda *_: None)
        yield


def delivers(sender: socket.socket, receiver: socket.socket, to: object, number: int = 0) -> str:
    """Send a datagram and receive it: the source address the receiver saw."""
    payload = os.urandom(8)
    sender.sendto(payload, (str(to), number or receiver.getsockname()[1]))
    receiver.settimeout(PATIENCE)
    while True:
        data, (source, *_) = receiver.recvfrom(100)
        if data == payload:
            return str(source)


def nothing_for(receiver: socket.socket) -> bool:
    """Nothing is queued."""
    return not select.select([receiver], [], [], 0)[0]


def udp_frame(
    source_mac: str, owner: str, source: IPv4Address | IPv6Address, destination: IPv4Address | IPv6Address, number: int
) -> bytes:
    """An Ethernet frame to the router with a UDP datagram in it."""
    macs = bytes.fromhex((names.router_mac(owner) + source_mac).replace(":", ""))
    datagram = struct.pack("!HHHH", 4000, number, 8 + 4, 0) + b"fake"
    if source.version == 6:
        pseudo = source.packed + destination.packed + struct.pack("!II", len(datagram), 17)
        datagram = datagram[:6] + checksum(pseudo + datagram) + datagram[8:]
        head = struct.pack("!IHBB", 6 << 28, len(datagram), 17, 64) + source.packed + destination.packed
        return macs + b"\x86\xdd" + head + datagram
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(datagram), 1, 0, 64, 17, 0) + source.packed + destination.packed
    head = head[:10] + checksum(head) + head[12:]
    return macs + b"\x08\x00" + head + datagram


def checksum(data: bytes) -> bytes:
    """The internet's."""
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return struct.pack("!H", ~total & 0xFFFF)
