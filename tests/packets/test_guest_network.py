"""A guest's interfaces, as it configures them itself, against a router in a namespace of the test's."""

from __future__ import annotations

import os
import socket
import struct
import sys
from collections.abc import Iterator
from contextlib import suppress
from ipaddress import ip_interface, ip_network
from pathlib import Path

import pytest
from guest_sandboxes import Guests, world

sys.path.insert(0, str(Path(__file__).parents[1] / "guest"))
from guest_ports import port

from enid.guest.netconfig import wanted
from enid.guest.network import GuestNetwork, read
from enid.guest.sandboxes import Sandboxes
from enid.netlink import addresses, links, namespaces, routes, rules
from enid.netlink.socket import RouteSocket
from enid.topology.records import Port

pytestmark = pytest.mark.root

CLIENT = "192.0.2.9"
LEFT = port(0, "10.0.1.0/24", "10.0.1.10", "10.0.1.11")
RIGHT = port(1, "10.0.2.0/24", "10.0.2.10")


class Router:
    """A namespace with a leg to every interface of the guest; believes a source only on the leg it belongs to."""

    def __init__(self, guests: Guests) -> None:
        self.namespace = namespaces.new()
        self.route = RouteSocket(self.namespace)
        guest = guests.sandboxes.network("i-aaaa")
        assert guest is not None
        self.guest = guest.namespace
        namespaces.run_in(self.namespace, lambda: Path("/proc/sys/net/ipv4/conf/all/rp_filter").write_text("1"))
        lo = self.link("lo")
        self.do(links.set_link(index=lo, up=True), addresses.add_address(lo, ip_interface(f"{CLIENT}/32")))

    def do(self, *requests: bytes) -> None:
        assert not any(self.route.batch(requests)), self.route.batch(requests)

    def link(self, name: str) -> int:
        return links.parse_link(self.route.request(links.get_link(name=name))[0]).index

    def plug(self, plugged: Port) -> None:
        name = f"r{plugged.device_index}"
        mac = f"02:00:00:00:01:{plugged.device_index:02x}"
        self.do(
            links.new_veth(name, mac=mac, mtu=9001, peer_name=plugged.device, peer_mac=plugged.mac, peer_mtu=9001,
                           peer_namespace=self.guest)
        )  # fmt: skip
        gateway = ip_interface(f"{plugged.subnet.gateways[0]}/24")
        index = self.link(name)
        self.do(links.set_link(index=index, up=True), addresses.add_address(index, gateway))

    def unplug(self, plugged: Port) -> None:
        self.do(links.delete_link(name=f"r{plugged.device_index}"))

    def reaches(self, address: str) -> bool:
        """Whether the guest answers a ping of the client's within a moment."""

        def make() -> socket.socket:
            return socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)

        with namespaces.run_in(self.namespace, make) as icmp:
            icmp.bind((CLIENT, 0))
            icmp.settimeout(0.5)
            identity = os.getpid() & 0xFFFF
            body = struct.pack("!BBHHH", 8, 0, 0, identity, 1)
            checksum = ~(sum(struct.unpack("!4H", body)) % 0xFFFF) & 0xFFFF
            for _ in range(3):
                icmp.sendto(struct.pack("!BBHHH", 8, 0, checksum, identity, 1), (address, 0))
                with suppress(TimeoutError):
                    while True:
                        answer, (sender, _) = icmp.recvfrom(2048)
                        if sender == address and answer[20] == 0:
                            return True
            return False

    def close(self) -> None:
        self.route.close()
        os.close(self.namespace)


@pytest.fixture
def guests(tmp_path: Path) -> Iterator[Guests]:
    with world(tmp_path) as made:
        made.start("i-aaaa")
        yield made


@pytest.fixture
def router(guests: Guests) -> Iterator[Router]:
    made = Router(guests)
    try:
        made.plug(LEFT)
        made.plug(RIGHT)
        yield made
    finally:
        made.close()


def inside(guests: Guests) -> RouteSocket:
    guest = guests.sandboxes.network("i-aaaa")
    assert guest is not None
    return RouteSocket(guest.namespace)


