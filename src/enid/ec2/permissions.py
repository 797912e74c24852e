"""Security group permissions: what a client writes → single rules, and rules → AWS's groups of them. Pure.

A permission is a protocol with ports and any number of sources; a rule has one source. Names of groups are looked up
before this module is asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from enid.ec2 import cidr
from enid.ec2.errors import (
    AwsError,
    check_id,
    invalid_parameter_combination,
    invalid_parameter_value,
    missing_parameter,
)

ANY = "-1"
_NUMBERS = {"1": "icmp", "6": "tcp", "17": "udp", "58": "icmpv6"}
_NAMES = {"tcp", "udp", "icmp", "icmpv6"}
_WITH_PORTS, _WITH_TYPES = ("tcp", "udp"), ("icmp", "icmpv6")
_PUNCTUATION = set(" ._-:/()#,@[]+=&;{}!$*")
SOURCES = ("cidr_ipv4", "cidr_ipv6", "prefix_list_id", "referenced_group_id")


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule, under the names of the ``security_group_rules`` columns. Exactly one of :data:`SOURCES` is set."""

    is_egress: bool
    ip_protocol: str
    from_port: int
    to_port: int
    cidr_ipv4: str | None = None
    cidr_ipv6: str | None = None
    prefix_list_id: str | None = None
    referenced_group_id: str | None = None
    description: str | None = None
    referenced_account_id: str | None = None
    """This and what follows: of a group of a peered VPC."""
    referenced_vpc_id: str | None = None
    referenced_peering_id: str | None = None

    @property
    def source(self) -> str:
        """The block, the prefix list or the group."""
        return self.cidr_ipv4 or self.cidr_ipv6 or self.prefix_list_id or self.referenced_group_id or ""

    @property
    def identity(self) -> str:
        """Everything but the description: two rules of a group with the same identity are duplicates."""
        direction = "egress" if self.is_egress else "ingress"
        return f"{direction} {self.ip_protocol} {self.from_port} {self.to_port} {self.source}"

    def __str__(self) -> str:
        protocol = "ALL" if self.ip_protocol == ANY else self.ip_protocol.upper()
        return f"peer: {self.source}, {protocol}, from port: {self.from_port}, to port: {self.to_port}, ALLOW"


def protocol_of(text: str | None) -> str:
    """``-1``, ``tcp``, ``udp``, ``icmp``, ``icmpv6`` or a number.

    :raises AwsError: ``MissingParameter``, ``InvalidParameterValue``.
    """
    if not text:
        raise missing_parameter("ipProtocol")
    name = text.lower()
    if name in (ANY, "all"):
        return ANY
    if name in _NAMES:
        return name
    if name.isascii() and name.isdecimal() and len(name) <= 3 and int(name) <= 255:
        return _NUMBERS.get(str(int(name)), str(int(name)))
    raise invalid_parameter_value(f"Invalid value '{text}' for IP protocol. Unknown protocol.")


def ports_of(protocol: str, first: int | None, last: int | None) -> tuple[int, int]:
    """Ports, or ICMP type and code, as they are stored; ``(-1, -1)`` is any, and what other protocols have.

    :raises AwsError: ``InvalidParameterValue``, ``InvalidPermission.Malformed``.
    """
    if protocol in _WITH_PORTS:
        if first is None or last is None:
            raise invalid_parameter_value(
                "Invalid value 'Must specify both from and to ports with TCP/UDP.' for portRange."
            )
        for port in (first, last):
            if not 0 <= port <= 65535:
                raise _malformed(f"TCP/UDP port ({port}) out of range")
        if first > last:
            raise _malformed(f"Invalid TCP/UDP port range ({first}:{last})")
        return first, last
    if protocol in _WITH_TYPES:
        return _icmp(protocol, first, last)
    return -1, -1


def _icmp(protocol: str, type_: int | None, code: int | None) -> tuple[int, int]:
    if protocol == "icmp" and (type_ is None or code is None):
        raise invalid_parameter_value("Invalid value 'Must specify both from and to ports with ICMP.' for portRange.")
    type_, code = -1 if type_ is None else type_, -1 if code is None else code
    for what, number in (("type", type_), ("code", code)):
        if not -1 <= number <= 255:
            raise _malformed(f"ICMP {what} ({number}) out of range")
    if type_ == -1 and code != -1:
        raise _malformed(f"ICMP code ({code}) needs a type")
    return type_, code


def parse(permissions: Iterable[Mapping[str, Any]], *, is_egress: bool, names: Mapping[str, str]) -> list[Rule]:
    """The rules of a request's ``IpPermissions``, in its order.

    :param names: the ids of the groups that the request names by ``GroupName``.
    :raises AwsError: anything malformed; ``InvalidParameterValue`` when two of them are the same rule.
    """
    rules: list[Rule] = []
    for permission in permissions:
        protocol = protocol_of(permission.get("IpProtocol"))
        ports = ports_of(protocol, permission.get("FromPort"), permission.get("ToPort"))
        bare = Rule(is_egress, protocol, *ports)
        found = [replace(bare, **source) for source in _sources(permission, names)]
        if not found:
            raise missing_parameter("ipPermissions source: a CIDR block, a security group or a prefix list")
        rules += found
    if len({rule.identity for rule in rules}) < len(rules):
        raise invalid_parameter_value("The same permission must not appear multiple times")
    return rules


