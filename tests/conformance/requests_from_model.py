"""Requests as botocore's model allows them: Hypothesis strategies made from an operation's input shape.

Strings are mostly ids and words that mean something to the operation, so that calls get past the first check.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from botocore.model import OperationModel, Shape
from hypothesis import strategies as st

from enid.ec2.images import SANDBOX

Strategy = st.SearchStrategy[Any]

PREFIXES = {
    "Peering": ("pcx",),
    "Attachment": ("eni-attach",),
    "Allocation": ("eipalloc",),
    "Association": ("rtbassoc", "eipassoc", "vpc-cidr-assoc", "subnet-cidr-assoc"),
    "NetworkInterface": ("eni",),
    "InternetGateway": ("igw",),
    "VpnGateway": ("vgw",),
    "CustomerGateway": ("cgw",),
    "Gateway": ("igw", "vgw"),
    "RouteTable": ("rtb",),
    "Rule": ("sgr",),
    "Group": ("sg",),
    "PrefixList": ("pl",),
    "Connection": ("vpn",),
    "Instance": ("i",),
    "Subnet": ("subnet",),
    "Vpc": ("vpc",),
}
"""Part of a member's name → the kinds of ids that belong there."""

WORDS = (
    *("10.0.0.0/16", "10.0.1.0/24", "10.0.9.0/28", "0.0.0.0/0", "10.0.1.5/24", "10.0.1.9/32", "10.0.0.0/33"),
    *("300.1.1.1/8", "2001:db8::/32", "::/0", "fe80::1", "::ffff:1.2.3.4", "10.0.1.9", "10.0.1.5", "10.0.1.255"),
    *("198.18.0.9", "1.2.3", "tcp", "udp", "icmp", "icmpv6", "-1", "6", "256", "us-east-1a", "us-east-1z"),
    *("use1-az1", "us-east-1", "default", "t3.small", "t3.medium", "p5.48xlarge", "vpc", "ipsec.1", "amazon"),
    *("standard", "web", "true", "TRUE", "nope", "*", "?", "a*b\\\\?", "%", "_", "tag:Name", "tag-key", "Name"),
    *("aws:x", "state", "cmF3", "cm=", "", " ", "\t", "ü", "x" * 300),
)
LIKELY = {
    "Cidr": ("10.0.0.0/16", "10.0.1.0/24", "10.0.9.0/24", "10.1.4.0/28", "0.0.0.0/0", "192.168.0.0/16", "::/0"),
    "Ip": ("10.0.1.4", "10.0.1.5", "10.0.1.9", "10.0.1.77", "198.18.0.9", "203.0.113.7", "2001:db8::7"),
    "Protocol": ("tcp", "udp", "icmp", "icmpv6", "-1", "6", "47"),
    "Zone": ("us-east-1a", "us-east-1b"),
    "InstanceType": ("t3.small", "t3.medium", "m5.large"),
    "Type": ("ipsec.1", "instance", "t3.small"),
    "Image": (SANDBOX["ImageId"],),
    "KeyName": ("key",),
    "AddressFamily": ("IPv4", "IPv6"),
}
"""The same for words; looked at after the ids."""

EXOTIC = re.compile(
    "TagSpec|Ipam|Outpost|Prefix(es|Count)|Ena|CoIp|Carrier|Egress|LocalGateway|Transit|NatGateway|CoreNetwork"
    "|Endpoint|Customer[A-Z]|Pool|BlockDevice|Launch|Market|Elastic|License|Hibernation|Enclave|Operator|Secondary[IN]"
    "|NextToken|DeviceName|Ramdisk|Kernel|Placement|EvsId|Odb|PublicIpv4"
)
"""Members that enid mostly refuses by name, and tokens: asked for seldom, or little else would be seen."""

NUMBERS = (-(2**31), -1, 0, 1, 2, 5, 22, 50, 1000, 1001, 65535, 65536, 2**31 - 1)


class Requests:
    """Strategies over the ids that are in the store."""

    def __init__(self, ids: Sequence[str]) -> None:
        self._ids = list(ids)

    def of(self, operation: OperationModel) -> Strategy:
        """Parameters of the operation, under the model's member names."""
        if operation.input_shape is None:
            return st.just({})
        return self._structure(operation.input_shape, 0)

    def _structure(self, shape: Shape, depth: int) -> Strategy:
        members = {name: self._value(name, member, depth + 1) for name, member in shape.members.items()}
        if "Filters" in members:
            members["Filters"] = self._filters(shape.members["Filters"])
        members.pop("DryRun", None)  # a call that is only asked about finds nothing more
        wanted = {name: members.pop(name) for name in shape.required_members if name in members}
        # Few members at a time: operations refuse most combinations at once.
        plain = [name for name in sorted(members) if not EXOTIC.search(name)]
        names = _often(_some(plain), _some(sorted(members)))
        optional = names.flatmap(lambda chosen: st.fixed_dictionaries({name: members[name] for name in chosen}))
        return st.tuples(st.fixed_dictionaries(wanted), optional).map(lambda both: {**both[0], **both[1]})

    def _filters(self, shape: Shape) -> Strategy:
        documented = re.findall(r"<code>([a-z0-9.:-]+)</code>", shape.documentation) or ["state"]
        names = st.one_of(st.sampled_from(documented), st.sampled_from(WORDS))
        values = st.lists(self._text(""), max_size=2)
        one = st.fixed_dictionaries({}, optional={"Name": names, "Values": values})
        return st.lists(one, max_size=3)

    def _value(self, name: str, shape: Shape, depth: int) -> Strategy:
        if shape.type_name == "structure":
            return st.deferred(lambda: self._structure(shape, depth)) if depth < 7 else st.just({})
        if shape.type_name == "list":
            return st.lists(self._value(name, shape.member, depth), max_size=3)
        if shape.type_name == "string":
            enum = getattr(shape, "enum", None)
            return st.sampled_from(enum) if enum else self._text(name)
        return {
            "boolean": st.booleans(),
            "integer": st.one_of(st.sampled_from(NUMBERS), st.integers(-(2**31), 2**31 - 1)),
            "long": st.one_of(st.sampled_from(NUMBERS), st.integers(-(2**63), 2**63 - 1)),
            "float": st.floats(),
            "double": st.floats(),
            "blob": st.binary(max_size=40),
            "timestamp": st.datetimes(min_value=datetime(1970, 1, 1)),
        }[shape.type_name]

    def _text(self, name: str) -> Strategy:
        prefixes = next((found for part, found in PREFIXES.items() if part in name), ())
        likely: Sequence[str] = [id_ for id_ in self._ids if id_.rpartition("-")[0] in prefixes]
        likely = likely or next((found for part, found in LIKELY.items() if part in name), WORDS)
        return _often(st.sampled_from(likely), st.one_of(st.sampled_from(self._ids), st.sampled_from(WORDS), st.text()))


def _often(likely: Strategy, unlikely: Strategy) -> Strategy:
    """Nine times of ten the first."""
    return st.sampled_from(range(10)).flatmap(lambda dice: unlikely if dice == 9 else likely)


def _some(names: Sequence[str]) -> Strategy:
    return st.lists(st.sampled_from(names), max_size=4, unique=True) if names else st.just([])
