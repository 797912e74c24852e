"""An interface's own idle timeouts, and its prefixes, from the call to the records that the fabric carries out."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

from machines import Machines

from enid.store import snapshot
from enid.topology.records import Kind, Port, Timeouts


def port(call: Any, interface: str) -> Port:
    with call.database.read() as db:
        record = snapshot.records(db, [("network_interface", interface)], "host-1")[Kind.PORT, interface]
    assert isinstance(record, Port)
    return record


def test_timeouts_and_prefixes_reach_the_port(call: Any) -> None:
    machines = Machines(call)
    asked = {"TcpEstablishedTimeout": 60, "UdpTimeout": 45}
    spec = {"DeviceIndex": 0, "SubnetId": machines.network.subnet, "ConnectionTrackingSpecification": asked}
    instance = machines.running(NetworkInterfaces=[spec])
    (shown,) = machines.shown(instance)["NetworkInterfaces"]
    interface = shown["NetworkInterfaceId"]
    assert shown["ConnectionTrackingConfiguration"] == asked
    assert port(call, interface).timeouts == Timeouts(tcp_established=60, udp=45)
    changed = {"UdpStreamTimeout": 90, "UdpTimeout": 30}
    call("ModifyNetworkInterfaceAttribute", NetworkInterfaceId=interface, ConnectionTrackingSpecification=changed)
    assert call.changed == [("network_interface", interface)]
    assert port(call, interface).timeouts == Timeouts(tcp_established=60, udp_stream=90)
    assert machines.network.shown(interface)["ConnectionTrackingConfiguration"] == asked | changed
    call("AssignPrivateIpAddresses", NetworkInterfaceId=interface, Ipv4Prefixes=["10.0.1.32/28"])
    call("AssignIpv6Addresses", NetworkInterfaceId=interface, Ipv6Prefixes=["2001:db8:0:1:5::/80"])
    assert port(call, interface).prefixes == (ip_network("10.0.1.32/28"), ip_network("2001:db8:0:1:5::/80"))


def test_an_interface_that_says_nothing_has_the_defaults(call: Any) -> None:
    machines = Machines(call)
    instance = machines.running()
    (shown,) = machines.shown(instance)["NetworkInterfaces"]
    assert "ConnectionTrackingConfiguration" not in shown
    assert port(call, shown["NetworkInterfaceId"]).timeouts == Timeouts()
