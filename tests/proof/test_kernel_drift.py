"""Whatever is deleted or altered by hand in the kernel comes back, and what is not enid's is left alone.

Each kind of object of a running enid is broken from outside. What the kernel tells of is whole again within five
seconds, the rest within thirty; a flow between two instances that have nothing to do with it loses no packet.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from ipaddress import IPv4Network, ip_address, ip_interface, ip_network
from pathlib import Path
from typing import Any

import acts
import pytest
import running_flows
import scale
from botocore.exceptions import ClientError
from kernel_state import differences, state_of
from kernel_truth import opened

from enid.fabric.linux import names
from enid.guest import netconfig, network, records
from enid.netlink import addresses, classifiers, links, namespaces, neighbours, nftables, routes, rules, sysctl
from enid.netlink.message import DUMP, message
from enid.netlink.socket import RouteSocket
from enid.reconcile import drift
from enid.settings import Quotas
from whole_enid import Enid, running_enid, until

pytestmark = [pytest.mark.root, pytest.mark.timeout(900)]

BY_EVENT, BY_SWEEP = 5.0, 30.0
"""Seconds within which what is broken is whole again."""
_BUSY = scale.patience(3)
"""Times as long on a machine that has other things to do."""


class Scene:
    """A VPC with a gateway, a NAT gateway, a second route table and three instances; the third one is ill-treated."""

    def __init__(self, enid: Enid) -> None:
        self.enid = enid
        ec2 = enid.ec2
        subnet = enid.subnet()
        self.vpc = ec2.describe_subnets(SubnetIds=[subnet])["Subnets"][0]["VpcId"]
        other = ec2.create_subnet(VpcId=self.vpc, CidrBlock="10.0.2.0/24")["Subnet"]["SubnetId"]
        gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=self.vpc)
        table = ec2.create_route_table(VpcId=self.vpc)["RouteTable"]["RouteTableId"]
        ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
        ec2.associate_route_table(RouteTableId=table, SubnetId=other)
        self.one, self.two = enid.launch(subnet, 2)
        (self.third,) = enid.launch(other)
        made = [ec2.allocate_address(Domain="vpc") for _ in range(2)]
        self.public = made[0]["PublicIp"]
        eni = self.third["NetworkInterfaces"][0]["NetworkInterfaceId"]
        ec2.associate_address(AllocationId=made[0]["AllocationId"], NetworkInterfaceId=eni)
        extra = ec2.create_network_interface(SubnetId=other)["NetworkInterface"]["NetworkInterfaceId"]
        ec2.attach_network_interface(NetworkInterfaceId=extra, InstanceId=self.third["InstanceId"], DeviceIndex=1)
        nat = ec2.create_nat_gateway(SubnetId=other, AllocationId=made[1]["AllocationId"])["NatGateway"]["NatGatewayId"]
        until("the NAT gateway works", lambda: _is_available(ec2, nat))
        self.address = self.third["PrivateIpAddress"]
        shown = ec2.describe_network_interfaces(NetworkInterfaceIds=[eni])["NetworkInterfaces"][0]
        self.link = names.port_link(shown["Attachment"]["AttachmentId"])
        self.pins = enid.settings.run_dir / "netns"
        self.router, self.internet, self.nat = self.pins / self.vpc, self.pins / names.INTERNET, self.pins / nat

    def inside(self) -> Path:
        """The third instance's namespace."""
        record = records.read(records.path_of(self.enid.settings.run_dir, self.third["InstanceId"]))
        assert record is not None
        return Path(f"/proc/{record.pid}/ns/net")

    def state(self) -> dict[str, Any]:
        """All that shall be as it was, without what a repair chooses anew."""
        found: dict[str, Any] = {}
        for pin in (self.router, self.internet, self.nat):
            with opened(pin) as node:
                found[pin.name] = state_of(node)
                found[f"{pin.name} settings"] = sysctl.read(node.namespace, _SETTINGS)
            found[f"{pin.name} pin"] = os.stat(pin).st_ino
        with opened(self.router) as node:
            found["programs"] = _programs(node.route)
        with opened(self.inside()) as node:
            found["guest"] = _guest(node.route)
        return found


_SETTINGS = ("net/ipv4/ip_forward", "net/ipv4/conf/all/rp_filter", "net/ipv4/conf/all/send_redirects")


def _is_available(ec2: Any, nat: str) -> bool:
    return bool(ec2.describe_nat_gateways(NatGatewayIds=[nat])["NatGateways"][0]["State"] == "available")