def test_a_dual_homed_guest_answers_by_the_interface_it_was_asked_by(guests: Guests, router: Router) -> None:
    guests.sandboxes.configure("i-aaaa", [LEFT, RIGHT])
    for address in ("10.0.1.10", "10.0.1.11", "10.0.2.10"):
        assert router.reaches(address), address
    # The control: without its rule the answer leaves by eth0, and the router does not believe it.
    with inside(guests) as route:
        assert route.batch([rules.delete_rule(rules.Rule(4, 10001, 10001, ip_network("10.0.2.10/32")))]) == [0]
    assert not router.reaches("10.0.2.10")
    assert router.reaches("10.0.1.10")


def test_links_are_up_and_known_by_their_ids(guests: Guests, router: Router) -> None:
    guests.sandboxes.configure("i-aaaa", [LEFT, RIGHT])
    with inside(guests) as route:
        found = {link.name: link for link in map(links.parse_link, route.dump(links.get_links()))}
    assert {"eth0", "eth1", "lo"} == set(found)
    assert all(link.up for link in found.values())
    assert found["eth1"].mtu == 9001
    assert set(found["eth1"].altnames) == {"eni-1", "device-number-1"}


def test_configuring_again_changes_nothing_and_reading_back_gives_what_was_wanted(
    guests: Guests, router: Router
) -> None:
    guests.sandboxes.configure("i-aaaa", [LEFT, RIGHT])
    with inside(guests) as route:
        devices = {
            each.id: links.parse_link(route.request(links.get_link(name=each.device))[0]).index
            for each in (LEFT, RIGHT)
        }
        made, found = wanted([LEFT, RIGHT], devices), read(route)
        assert set(found.addresses) == set(made.addresses)
        assert set(found.routes) == set(made.routes)
        assert set(found.rules) == set(made.rules)
        guests.sandboxes.configure("i-aaaa", [LEFT, RIGHT])
        assert read(route) == found


def test_an_address_less_and_an_address_more(guests: Guests, router: Router) -> None:
    guests.sandboxes.configure("i-aaaa", [LEFT, RIGHT])
    changed = port(0, "10.0.1.0/24", "10.0.1.10", "10.0.1.12")
    guests.sandboxes.configure("i-aaaa", [changed, RIGHT])
    assert router.reaches("10.0.1.12")
    assert router.reaches("10.0.2.10")
    assert not router.reaches("10.0.1.11")


def test_what_the_guest_itself_configured_stays(guests: Guests, router: Router) -> None:
    guests.sandboxes.configure("i-aaaa", [LEFT])
    guests.run("i-aaaa", "ip", "address", "add", "10.0.1.99/32", "dev", "eth0")
    guests.run("i-aaaa", "ip", "route", "add", "203.0.113.0/24", "via", "10.0.1.1")
    guests.sandboxes.configure("i-aaaa", [LEFT, RIGHT])
    assert "10.0.1.99" in guests.run("i-aaaa", "ip", "address").stdout
    assert "203.0.113.0/24" in guests.run("i-aaaa", "ip", "route").stdout


def test_what_root_inside_took_away_is_put_back_and_what_it_added_stays(guests: Guests, router: Router) -> None:
    guests.sandboxes.configure("i-aaaa", [LEFT, RIGHT])
    guests.run("i-aaaa", "ip", "address", "flush", "dev", "eth1", "scope", "global")
    guests.run("i-aaaa", "ip", "rule", "del", "pref", "10000")
    guests.run("i-aaaa", "ip", "address", "add", "10.0.1.99/32", "dev", "eth0")
    guests.sandboxes.refresh("i-aaaa", [LEFT, RIGHT])
    with inside(guests) as route:
        both = {one.id: links.parse_link(route.request(links.get_link(name=one.device))[0]) for one in (LEFT, RIGHT)}
        there, right = read(route), wanted([LEFT, RIGHT], {id_: link.index for id_, link in both.items()})
    assert set(right.addresses) <= set(there.addresses)
    assert set(there.routes) == set(right.routes)
    assert set(there.rules) == set(right.rules)
    assert "10.0.1.99" in guests.run("i-aaaa", "ip", "address").stdout


