"""The numbered entries of network ACLs: add, replace, delete.

What an entry may say is AWS's text about CreateNetworkAclEntry: ports for TCP and UDP only, a type and a code for ICMP
(for ICMPv6 only with an IPv6 block), nothing of the kind for any other protocol.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, func, insert, select, update

from enid.ec2 import cidr
from enid.ec2.context import Context, Params, Result
from enid.ec2.errors import AwsError, invalid_parameter_combination, invalid_parameter_value, missing_parameter
from enid.ec2.network_acl_listing import LAST, LISTED
from enid.ec2.permissions import protocol_of
from enid.ec2.registry import operation
from enid.ec2.resources import fetch
from enid.store.tables import network_acl_entries

_ENTRY = network_acl_entries.c
NUMBERS = {"icmp": "1", "tcp": "6", "udp": "17", "icmpv6": "58"}
"""Protocols as entries store them."""
_ICMP, _ICMPV6 = NUMBERS["icmp"], NUMBERS["icmpv6"]
_WITH_PORTS = (NUMBERS["tcp"], NUMBERS["udp"])


def allow_everything(acl_id: str, egress: bool, version: int = 4) -> dict[str, Any]:
    """The entry a default network ACL has for each direction and family: number 100, or 101 for IPv6."""
    block = {"cidr_block": "0.0.0.0/0"} if version == 4 else {"ipv6_cidr_block": "::/0"}
    return {
        **dict.fromkeys((column.name for column in network_acl_entries.columns), None),
        "network_acl_id": acl_id,
        "egress": egress,
        "rule_number": 100 if version == 4 else 101,
        "rule_action": "allow",
        "protocol": "-1",
        **block,
    }


def add(ctx: Context, entries: Sequence[Mapping[str, Any]]) -> None:
    """Write new entries, without asking whether they may be."""
    if entries:
        ctx.db.execute(insert(network_acl_entries), entries)


@operation("CreateNetworkAclEntry")
def create_network_acl_entry(ctx: Context, params: Params) -> Result:
    """A number that is taken in this direction is refused."""
    acl = fetch(ctx, "acl", params["NetworkAclId"])
    entry = _parsed(params)
    if ctx.db.execute(select(_ENTRY.rule_number).where(_is(acl.id, params))).first():
        raise AwsError(
            "NetworkAclEntryAlreadyExists",
            f"The network acl entry identified by {entry['rule_number']} already exists.",
        )
    listed = select(func.count()).where(LISTED.c.network_acl_id == acl.id, LISTED.c.egress.is_(entry["egress"]))
    if ctx.db.execute(listed).scalar_one() >= ctx.settings.quotas.rules_per_network_acl:
        raise AwsError(
            "NetworkAclEntryLimitExceeded", f"The maximum number of entries of network ACL {acl.id} has been reached."
        )
    add(ctx, [{"network_acl_id": acl.id, **entry}])
    ctx.note("network_acl", acl.id)
    return {}


@operation("ReplaceNetworkAclEntry")
def replace_network_acl_entry(ctx: Context, params: Params) -> Result:
    acl = fetch(ctx, "acl", params["NetworkAclId"])
    entry = _parsed(params)
    _require_one(ctx.db.execute(update(network_acl_entries).where(_is(acl.id, params)).values(entry)).rowcount, params)
    ctx.note("network_acl", acl.id)
    return {}


@operation("DeleteNetworkAclEntry")
def delete_network_acl_entry(ctx: Context, params: Params) -> Result:
    acl = fetch(ctx, "acl", params["NetworkAclId"])
    _number(params)
    _require_one(ctx.db.execute(delete(network_acl_entries).where(_is(acl.id, params))).rowcount, params)
    ctx.note("network_acl", acl.id)
    return {}


def _is(acl_id: str, params: Params) -> ColumnElement[bool]:
    return and_(
        _ENTRY.network_acl_id == acl_id,
        _ENTRY.egress.is_(params["Egress"]),
        _ENTRY.rule_number == params["RuleNumber"],
    )


def _require_one(found: int, params: Params) -> None:
    if not found:
        direction = "egress" if params["Egress"] else "ingress"
        raise AwsError(
            "InvalidNetworkAclEntry.NotFound", f"no {direction} entry with number {params['RuleNumber']}"
        )  # as seen in hashicorp/terraform-provider-aws#12175


def _number(params: Params) -> int:
    number = int(params["RuleNumber"])
    if not 1 <= number < LAST:
        raise invalid_parameter_value(
            f"Value ({number}) for parameter ruleNumber is invalid. Rule numbers are from 1 to {LAST - 1}."
        )
    return number


def _parsed(params: Params) -> dict[str, Any]:
    """An entry's columns out of a request.

    :raises AwsError: ``InvalidParameterValue``, ``InvalidParameterCombination``, ``MissingParameter``.
    """
    name = protocol_of(params["Protocol"])
    protocol = NUMBERS.get(name, name)
    blocks = _blocks(params)
    return {
        "egress": params["Egress"],
        "rule_number": _number(params),
        "rule_action": params["RuleAction"],
        "protocol": protocol,
        **blocks,
        **_ports(protocol, params),
        **_types(protocol, blocks["ipv6_cidr_block"] is not None, params),
    }


def _blocks(params: Params) -> dict[str, str | None]:
    given = [name for name in ("CidrBlock", "Ipv6CidrBlock") if params.get(name)]
    if not given:
        raise missing_parameter("cidrBlock or ipv6CidrBlock")
    if len(given) > 1:
        raise invalid_parameter_combination("An entry has either a cidrBlock or an ipv6CidrBlock, not both.")
    ipv4, ipv6 = params.get("CidrBlock"), params.get("Ipv6CidrBlock")
    return {
        "cidr_block": str(cidr.ipv4(ipv4)) if ipv4 else None,
        "ipv6_cidr_block": str(cidr.ipv6(ipv6)) if ipv6 else None,
    }


def _ports(protocol: str, params: Params) -> dict[str, int | None]:
    if protocol not in _WITH_PORTS:
        return {"from_port": None, "to_port": None}
    first, last = (params.get("PortRange", {}).get(end) for end in ("From", "To"))
    if first is None or last is None:
        raise missing_parameter("portRange")
    if not 0 <= first <= last <= 65535:
        raise invalid_parameter_value(f"Value ({first}-{last}) for parameter portRange is invalid.")
    return {"from_port": first, "to_port": last}


def _types(protocol: str, ipv6: bool, params: Params) -> dict[str, int | None]:
    if protocol != _ICMP and (protocol != _ICMPV6 or not ipv6):
        return {"icmp_type": None, "icmp_code": None}
    type_, code = (params.get("IcmpTypeCode", {}).get(part) for part in ("Type", "Code"))
    if type_ is None or code is None:
        raise missing_parameter("icmpTypeCode")
    if not (-1 <= type_ <= 255 and -1 <= code <= 255) or (type_ == -1 and code != -1):
        raise invalid_parameter_value(f"Value (type {type_}, code {code}) for parameter icmpTypeCode is invalid.")
    return {"icmp_type": type_, "icmp_code": code}