def _programs(route: RouteSocket) -> dict[str, int]:
    """How many filters each link has at its entrance."""
    found = {}
    for link in list(map(links.parse_link, route.dump(links.get_links()))):
        asked = message(46, DUMP, classifiers._HEADER.pack(0, link.index, 0, classifiers._INGRESS, 0))
        found[link.name] = sum(1 for _ in route.dump(asked))
    return found


def _guest(route: RouteSocket) -> dict[str, Any]:
    """What enid configured, by names of links."""
    device = {link.index: link.name for link in map(links.parse_link, route.dump(links.get_links()))}
    there = network.read(route)
    return {
        "addresses": sorted((device[each.device], str(each.interface)) for each in there.addresses),
        "routes": sorted((device[each.device], each.table, str(each.destination)) for each in there.routes),
        "rules": sorted(str(each) for each in there.rules),
        "names": sorted(link.altnames for link in map(links.parse_link, route.dump(links.get_links()))),
    }


# The ways to break something. Each is given the sockets in a namespace.

Break = Callable[[Any, Scene], object]


def _index(node: Any, name: str) -> int:
    (body,) = node.route.request(links.get_link(name=name))
    return links.parse_link(body).index


def _batch(node: Any, *requests: bytes) -> None:
    assert not any(node.route.batch(list(requests)))


def delete_link(node: Any, scene: Scene) -> None:
    _batch(node, links.delete_link(name=scene.link))


def link_down(node: Any, scene: Scene) -> None:
    _batch(node, links.set_link(name=scene.link, up=False))


def link_altered(node: Any, scene: Scene) -> None:
    _batch(node, links.set_link(name=scene.link, mac="02:00:00:00:00:01", mtu=1400))


def link_renamed(node: Any, scene: Scene) -> None:
    index = _index(node, scene.link)
    _batch(node, links.set_link(index=index, up=False, rename="nonsense"), links.set_link(index=index, up=True))


def wire_deleted(node: Any, scene: Scene) -> None:
    _batch(node, links.delete_link(name=names.INTERNET))


def wire_deleted_outside(node: Any, scene: Scene) -> None:
    _batch(node, links.delete_link(name=names.vpc_link(scene.vpc)))


def address_deleted(node: Any, scene: Scene) -> None:
    _batch(node, addresses.delete_address(1, ip_interface("10.0.2.1/32")))


def address_added(node: Any, scene: Scene) -> None:
    _batch(node, addresses.add_address(1, ip_interface("10.0.2.99/32")))


def _delivery(node: Any, scene: Scene) -> routes.Route:
    found = list(map(routes.parse_route, node.route.dump(routes.get_routes(4))))
    wanted = ip_network(scene.address)
    return next(each for each in found if each and each.destination == wanted and each.protocol == routes.STATIC)


def route_deleted(node: Any, scene: Scene) -> None:
    _batch(node, routes.delete_route(_delivery(node, scene)))


def route_altered(node: Any, scene: Scene) -> None:
    _batch(node, routes.replace_route(routes.Route(_delivery(node, scene).destination, kind=routes.BLACKHOLE)))


def route_added(node: Any, scene: Scene) -> None:
    _batch(node, routes.replace_route(routes.Route(IPv4Network("192.0.2.0/24"), kind=routes.BLACKHOLE)))


def default_deleted(node: Any, scene: Scene) -> None:
    """Of the NAT gateway."""
    found = list(map(routes.parse_route, node.route.dump(routes.get_routes(4))))
    _batch(node, *(routes.delete_route(each) for each in found if each and not each.destination.prefixlen))


def public_route_deleted(node: Any, scene: Scene) -> None:
    found = list(map(routes.parse_route, node.route.dump(routes.get_routes(4))))
    wanted = ip_network(scene.public)
    _batch(node, *(routes.delete_route(each) for each in found if each and each.destination == wanted))


def rule_deleted(node: Any, scene: Scene) -> None:
    found = [rules.parse_rule(body) for body in node.route.dump(rules.get_rules(4))]
    _batch(node, *(rules.delete_rule(each) for each in found if 0 < each.priority < 32766))


def rule_added(node: Any, scene: Scene) -> None:
    _batch(node, rules.add_rule(rules.Rule(4, 5, 77)))


def neighbour_deleted(node: Any, scene: Scene) -> None:
    _batch(node, neighbours.delete_neighbour(_index(node, scene.link), ip_address(scene.address)))


def neighbour_altered(node: Any, scene: Scene) -> None:
    device = _index(node, scene.link)
    _batch(node, neighbours.replace_neighbour(device, ip_address(scene.address), "02:00:00:00:00:02"))


def _table(node: Any) -> str:
    found = [nftables.parse_table(body) for body in node.netfilter.dump(nftables.get_tables())]
    return max(name for name in found if names.table_number(name) is not None)


