"""Step three: one interface with three addresses, each with an Elastic IP and an application of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from enid.scenarios.cloud import tagged, until
from enid.scenarios.dual_homed import plan
from enid.scenarios.dual_homed.network import Network
from enid.scenarios.dual_homed.servers import Machine, Machines
from enid.scenarios.lab import Lab

DEVICE_INDEX = 2
FOLLOWS = ("MacAddress", "PrivateIpAddress", "Groups", "Description", "TagSet", "SourceDestCheck", "SubnetId")
"""What stays with an interface wherever it is plugged, besides its addresses."""


@dataclass(frozen=True, slots=True)
class Floating:
    """The interface that moves from one server to the other."""

    id: str
    elastic_ips: Mapping[str, str]
    """Private address → Elastic IP."""


def create(lab: Lab, net: Network, machines: Machines) -> Floating:
    """Make it, give it addresses, plug it into web-1."""
    lab.report.step("An interface that will move, with three applications on three addresses")
    ec2 = lab.cloud.ec2
    first, *others = plan.APPLICATIONS
    interface = ec2.create_network_interface(
        SubnetId=net.public,
        PrivateIpAddress=first,
        Groups=[machines.groups.web, machines.groups.echo],
        Description="applications, wherever they run",
        TagSpecifications=tagged("network-interface", "applications", Team="shop"),
    )["NetworkInterface"]["NetworkInterfaceId"]
    ec2.assign_private_ip_addresses(NetworkInterfaceId=interface, PrivateIpAddresses=others)
    elastic_ips = {address: _publish(lab, interface, address) for address in plan.APPLICATIONS}
    floating = Floating(interface, elastic_ips)
    attach(lab, floating, machines.by_name[plan.WEB_1.name])
    shown = ", ".join(f"{name} {address} = {elastic_ips[address]}" for address, name in plan.APPLICATIONS.items())
    lab.report.did(f"{interface} on web-1 as eth{DEVICE_INDEX}: {shown}")
    return floating


def _publish(lab: Lab, interface: str, address: str) -> str:
    name = plan.APPLICATIONS[address]
    made = lab.cloud.ec2.allocate_address(Domain="vpc", TagSpecifications=tagged("elastic-ip", name))
    lab.cloud.ec2.associate_address(
        AllocationId=made["AllocationId"], NetworkInterfaceId=interface, PrivateIpAddress=address
    )
    return str(made["PublicIp"])


def attach(lab: Lab, floating: Floating, machine: Machine) -> None:
    """Plug it into a server, as soon as it is free, and wait until it is."""
    until(lambda: _accepted(lab, floating, machine), f"{floating.id} to be available")

    def attached() -> bool:
        return bool(lab.cloud.network_interface(floating.id)["Attachment"]["Status"] == "attached")

    until(attached, f"{floating.id} to be attached to {machine.server.name}")


def _accepted(lab: Lab, floating: Floating, machine: Machine) -> bool:
    """As automation does it: an interface on its way out of a server is refused, so try again."""
    said = lab.cloud.refusal(
        "attach_network_interface",
        NetworkInterfaceId=floating.id,
        InstanceId=machine.id,
        DeviceIndex=DEVICE_INDEX,
    )
    if said and "in use" not in said:
        raise RuntimeError(f"{floating.id} was not attached: {said}")
    return not said


def detach(lab: Lab, floating: Floating, *, force: bool) -> None:
    """Unplug it from wherever it is."""
    attachment = lab.cloud.network_interface(floating.id)["Attachment"]["AttachmentId"]
    lab.cloud.ec2.detach_network_interface(AttachmentId=attachment, Force=force)


def identity(lab: Lab, floating: Floating) -> dict[str, Any]:
    """Everything that must be the same before and after a move."""
    shown = lab.cloud.network_interface(floating.id)
    addresses = [
        (entry["PrivateIpAddress"], entry["Primary"], entry.get("Association", {}).get("PublicIp"))
        for entry in shown["PrivateIpAddresses"]
    ]
    return {"addresses": addresses, **{name: shown[name] for name in FOLLOWS}}