def _sources(permission: Mapping[str, Any], names: Mapping[str, str]) -> Iterable[dict[str, Any]]:
    for item in permission.get("IpRanges", ()):
        yield {"cidr_ipv4": ipv4_source(item.get("CidrIp", "")), "description": described(item)}
    for item in permission.get("Ipv6Ranges", ()):
        yield {"cidr_ipv6": ipv6_source(item.get("CidrIpv6", "")), "description": described(item)}
    for item in permission.get("PrefixListIds", ()):
        yield {"prefix_list_id": check_id("pl", item.get("PrefixListId", "")), "description": described(item)}
    for item in permission.get("UserIdGroupPairs", ()):
        group_id = item.get("GroupId") or names.get(item.get("GroupName", ""))
        if not group_id:
            raise missing_parameter("groupId or groupName")
        yield {
            "referenced_group_id": check_id("sg", group_id),
            "referenced_account_id": item.get("UserId") or None,
            "description": described(item),
        }


def ipv4_source(text: str) -> str:
    """A canonical IPv4 block.

    :raises AwsError: ``InvalidParameterValue``.
    """
    network = cidr.parse(text)
    if network is None or network.version != 4:
        raise invalid_parameter_value(f"CIDR block {text} is malformed")
    return str(network)


def ipv6_source(text: str) -> str:
    """A canonical IPv6 block.

    :raises AwsError: ``InvalidParameterValue``.
    """
    network = cidr.parse(text)
    if network is None or network.version != 6:
        raise invalid_parameter_value(f"CIDR block {text} is malformed")
    return str(network)


def described(item: Mapping[str, Any]) -> str | None:
    """The ``Description``, checked; an empty one is none."""
    text: str | None = item.get("Description") or None
    if text is not None and not is_plain(text):
        raise invalid_parameter_value(
            "Invalid rule description. Valid descriptions are strings less than 256 characters from the following "
            "set:  a-zA-Z0-9. _-:/()#,@[]+=&;{}!$*"
        )
    return text


def is_plain(text: str) -> bool:
    """Up to 255 of the characters AWS allows in names and descriptions of groups and rules."""
    return len(text) <= 255 and all(
        character in _PUNCTUATION or (character.isascii() and character.isalnum()) for character in text
    )


def grouped(rules: Iterable[Any], user_id: str, across: Mapping[str, Mapping[str, str]]) -> list[dict[str, Any]]:
    """Rules of one direction as AWS lists them: one permission for each protocol with its ports.

    :param rules: rows; their order decides the order of the answer.
    :param user_id: the account of the referenced groups of the same VPC.
    :param across: group id → what is shown of a referenced group of another VPC.
    """
    permissions: dict[tuple[str, int, int], dict[str, Any]] = {}
    for rule in rules:
        key = (rule.ip_protocol, rule.from_port, rule.to_port)
        permission = permissions.setdefault(key, _empty(*key))
        text = {"Description": rule.description} if rule.description else {}
        if rule.cidr_ipv4:
            permission["IpRanges"].append({"CidrIp": rule.cidr_ipv4, **text})
        elif rule.cidr_ipv6:
            permission["Ipv6Ranges"].append({"CidrIpv6": rule.cidr_ipv6, **text})
        elif rule.prefix_list_id:
            permission["PrefixListIds"].append({"PrefixListId": rule.prefix_list_id, **text})
        else:
            pair = {
                "GroupId": rule.referenced_group_id,
                "UserId": user_id,
                **across.get(rule.referenced_group_id, {}),
                **text,
            }
            permission["UserIdGroupPairs"].append(pair)
    return list(permissions.values())


def _empty(protocol: str, first: int, last: int) -> dict[str, Any]:
    has_ports = protocol in _WITH_PORTS or protocol in _WITH_TYPES
    return {
        "IpProtocol": protocol,
        **({"FromPort": first, "ToPort": last} if has_ports else {}),
        "IpRanges": [],
        "Ipv6Ranges": [],
        "PrefixListIds": [],
        "UserIdGroupPairs": [],
    }


def _malformed(message: str) -> AwsError:
    return AwsError("InvalidPermission.Malformed", message)


def flat(params: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """The request's permissions, whether it has ``IpPermissions`` or the old single parameters.

    A ``SourceSecurityGroupName`` without a protocol means all of TCP, UDP and ICMP.

    :raises AwsError: ``InvalidParameterCombination`` when it has both.
    """
    old = {name: params[name] for name in ("IpProtocol", "FromPort", "ToPort") if name in params}
    if "CidrIp" in params:
        old["IpRanges"] = [{"CidrIp": params["CidrIp"]}]
    if "SourceSecurityGroupName" in params:
        pair = {"GroupName": params["SourceSecurityGroupName"], "UserId": params.get("SourceSecurityGroupOwnerId")}
        old["UserIdGroupPairs"] = [pair]
    given: Sequence[Mapping[str, Any]] = params.get("IpPermissions", ())
    if old and given:
        raise invalid_parameter_combination(
            "The parameter ipPermissions may not be used together with the parameters of a single permission."
        )
    if "UserIdGroupPairs" in old and "IpProtocol" not in old:
        ports = (("tcp", 0, 65535), ("udp", 0, 65535), ("icmp", -1, -1))
        return [{**old, "IpProtocol": name, "FromPort": first, "ToPort": last} for name, first, last in ports]
    return given or ([old] if old else [])


def names_in(given: Iterable[Mapping[str, Any]]) -> set[str]:
    """The groups that permissions name by name alone."""
    pairs = [pair for permission in given for pair in permission.get("UserIdGroupPairs", ())]
    return {pair["GroupName"] for pair in pairs if not pair.get("GroupId") and pair.get("GroupName")}