def table_deleted(node: Any, scene: Scene) -> None:
    node.netfilter.commit([nftables.delete_table(_table(node))])


def chain_flushed(node: Any, scene: Scene) -> None:
    node.netfilter.commit([nftables.flush_chain(_table(node), "forward")])


def chain_added(node: Any, scene: Scene) -> None:
    node.netfilter.commit([nftables.add_base_chain(_table(node), "mine", "filter", nftables.INPUT, 5, nftables.ACCEPT)])


def set_element_deleted(node: Any, scene: Scene) -> None:
    key = nftables.Key(ip_address(scene.address).packed)
    node.netfilter.commit(nftables.delete_elements(_table(node), "public", [key]))


def map_element_deleted(node: Any, scene: Scene) -> None:
    key = nftables.Key(ip_address(scene.public).packed)
    node.netfilter.commit(nftables.delete_elements(_table(node), "private_of", [key]))


def set_element_added(node: Any, scene: Scene) -> None:
    """Anybody may be anybody there."""
    key = nftables.Key(nftables.ifname(scene.link) + ip_address("10.0.1.200").packed)
    node.netfilter.commit(nftables.add_elements(_table(node), "spoof4", [(key, bytes(4))]))


def program_deleted(node: Any, scene: Scene) -> None:
    _batch(node, classifiers.delete_clsact(_index(node, scene.link)))


def setting_altered(node: Any, scene: Scene) -> None:
    sysctl.write(node.namespace, {"net/ipv4/ip_forward": 0})


def pin_deleted(node: Any, scene: Scene) -> None:
    with suppress(OSError):  # it was repaired halfway
        namespaces.unpin(scene.router)


def guest_address_deleted(node: Any, scene: Scene) -> None:
    _batch(node, addresses.delete_address(_index(node, "eth1"), _own(node, "eth1").interface))


def _own(node: Any, name: str) -> addresses.LinkAddress:
    device = _index(node, name)
    found = list(map(addresses.parse_address, node.route.dump(addresses.get_addresses())))
    return next(each for each in found if each.device == device and each.interface.version == 4)


def guest_routes_deleted(node: Any, scene: Scene) -> None:
    found = list(map(routes.parse_route, node.route.dump(routes.get_routes(4))))
    _batch(node, *(routes.delete_route(each) for each in found if each and each.protocol == netconfig.PROTOCOL))


def guest_rules_deleted(node: Any, scene: Scene) -> None:
    found = list(map(rules.parse_rule, node.route.dump(rules.get_rules(4))))
    _batch(node, *(rules.delete_rule(each) for each in found if netconfig.is_own_rule(each)))


def guest_link_deleted(node: Any, scene: Scene) -> None:
    _batch(node, links.delete_link(name="eth1"))


Kinds = list[tuple[str, Break]]
TOLD: Kinds = [
    *(("router", each) for each in (delete_link, link_down, link_altered, link_renamed, wire_deleted)),
    *(("router", each) for each in (address_deleted, address_added, route_deleted, route_altered, route_added)),
    *(("router", each) for each in (rule_deleted, rule_added, neighbour_deleted, neighbour_altered)),
    *(("router", each) for each in (table_deleted, chain_added, set_element_deleted)),
    *(("router", each) for each in (map_element_deleted, set_element_added, program_deleted)),
    *(("internet", each) for each in (wire_deleted_outside, public_route_deleted)),
    *(("nat", each) for each in (table_deleted, chain_flushed, default_deleted)),
    ("inside", guest_link_deleted),
]
ROUGH: Kinds = [("router", chain_flushed)]
"""Told of, too; until it is repaired nobody's packets pass."""
UNTOLD: Kinds = [
    *(("router", each) for each in (setting_altered, pin_deleted)),
    *(("inside", each) for each in (guest_address_deleted, guest_routes_deleted, guest_rules_deleted)),
]


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    with running_enid(quotas=Quotas(addresses=20)) as enid:
        yield Scene(enid)


def _broken(scene: Scene, where: str, break_: Break) -> None:
    place = scene.inside() if where == "inside" else getattr(scene, where)
    with opened(place) as node:
        break_(node, scene)


def _amiss(scene: Scene, wanted: dict[str, Any]) -> list[str]:
    try:
        return differences(scene.state(), wanted)
    except (OSError, AssertionError) as error:
        return [str(error)]


def _whole_within(scene: Scene, wanted: dict[str, Any], seconds: float, what: str) -> float:
    begun = time.monotonic()
    found = ["nothing was looked at"]
    while found and time.monotonic() < begun + seconds * _BUSY:
        found = _amiss(scene, wanted)
    assert not found, f"{what} was not repaired within {seconds * _BUSY} s: {found[:5]}"
    return time.monotonic() - begun


