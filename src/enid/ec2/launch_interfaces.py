"""The interfaces a launch asks for: one from the request's own parameters, or those under ``NetworkInterfaces``.

Here the request is only compared with itself; whether subnets, groups and addresses are there to be had is found out
when the interfaces are made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from enid.ec2 import ena_express
from enid.ec2.context import Params
from enid.ec2.delegated_prefixes import asked
from enid.ec2.errors import AwsError, invalid_parameter_combination, invalid_parameter_value, unsupported
from enid.ec2.instance_attributes import too_many_interfaces
from enid.ec2.instance_types import limits
from enid.ec2.network_interfaces import NewInterface, specified
from enid.ec2.unsupported import refuse

Specification = Mapping[str, Any]
"""The model's ``InstanceNetworkInterfaceSpecification``."""


@dataclass(frozen=True, slots=True)
class Plug:
    """An interface to attach at launch: the existing one, or a new one."""

    device_index: int
    network_card_index: int
    delete_on_termination: bool
    existing: str = ""
    new: NewInterface | None = None


_INSTANCE_LEVEL: Mapping[str, str] = {
    "SubnetId": "an instance-level subnet ID",
    "SecurityGroupIds": "an instance-level security groups",
    "SecurityGroups": "an instance-level security groups",
    "PrivateIpAddress": "an instance-level private IP address",
    "Ipv6AddressCount": "an instance-level IPv6 address count",
    "Ipv6Addresses": "an instance-level IPv6 addresses",
    "EnablePrimaryIpv6": "an instance-level primary IPv6 address",
}
_WITH_ID: Mapping[str, str] = {
    "SubnetId": "a subnet",
    "Groups": "security groups",
    "PrivateIpAddress": "a private IP address",
    "PrivateIpAddresses": "private IP addresses",
    "SecondaryPrivateIpAddressCount": "a secondary private IP address count",
    "Ipv6Addresses": "IPv6 addresses",
    "Ipv6AddressCount": "an IPv6 address count",
    "Ipv4Prefixes": "IPv4 prefixes",
    "Ipv4PrefixCount": "an IPv4 prefix count",
    "Ipv6Prefixes": "IPv6 prefixes",
    "Ipv6PrefixCount": "an IPv6 prefix count",
    "Description": "a description",
}


def check(params: Params, instance_type: str, count: int) -> None:
    """:raises AwsError: interfaces that exclude each other, or that instances of this type cannot have."""
    given: Sequence[Specification] = params.get("NetworkInterfaces", ())
    if params.get("Ipv6Addresses") and params.get("Ipv6AddressCount") is not None:
        raise invalid_parameter_combination(
            "IPv6 addresses and IPv6 address count may not be specified on the same request"
        )
    if given:
        _check_instance_level(params)
        _check_indexes(given)
        _check_public(given)
        for one in given:
            _check_one(one, count)
    elif count > 1 and (params.get("PrivateIpAddress") or params.get("Ipv6Addresses")):
        raise _several("A private IP address")
    _check_type(params, given, instance_type)


def _check_instance_level(params: Params) -> None:
    for member, what in _INSTANCE_LEVEL.items():
        if params.get(member):
            raise invalid_parameter_combination(
                f"Network interfaces and {what} may not be specified on the same request"
            )


def _check_indexes(given: Sequence[Specification]) -> None:
    if any(one.get("DeviceIndex") is None for one in given):
        raise invalid_parameter_value("Each network interface requires a device index.")
    places = [(one.get("NetworkCardIndex") or 0, one["DeviceIndex"]) for one in given]
    if len(set(places)) < len(places):
        raise invalid_parameter_value("Each network interface requires a unique device index.")
    if (0, 0) not in places:
        raise unsupported("When specifying network interfaces, you must include a device at index 0.")
    ids = [one["NetworkInterfaceId"] for one in given if one.get("NetworkInterfaceId")]
    for id_ in ids:
        if ids.count(id_) > 1:
            raise AwsError("InvalidNetworkInterface.InUse", f"Interface: [{id_}] in use.")


