"""What is asked of a :class:`~bench.crowd.Crowd`: each Describe that a store may have very many rows of, by its ids and
by each of its filters on an indexed attribute. Every question has the same answer however large the crowd is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from bench.crowd import PER_VPC, Crowd


@dataclass(frozen=True, slots=True)
class Question:
    action: str
    by: str
    """What is asked by: a member with ids, or names of filters."""
    params: dict[str, Any]
    """Under the model's names."""


def questions(crowd: Crowd) -> Iterator[Question]:
    for action, ids, filters in _asked(crowd):
        for member, value in ids.items():
            yield Question(action, member, {member: [value]})
        for name, value in filters.items():
            yield Question(action, name, {"Filters": [_filter(name, value)]})
    interfaces = {"vpc-id": crowd.id("vpc"), "status": "in-use", "tag:stage": "production"}
    yield _several("DescribeNetworkInterfaces", interfaces)
    yield _several(
        "DescribeNetworkInterfaces", {"attachment.instance-id": crowd.id("i"), "attachment.device-index": "0"}
    )
    yield _several("DescribeSecurityGroups", {"vpc-id": crowd.id("vpc"), "group-name": "web"})
    yield _several("DescribeTags", {"key": "Name", "value": f"web-{crowd.middle}"})
    yield _several("DescribeTags", {"resource-type": "instance", "resource-id": crowd.id("i")})


def _several(action: str, filters: dict[str, str]) -> Question:
    return Question(action, " ".join(filters), {"Filters": [_filter(*item) for item in filters.items()]})


def _filter(name: str, value: str) -> dict[str, Any]:
    return {"Name": name, "Values": [value]}


def _asked(crowd: Crowd) -> Iterator[tuple[str, dict[str, str], dict[str, str]]]:
    """Action, members with ids, filters."""
    id_, eni, instance, subnet, vpc = crowd.id, crowd.id("eni"), crowd.id("i"), crowd.id("subnet"), crowd.id("vpc")
    allocation, association, group = id_("eipalloc"), id_("eipassoc"), crowd.group()
    name, net = f"web-{crowd.middle}", f"net-{crowd.middle}"
    yield (
        "DescribeNetworkInterfaces",
        {"NetworkInterfaceIds": eni},
        {
            "network-interface-id": eni,
            "attachment.instance-id": instance,
            "attachment.attachment-id": id_("eni-attach"),
            "subnet-id": subnet,
            "vpc-id": vpc,
            "group-id": group,
            "private-ip-address": crowd.ip(),
            "addresses.private-ip-address": crowd.ip(),
            "association.public-ip": crowd.public_ip(),
            "addresses.association.public-ip": crowd.public_ip(),
            "association.allocation-id": allocation,
            "association.association-id": association,
            "mac-address": crowd.mac(),
            "tag:Name": name,
            "tag-value": name,
        },
    )
    yield (
        "DescribeInstances",
        {"InstanceIds": instance},
        {
            "instance-id": instance,
            "reservation-id": id_("r"),
            "subnet-id": subnet,
            "vpc-id": vpc,
            "private-ip-address": crowd.ip(),
            "ip-address": crowd.public_ip(),
            "instance.group-id": group,
            "network-interface.group-id": group,
            "network-interface.network-interface-id": eni,
            "network-interface.subnet-id": subnet,
            "network-interface.vpc-id": vpc,
            "network-interface.addresses.private-ip-address": crowd.ip(),
            "network-interface.association.public-ip": crowd.public_ip(),
            "network-interface.attachment.attachment-id": id_("eni-attach"),
            "network-interface.attachment.instance-id": instance,
            "tag:Name": name,
        },
    )
    yield (
        "DescribeAddresses",
        {"AllocationIds": allocation, "PublicIps": crowd.public_ip()},
        {
            "allocation-id": allocation,
            "association-id": association,
            "instance-id": instance,
            "network-interface-id": eni,
            "private-ip-address": crowd.ip(),
            "public-ip": crowd.public_ip(),
            "tag:Name": name,
        },
    )
    yield (
        "DescribeSubnets",
        {"SubnetIds": subnet},
        {"subnet-id": subnet, "vpc-id": vpc, "cidr-block": crowd.subnet_block(), "tag:Name": net},
    )
    yield (
        "DescribeSecurityGroups",
        {"GroupIds": group},
        {
            "group-id": group,
            "vpc-id": vpc,
            "ip-permission.group-id": crowd.group("default"),
            "tag:Name": f"group-{crowd.middle // PER_VPC}",
        },
    )
    yield (
        "DescribeSecurityGroupRules",
        {"SecurityGroupRuleIds": crowd.rule()},
        {"group-id": group, "security-group-rule-id": crowd.rule()},
    )
    yield "DescribeTags", {}, {"resource-id": eni, "value": name, "tag:Name": name}
    yield (
        "DescribeRouteTables",
        {"RouteTableIds": id_("rtb")},
        {
            "route-table-id": id_("rtb"),
            "vpc-id": vpc,
            "association.route-table-association-id": id_("rtbassoc"),
            "association.route-table-id": id_("rtb"),
            "association.subnet-id": subnet,
            "route.gateway-id": id_("igw"),
            "route.instance-id": instance,
            "route.network-interface-id": eni,
            "tag:Name": net,
        },
    )
