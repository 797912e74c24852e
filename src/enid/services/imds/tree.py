"""The tree of an instance's metadata: which path says what. Pure.

Categories, their names and their forms are AWS's ("Instance metadata categories", EC2 User Guide). What an instance
has not is not in the tree, and answers 404 as on AWS: ``iam/``, ``spot/``, ``public-ipv4`` without a public address.
"""

from __future__ import annotations

import json
import re
from base64 import b64decode
from collections.abc import Iterable, Mapping
from ipaddress import ip_address
from typing import Any
from urllib.parse import unquote

from enid import dns_names
from enid.ec2 import images, instance_types
from enid.services.imds.facts import Facts, InterfaceFacts

Tree = dict[str, Any]
"""Name → a text, bytes, or another tree."""

VERSIONS = (
    "1.0", "2007-01-19", "2007-03-01", "2007-08-29", "2007-10-10", "2007-12-15", "2008-02-01", "2008-09-01",
    "2009-04-04", "2011-01-01", "2011-05-01", "2012-01-12", "2014-02-25", "2014-11-05", "2015-10-20", "2016-04-19",
    "2016-06-30", "2016-09-02", "2018-03-28", "2018-08-17", "2018-09-24", "2019-10-01", "2020-08-24", "2020-10-27",
    "2021-01-03", "2021-03-23", "2021-07-15", "2022-07-09", "2022-09-24", "2024-04-11", "latest",
)  # fmt: skip
"""Of the tree; they all answer the same here."""
_TAG_KEY = re.compile(r"(?!\.{1,2}$|_index$)[A-Za-z0-9+\-=._:@,]+")
"""Keys that can be a path (EC2 User Guide, "Instance tags in instance metadata")."""


def find(tree: Tree, path: str) -> bytes | None:
    """What a request for ``path`` is answered: a value, or the listing of a directory; None is 404.

    A trailing slash, and one more between names, change nothing.
    """
    version, *rest = [unquote(name) for name in path.split("/") if name] or [""]
    if not version:
        return "\n".join(VERSIONS).encode()
    if version not in VERSIONS:
        return None
    found: Any = tree
    for name in rest:
        if not isinstance(found, dict) or name not in found:
            return None
        found = found[name]
    if found is tree:
        found = "\n".join(sorted(tree))
    elif isinstance(found, dict):
        found = "\n".join(_entry(name, value) for name, value in sorted(found.items()))
    return found if isinstance(found, bytes) else str(found).encode()


def _entry(name: str, value: Any) -> str:
    if isinstance(value, _Key):
        return f"{name}={value.name}"
    return f"{name}/" if isinstance(value, dict) else name


class _Key(Tree):
    """A public key: listed with its name."""

    name = ""


def build(facts: Facts, region: str) -> Tree:
    """Everything below ``/latest``."""
    dynamic: Tree = {
        "instance-identity": {"document": _document(facts, region)},
        "fws": {"instance-monitoring": "enabled" if facts.instance.monitoring else "disabled"},
    }
    tree: Tree = {"meta-data": _meta_data(facts, region), "dynamic": dynamic}
    if facts.instance.user_data:
        tree["user-data"] = b64decode(facts.instance.user_data)
    return tree


def _meta_data(facts: Facts, region: str) -> Tree:
    instance = facts.instance
    tree: Tree = {
        "ami-id": instance.image_id,
        "ami-launch-index": instance.launch_index,
        "ami-manifest-path": "(unknown)",
        "block-device-mapping": {"ami": images.ROOT_DEVICE_NAME, "root": images.ROOT_DEVICE_NAME},
        "events": {"maintenance": {"history": "[]", "scheduled": "[]"}},
        "instance-action": "none",
        "instance-id": instance.id,
        "instance-life-cycle": "on-demand",
        "instance-type": instance.instance_type,
        "placement": {
            "availability-zone": instance.availability_zone,
            "availability-zone-id": instance.availability_zone_id,
            "region": region,
        },
        "profile": "default-hvm",
        "reservation-id": instance.reservation_id,
        "services": {"domain": "amazonaws.com", "partition": "aws"},
    }
    if facts.interfaces:
        tree |= _of_primary(facts, facts.interfaces[0], region)
        macs = {each.mac: _interface(each, facts, region) for each in facts.interfaces}
        tree["network"] = {"interfaces": {"macs": macs}}
    if instance.public_key:
        key = _Key({"openssh-key": instance.public_key})
        key.name = instance.key_name
        tree["public-keys"] = {"0": key}
    if (instance.metadata_options or {}).get("InstanceMetadataTags") == "enabled":
        tree["tags"] = {"instance": {key: value for key, value in facts.tags if _TAG_KEY.fullmatch(key)}}
    return tree


