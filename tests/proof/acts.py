"""Calls to enid as acts that are checked: what they concern is as before, or as they say it is, and nothing in between.

Each act knows how to look at the part of the store it may change (``seen``) and what it makes of it (``after``). So of
a call that was answered, one that was refused and one whose answer never came it can be told whether what is there now
may be there.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError, ConnectionError, HTTPClientError
from botocore.parsers import ResponseParserError

ANSWER_WITHIN = 60.0
"""Seconds in which an enid that was killed answers again."""
SILENT = (HTTPClientError, ConnectionError, ResponseParserError)
"""No answer came, or not all of it: a server may die between an answer's head and its body."""
DONE, REFUSED, UNANSWERED = "done", "refused", "unanswered"
_OVERLOADED = ("RequestLimitExceeded", "Unavailable", "InternalError")
"""Refusals at any call."""


class Wrong(AssertionError):
    """Something acknowledged is lost, or something refused is there."""


@dataclass(frozen=True)
class Act:
    """One call."""

    name: str
    call: Callable[[], object]
    seen: Callable[[], Any]
    after: Callable[[Any], Any]
    refused: bool = False
    """AWS's rules forbid it: it must be refused."""
    excuses: tuple[str, ...] = ()
    """Words of refusals that are right while the agent has not carried out the act before."""
    fatal: bool = False
    """Somebody dies meanwhile."""


def patiently(look: Callable[[], Any]) -> Any:
    """What ``look`` answers, as soon as enid answers at all."""
    deadline = time.monotonic() + ANSWER_WITHIN
    while True:
        try:
            return look()
        except (*SILENT, ClientError) as error:
            if isinstance(error, ClientError) and error.response["Error"]["Code"] not in _OVERLOADED:
                raise
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def perform(act: Act) -> tuple[str, Any]:
    """Do it and check it; answers how it ended, and what is there now. Raises :class:`Wrong`."""
    before = patiently(act.seen)
    try:
        act.call()
        outcome = DONE
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if not act.refused and code not in _OVERLOADED and not any(excuse in str(error) for excuse in act.excuses):
            raise Wrong(f"{act.name}: {error}; before it {before}") from error
        outcome = REFUSED
    except SILENT:
        outcome = UNANSWERED
    now = patiently(act.seen)
    wanted = {DONE: [act.after(before)], REFUSED: [before]}.get(outcome, [before, act.after(before)])
    if act.refused:
        wanted = [before]
        if outcome == DONE:
            raise Wrong(f"{act.name} was accepted; before it {before}")
    if now not in wanted:
        raise Wrong(f"{act.name} ({outcome}): before it {before}, now {now}, expected {wanted}")
    return outcome, now


# What acts look at


def interface(ec2: Any, eni: str) -> dict[str, Any] | None:
    """An interface; ``None`` when there is none. What is on its way counts as there."""
    found = ec2.describe_network_interfaces(Filters=[{"Name": "network-interface-id", "Values": [eni]}])
    if not found["NetworkInterfaces"]:
        return None
    (shown,) = found["NetworkInterfaces"]
    attachment = shown.get("Attachment", {})
    there = attachment.get("Status") in ("attaching", "attached")
    return {
        "holder": (attachment["InstanceId"], attachment["DeviceIndex"]) if there else None,
        "addresses": sorted(each["PrivateIpAddress"] for each in shown["PrivateIpAddresses"]),
        "groups": sorted(group["GroupId"] for group in shown["Groups"]),
        "public": sorted(
            (each["PrivateIpAddress"], each["Association"]["PublicIp"])
            for each in shown["PrivateIpAddresses"]
            if "Association" in each
        ),
        "description": shown["Description"],
    }


def interfaces_named(ec2: Any, name: str) -> int:
    """How many have this name."""
    filters = [{"Name": "tag:Name", "Values": [name]}]
    return len(ec2.describe_network_interfaces(Filters=filters)["NetworkInterfaces"])


def instances_of(ec2: Any, token: str) -> tuple[int, int]:
    """How many instances of a launch are wanted, and how many interfaces they have."""
    filters = [{"Name": "client-token", "Values": [token]}]
    reservations = ec2.describe_instances(Filters=filters)["Reservations"]
    found = [instance for reservation in reservations for instance in reservation["Instances"]]
    live = [instance for instance in found if instance["State"]["Name"] in ("pending", "running")]
    return len(live), sum(len(instance["NetworkInterfaces"]) for instance in live)


def vpc_named(ec2: Any, name: str) -> tuple[int, int, int, int]:
    """How many VPCs have this name, and how many groups, route tables and network ACLs they have."""
    found = ec2.describe_vpcs(Filters=[{"Name": "tag:Name", "Values": [name]}])["Vpcs"]
    ids = [{"Name": "vpc-id", "Values": [vpc["VpcId"] for vpc in found] or ["vpc-none"]}]
    return (
        len(found),
        len(ec2.describe_security_groups(Filters=ids)["SecurityGroups"]),
        len(ec2.describe_route_tables(Filters=ids)["RouteTables"]),
        len(ec2.describe_network_acls(Filters=ids)["NetworkAcls"]),
    )


def rules_of(ec2: Any, group: str) -> list[tuple[str, int]]:
    """The blocks and ports a group lets in."""
    (found,) = ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"]
    return sorted(
        (block["CidrIp"], rule.get("FromPort", -1)) for rule in found["IpPermissions"] for block in rule["IpRanges"]
    )


def holder_of(ec2: Any, allocation: str) -> str | None:
    """The private address an Elastic IP stands for."""
    (found,) = ec2.describe_addresses(AllocationIds=[allocation])["Addresses"]
    return found.get("PrivateIpAddress")