@contextmanager
def _strangers(scene: Scene) -> Iterator[None]:
    """A namespace, a link and tables of somebody else's, which are as they were at the end."""
    namespace = namespaces.new()
    foreign = [nftables.add_table("a-stranger"), nftables.add_chain("a-stranger", "own")]
    with opened(scene.router) as router, RouteSocket(namespace) as outside, RouteSocket() as host:
        router.netfilter.commit(foreign)
        route = routes.Route(IPv4Network("192.0.2.0/24"), 4242, kind=routes.BLACKHOLE, protocol=99)
        _batch(router, routes.replace_route(route))
        pair: dict[str, Any] = {"mac": "02:00:00:00:00:03", "mtu": 1500, "peer_mac": "02:00:00:00:00:04"}
        pair |= {"peer_mtu": 1500, "peer_namespace": namespace, "peer_name": "far"}
        mine = f"stranger{os.getpid()}"  # the host is that of other tests, too
        host.request(links.new_veth(mine, **pair))
        try:
            yield
            tables = [nftables.parse_table(body) for body in router.netfilter.dump(nftables.get_tables())]
            assert "a-stranger" in tables
            assert route in list(map(routes.parse_route, router.route.dump(routes.get_routes(4))))
            assert outside.request(links.get_link(name="far"))
        finally:
            host.request(links.delete_link(name=mine))
            os.close(namespace)


def _each_repaired(scene: Scene, kinds: Kinds, seconds: float) -> None:
    took: dict[str, float] = {}
    wanted = scene.state()
    for where, break_ in kinds:
        what = f"{where}: {break_.__name__}"
        if break_ is program_deleted and not wanted["programs"][scene.link]:
            continue  # this kernel allows no accelerator
        _broken(scene, where, break_)
        took[what] = _whole_within(scene, wanted, seconds, what)
    print(", ".join(f"{what} {seconds:.2f} s" for what, seconds in took.items()))


def _all_repaired(scene: Scene, kinds: Kinds, seconds: float) -> None:
    """Together: nobody has time to wait a round for each."""
    wanted = scene.state()
    for where, break_ in kinds:
        _broken(scene, where, break_)
    assert _amiss(scene, wanted)
    took = _whole_within(scene, wanted, seconds, "something")
    print(f"{', '.join(break_.__name__ for _, break_ in kinds)}: {took:.2f} s")


def test_what_the_kernel_tells_of_is_repaired_and_nobody_else_notices(scene: Scene) -> None:
    ends = scene.one["InstanceId"], scene.two["InstanceId"], scene.two["PrivateIpAddress"]
    with _strangers(scene), running_flows.running(scene.enid, *ends) as flow:
        _each_repaired(scene, TOLD, BY_EVENT)
    assert flow.complaints() == []
    _each_repaired(scene, ROUGH, BY_EVENT)


def test_what_nobody_tells_of_is_repaired_by_looking_at_everything(scene: Scene) -> None:
    with _strangers(scene):
        _all_repaired(scene, UNTOLD, BY_SWEEP)


def test_nothing_is_repaired_that_is_whole(scene: Scene) -> None:
    """Attachments come and go, and a whole round passes: the agent finds nothing to repair, and no flow notices."""
    log = scene.enid.settings.state_dir / "log" / "enid.log"
    before = log.read_text().count("drifted")
    ends = scene.one["InstanceId"], scene.two["InstanceId"], scene.two["PrivateIpAddress"]
    with running_flows.running(scene.enid, *ends) as flow:
        end = time.monotonic() + drift.ROUND + 5
        while time.monotonic() < end:
            _come_and_go(scene)
    assert flow.complaints() == [], log.read_text()[-3000:]
    assert log.read_text().count("drifted") == before


def _come_and_go(scene: Scene) -> None:
    ec2, one = scene.enid.ec2, scene.one
    made = ec2.create_network_interface(SubnetId=one["SubnetId"])["NetworkInterface"]["NetworkInterfaceId"]
    attached = ec2.attach_network_interface(NetworkInterfaceId=made, InstanceId=one["InstanceId"], DeviceIndex=1)
    ec2.detach_network_interface(AttachmentId=attached["AttachmentId"])
    until("it is free", lambda: acts.interface(ec2, made)["holder"] is None)
    until("it can be deleted", lambda: _deleted(ec2, made))
    (fourth,) = scene.enid.launch(one["SubnetId"])
    ec2.terminate_instances(InstanceIds=[fourth["InstanceId"]], SkipOsShutdown=True)


def _deleted(ec2: Any, eni: str) -> bool:
    try:
        ec2.delete_network_interface(NetworkInterfaceId=eni)
    except ClientError:
        return False
    return True