def _of_primary(facts: Facts, primary: InterfaceFacts, region: str) -> Tree:
    hostname = host_name(facts, primary)
    tree: Tree = {
        "hostname": hostname,
        "local-hostname": hostname,
        "local-ipv4": primary.ipv4[0],
        "mac": primary.mac,
        "security-groups": _lines(name for _, name in primary.groups),
    }
    if primary.ipv6:
        tree["ipv6"] = primary.ipv6[0]
    return tree | _public(primary, region, "public-ipv4")


def host_name(facts: Facts, primary: InterfaceFacts) -> str:
    """As DHCP gives it: the label, and the domain of the VPC's option set."""
    kind = ((facts.instance.extra or {}).get("PrivateDnsNameOptions") or {}).get("HostnameType", "")
    label = dns_names.host_label(kind, facts.instance.id, primary.ipv4[0])
    return ".".join(filter(None, (label, primary.vpc.options.domain)))


def _public(interface: InterfaceFacts, region: str, name: str) -> Tree:
    """``public-hostname`` and the public address(es) under ``name``, if the interface has any."""
    public = [ip for _, ip in interface.public]
    tree: Tree = {}
    if public and name == "public-ipv4s":
        tree[name] = _lines(public)
    first = dict(interface.public).get(interface.ipv4[0])
    if first and name == "public-ipv4":
        tree[name] = first
    if first and interface.vpc.public_names:
        tree["public-hostname"] = dns_names.public_name(region, first)
    return tree


def _interface(interface: InterfaceFacts, facts: Facts, region: str) -> Tree:
    vpc = interface.vpc
    tree: Tree = {
        "device-number": interface.device_index,
        "interface-id": interface.id,
        "local-hostname": dns_names.private_name(region, interface.ipv4[0]),
        "local-ipv4s": _lines(interface.ipv4),
        "mac": interface.mac,
        "network-card-index": interface.network_card_index,
        "owner-id": interface.owner,
        "security-group-ids": _lines(id_ for id_, _ in interface.groups),
        "security-groups": _lines(name for _, name in interface.groups),
        "subnet-id": interface.subnet_id,
        "subnet-ipv4-cidr-block": interface.subnet_block,
        "vpc-id": vpc.id,
        "vpc-ipv4-cidr-block": vpc.block,
        "vpc-ipv4-cidr-blocks": _lines(vpc.blocks),
    }
    if _cards(facts.instance.instance_type) > 1:
        tree["network-card"] = interface.network_card_index
    if interface.public:
        tree["ipv4-associations"] = {public: private for private, public in interface.public}
    if interface.ipv6:
        tree["ipv6s"] = _lines(str(ip_address(ip)) for ip in interface.ipv6)
    if interface.ipv4_prefixes:
        tree["ipv4-prefix"] = _lines(interface.ipv4_prefixes)
    if interface.ipv6_prefixes:
        tree["ipv6-prefix"] = _lines(interface.ipv6_prefixes)
    if interface.subnet_ipv6_block:
        tree["subnet-ipv6-cidr-blocks"] = interface.subnet_ipv6_block
    if vpc.ipv6_blocks:
        tree["vpc-ipv6-cidr-blocks"] = _lines(vpc.ipv6_blocks)
    return tree | _public(interface, region, "public-ipv4s")


def _cards(instance_type: str) -> int:
    return instance_types.limits(instance_type).network_cards


def _document(facts: Facts, region: str) -> str:
    """The instance identity document; AWS's order, and its way to print."""
    instance = facts.instance
    document: Mapping[str, Any] = {
        "accountId": instance.account_id,
        "architecture": images.SANDBOX["Architecture"],
        "availabilityZone": instance.availability_zone,
        "billingProducts": None,
        "devpayProductCodes": None,
        "marketplaceProductCodes": None,
        "imageId": instance.image_id,
        "instanceId": instance.id,
        "instanceType": instance.instance_type,
        "kernelId": None,
        "pendingTime": instance.launch_time.partition(".")[0].removesuffix("Z") + "Z",
        "privateIp": facts.interfaces[0].ipv4[0] if facts.interfaces else None,
        "ramdiskId": None,
        "region": region,
        "version": "2017-09-30",
    }
    return json.dumps(document, indent=2, separators=(",", " : "))


def _lines(values: Iterable[str]) -> str:
    return "\n".join(values)