def _check_public(given: Sequence[Specification]) -> None:
    asked = [one for one in given if one.get("AssociatePublicIpAddress") is not None]
    if asked and len(given) > 1:
        raise invalid_parameter_combination(
            "The associatePublicIPAddress parameter cannot be specified when launching with multiple network "
            "interfaces."
        )
    if asked and asked[0].get("NetworkInterfaceId"):
        raise invalid_parameter_combination(
            "The associatePublicIPAddress parameter cannot be specified for a network interface with an ID."
        )


def _check_one(one: Specification, count: int) -> None:
    refuse(one, "AssociateCarrierIpAddress")
    ena_express.check(one)
    if not one.get("NetworkInterfaceId"):
        if count > 1 and any(one.get(name) for name in _ONLY_ONCE):
            raise _several("A private IP address")
        return
    for member, what in _WITH_ID.items():
        if one.get(member):
            raise invalid_parameter_combination(
                f"A network interface may not specify both a network interface ID and {what}"
            )
    if one.get("DeleteOnTermination"):
        raise invalid_parameter_combination(
            "A network interface may not specify a network interface ID and delete on termination as true"
        )
    if count > 1:
        raise _several("A network interface ID")


_ONLY_ONCE = ("PrivateIpAddress", "PrivateIpAddresses", "Ipv6Addresses", "Ipv4Prefixes", "Ipv6Prefixes")
"""What only one instance can have."""


def _several(what: str) -> AwsError:
    return invalid_parameter_combination(f"{what} may not be specified when launching more than one instance.")


def _check_type(params: Params, given: Sequence[Specification], instance_type: str) -> None:
    most = limits(instance_type)
    if len(given) > most.max_interfaces:
        raise too_many_interfaces(len(given), instance_type)
    for one in given:
        card = one.get("NetworkCardIndex") or 0
        if not 0 <= card < most.network_cards:
            raise invalid_parameter_value(f"Network card index {card} is not valid for instance type {instance_type}.")
    for one in given or (params,):
        if _count_ipv4(one) > most.ipv4_per_interface or _count_ipv6(one) > most.ipv6_per_interface:
            raise AwsError(
                "InvalidInterface.IpAddressLimitExceeded",
                "The number of private IP addresses for a specified network interface exceeds the limit for the type "
                "of instance you are trying to launch.",
            )


def _count_ipv4(one: Specification) -> int:
    listed = one.get("PrivateIpAddresses", ())
    secondary = sum(not address.get("Primary") for address in listed)
    return 1 + max(secondary, one.get("SecondaryPrivateIpAddressCount") or 0) + asked(one, 4).number


def _count_ipv6(one: Specification) -> int:
    return max(len(one.get("Ipv6Addresses", ())), one.get("Ipv6AddressCount") or 0) + asked(one, 6).number


def primary(params: Params) -> Specification:
    """What the request says of the primary interface, wherever it says it."""
    given: Sequence[Specification] = params.get("NetworkInterfaces", ())
    for one in given:
        if one["DeviceIndex"] == 0 and not one.get("NetworkCardIndex"):
            return one
    return {name: params[name] for name in _OWN if name in params}


_OWN = ("SubnetId", "PrivateIpAddress", "Ipv6AddressCount", "Ipv6Addresses", "EnablePrimaryIpv6")


def plugs(params: Params, subnet_id: str, group_ids: Sequence[str]) -> list[Plug]:
    """The interfaces of each instance, by network card and device index.

    :param subnet_id: the instance's subnet, for an interface that names none.
    :param group_ids: the instance-level security groups.
    """
    given: Sequence[Specification] = params.get("NetworkInterfaces", ())
    if not given:
        own = {**primary(params), "Groups": group_ids}
        return [Plug(0, 0, delete_on_termination=True, new=specified(own, subnet_id))]
    return sorted(
        (_plug(one, subnet_id) for one in given), key=lambda plug: (plug.network_card_index, plug.device_index)
    )


def _plug(one: Specification, subnet_id: str) -> Plug:
    index, card = one["DeviceIndex"], one.get("NetworkCardIndex") or 0
    if id_ := one.get("NetworkInterfaceId"):
        return Plug(index, card, delete_on_termination=False, existing=id_)
    if (index, card) != (0, 0) and not one.get("SubnetId"):
        raise invalid_parameter_combination(
            "Each network interface requires either a subnet or a network interface ID."
        )
    new = specified(one, one.get("SubnetId") or subnet_id)
    return Plug(index, card, one.get("DeleteOnTermination", True), new=new)