def test_a_link_that_root_inside_took_down_stays_down(guests: Guests, router: Router) -> None:
    guests.sandboxes.configure("i-aaaa", [LEFT, RIGHT])
    guests.run("i-aaaa", "ip", "link", "set", "eth1", "down")
    guests.sandboxes.refresh("i-aaaa", [LEFT, RIGHT])
    assert "DOWN" in guests.run("i-aaaa", "ip", "link", "show", "eth1").stdout
    assert "10.0.2.10" in guests.run("i-aaaa", "ip", "address").stdout
    assert router.reaches("10.0.1.10")
    guests.sandboxes.configure("i-aaaa", [LEFT, RIGHT])
    assert router.reaches("10.0.2.10")


def test_a_lone_interface_is_configured_and_read_back(guests: Guests, router: Router) -> None:
    """By another agent, too, which takes away what is not wanted any more."""
    guests.sandboxes.configure("i-aaaa", [LEFT])
    assert router.reaches("10.0.1.10")
    assert router.reaches("10.0.1.11")
    changed = port(0, "10.0.1.0/24", "10.0.1.10", "10.0.1.12")
    first = guests.sandboxes.network("i-aaaa")
    assert first is not None
    successor = GuestNetwork(first.namespace)
    successor.apply([changed])
    successor.close()
    assert router.reaches("10.0.1.12")
    assert not router.reaches("10.0.1.11")


def test_an_interface_moves_away_and_another_takes_its_place(guests: Guests, router: Router) -> None:
    guests.sandboxes.configure("i-aaaa", [LEFT, RIGHT])
    router.unplug(RIGHT)
    guests.sandboxes.configure("i-aaaa", [LEFT])
    with inside(guests) as route:
        assert read(route).rules == (), "the one that is left needs none"
    other = port(1, "10.0.3.0/24", "10.0.3.30", eni="eni-other")
    router.plug(other)
    guests.sandboxes.configure("i-aaaa", [LEFT, other])
    assert router.reaches("10.0.3.30")
    assert router.reaches("10.0.1.10")


def test_a_missing_interface_is_logged_and_the_others_work(
    guests: Guests, router: Router, capsys: pytest.CaptureFixture[str]
) -> None:
    """Root inside may rename or delete an interface: the agent goes on."""
    absent = port(5, "10.0.5.0/24", "10.0.5.10")
    guests.sandboxes.configure("i-aaaa", [LEFT, absent])
    assert "there is no eth5" in capsys.readouterr().out
    assert router.reaches("10.0.1.10")


def test_the_next_agent_goes_on_without_a_break(guests: Guests, router: Router) -> None:
    guests.sandboxes.configure("i-aaaa", [LEFT, RIGHT])
    guests.sandboxes.close()
    guests.sandboxes = Sandboxes(guests.settings)
    guests.sandboxes.adopt()
    with inside(guests) as route:
        before = read(route)
        guests.sandboxes.configure("i-aaaa", [LEFT, RIGHT])
        assert read(route) == before
        guests.sandboxes.configure("i-aaaa", [port(0, "10.0.1.0/24", "10.0.1.10"), RIGHT])
        assert len(read(route).addresses) == len(before.addresses) - 1
    assert router.reaches("10.0.2.10")
    assert not router.reaches("10.0.1.11")


def test_version_6(guests: Guests, router: Router) -> None:
    dual = port(0, "10.0.1.0/24", "10.0.1.10", "2001:db8:1::10", block6="2001:db8:1::/64")
    guests.sandboxes.configure("i-aaaa", [dual])
    found = guests.run("i-aaaa", "ip", "-6", "route", "show", "table", "all").stdout
    assert "default via fe80::1 dev eth0" in found
    assert "2001:db8:1::10/128" in guests.run("i-aaaa", "ip", "-6", "address").stdout
    with inside(guests) as route:
        devices = {dual.id: links.parse_link(route.request(links.get_link(name="eth0"))[0]).index}
        assert set(read(route).routes) == set(wanted([dual], devices).routes)


def test_a_guest_that_is_gone_is_no_error(guests: Guests, router: Router) -> None:
    guests.sandboxes.kill("i-aaaa")
    guests.sandboxes.configure("i-aaaa", [LEFT])


def test_routes_are_marked_as_enids(guests: Guests, router: Router) -> None:
    guests.sandboxes.configure("i-aaaa", [LEFT])
    with inside(guests) as route:
        protocols = [found.protocol for found in map(routes.parse_route, route.dump(routes.get_routes(4))) if found]
    assert protocols.count(69) == 4
