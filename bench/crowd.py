"""A store full of interfaces, written by hand: so many could not be made through the API while somebody waits.

They lie in VPCs that are all alike, :data:`PER_VPC` interfaces each, so that an answer about one of them is as long
however many others there are. What is asked about is in the one in the middle.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from sqlalchemy import Table, insert, select, update

from enid.store import tables as t
from enid.store.database import Database

PER_VPC = 10
_PER_INSTANCE, _PER_SUBNET, _PER_ADDRESS = 2, 5, 10
_CREATED = "2026-01-01T00:00:00.000Z"
_ZONE = {"availability_zone": "us-east-1a", "availability_zone_id": "use1-az1"}
_PUBLIC_BASE = IPv4Address("198.18.0.1")

Rows = dict[Table, list[dict[str, Any]]]


class Crowd:
    """So many interfaces of one account, and the names of what is in the middle."""

    def __init__(self, account: str, interfaces: int) -> None:
        self._account = account
        self.vpcs = max(interfaces // PER_VPC, 1)
        self.middle = self.vpcs // 2 * PER_VPC
        """The number of the interface that is asked about."""

    def id(self, prefix: str, number: int | None = None) -> str:
        """Of the thing of this kind that belongs to the interface ``number``, else to the one that is asked about."""
        number = self.middle if number is None else number
        return f"{prefix}-{number // _SHARED.get(prefix, 1):017x}"

    def public_ip(self, number: int | None = None) -> str:
        return str(_PUBLIC_BASE + (self.middle if number is None else number) // _PER_ADDRESS)

    def ip(self, number: int | None = None) -> str:
        """VPCs do not overlap, as in an organisation that plans its addresses."""
        base, offset = self._place(self.middle if number is None else number)
        return str(base + offset)

    def _place(self, number: int) -> tuple[IPv4Address, int]:
        """The base of the interface's subnet, and how far from it its address is."""
        vpc, rest = divmod(number, PER_VPC)
        subnet, host = divmod(rest, _PER_SUBNET)
        return _block(vpc).network_address + (subnet << 8), 4 + host

    def mac(self) -> str:
        return f"02:{self.middle.to_bytes(5).hex(':')}"

    def rule(self) -> str:
        """A rule of :meth:`group`."""
        return _rule(self.group(), 0)

    def subnet_block(self) -> str:
        """Of the subnet that is asked about."""
        return f"{self._place(self.middle)[0]}/24"

    def write(self, database: Database) -> None:
        """Into a store that has the account, in one transaction."""
        rows: Rows = defaultdict(list)
        for number in range(self.vpcs):
            self._vpc(rows, number)
        with database.write() as db:
            for table in t.metadata.sorted_tables:
                if table in rows:
                    db.execute(insert(table), rows[table])

    def _vpc(self, rows: Rows, number: int) -> None:
        first = number * PER_VPC
        self._ground(rows, number)
        for each in range(first, first + PER_VPC):
            if each % _PER_INSTANCE == 0:
                rows[t.instances].append(self._instance(each))
            self._interface(rows, each)
            if each % _PER_ADDRESS == 0:
                rows[t.public_addresses].append(self._elastic_ip(each))
                rows[t.tags] += self._tags(self.id("eipalloc", each), "elastic-ip", f"web-{each}")

    def _ground(self, rows: Rows, number: int) -> None:
        first = number * PER_VPC
        vpc = self.id("vpc", first)
        mine = {"account_id": self._account, "created_at": _CREATED}
        block = str(_block(number))
        rows[t.vpcs].append({**mine, "id": vpc, "cidr_block": block, "enable_dns_hostnames": True})
        rows[t.vpc_cidr_blocks].append(
            {"id": self.id("vpc-cidr-assoc", first), "vpc_id": vpc, "cidr_block": block, "is_primary": True}
        )
        rows[t.internet_gateways].append({**mine, "id": self.id("igw", first), "vpc_id": vpc})
        for name in ("default", "web"):
            group = self.group(name, first)
            rows[t.security_groups].append({**mine, "id": group, "vpc_id": vpc, "name": name, "description": name})
            for rule in _rules(group, self.group("default", first)):
                rows[t.security_group_rules].append(rule | {"account_id": self._account})
        rows[t.tags] += self._tags(self.group("web", first), "security-group", f"group-{number}")
        for at in range(first, first + PER_VPC, _PER_SUBNET):
            self._subnet(rows, at, mine | {"vpc_id": vpc})

    def group(self, name: str = "web", number: int | None = None) -> str:
        """The security group ``default`` or ``web`` of the VPC."""
        number = self.middle if number is None else number
        return f"sg-{number // PER_VPC * 2 + (name == 'web'):017x}"

    def _subnet(self, rows: Rows, first: int, mine: dict[str, Any]) -> None:
        id_, table = self.id("subnet", first), self.id("rtb", first)
        base, _ = self._place(first)
        rows[t.subnets].append({**mine, **_ZONE, "id": id_, "cidr_block": f"{base}/24", "next_offset": 4 + _PER_SUBNET})
        rows[t.route_tables].append({**mine, "id": table})
        rows[t.route_table_associations].append(
            {"id": self.id("rtbassoc", first), "route_table_id": table, "vpc_id": mine["vpc_id"], "subnet_id": id_}
        )
        targets = (("0.0.0.0/0", "internet_gateway", "igw"), ("172.16.0.0/12", "network_interface", "eni"))
        rows[t.routes] += [
            {"route_table_id": table, "destination": destination, "target_kind": kind, "target_id": self.id(of, first)}
            for destination, kind, of in targets
        ]
        for tagged, type_ in ((id_, "subnet"), (table, "route-table")):
            rows[t.tags] += self._tags(tagged, type_, f"net-{first}")

    def _instance(self, number: int) -> dict[str, Any]:
        return {
            "id": self.id("i", number),
            "account_id": self._account,
            "reservation_id": self.id("r", number),
            "image_id": "ami-0",
            "instance_type": "m5.large",
            **_ZONE,
            "vpc_id": self.id("vpc", number),
            "subnet_id": self.id("subnet", number),
            "state": "stopped",
            "launch_time": _CREATED,
            "changed_at": _CREATED,
        }

    def _interface(self, rows: Rows, number: int) -> None:
        id_ = self.id("eni", number)
        mine = {"account_id": self._account, "vpc_id": self.id("vpc", number), "subnet_id": self.id("subnet", number)}
        base, offset = self._place(number)
        _interface(rows, number, base, offset, id_, mine | {"status": "in-use"})
        rows[t.network_interface_groups].append({"network_interface_id": id_, "group_id": self.group("web", number)})
        rows[t.attachments].append(
            {
                "id": self.id("eni-attach", number),
                "network_interface_id": id_,
                "instance_id": self.id("i", number),
                "device_index": number % _PER_INSTANCE,
                "status": "attached",
                "attach_time": _CREATED,
            }
        )
        rows[t.tags] += self._tags(id_, "network-interface", f"web-{number}")
        if number % _PER_INSTANCE == 0:
            rows[t.tags] += self._tags(self.id("i", number), "instance", f"web-{number}")

    def _elastic_ip(self, number: int) -> dict[str, Any]:
        return {
            "ip": self.public_ip(number),
            "account_id": self._account,
            "allocation_id": self.id("eipalloc", number),
            "association_id": self.id("eipassoc", number),
            "network_interface_id": self.id("eni", number),
            "private_ip": self.ip(number),
            "network_border_group": "us-east-1",
            "created_at": _CREATED,
        }

    def _tags(self, id_: str, type_: str, name: str) -> Iterator[dict[str, Any]]:
        """A name of its own, and one value that everything has."""
        for key, value in (("Name", name), ("stage", "production")):
            yield {
                "resource_id": id_,
                "key": key,
                "value": value,
                "account_id": self._account,
                "resource_type": type_,
            }


_SHARED = {
    "vpc": PER_VPC,
    "vpc-cidr-assoc": PER_VPC,
    "igw": PER_VPC,
    "subnet": _PER_SUBNET,
    "rtb": _PER_SUBNET,
    "rtbassoc": _PER_SUBNET,
    "i": _PER_INSTANCE,
    "r": _PER_INSTANCE,
    "eipalloc": _PER_ADDRESS,
    "eipassoc": _PER_ADDRESS,
}
"""How many interfaces share one."""


def _block(vpc: int) -> IPv4Network:
    return IPv4Network((0x0A000000 + (vpc << 12), 20))


def _rule(group: str, place: int) -> str:
    return group.replace("sg-0", f"sgr-{place}")


def _rules(group: str, other: str) -> Iterator[dict[str, Any]]:
    sources = (
        {"ip_protocol": "tcp", "from_port": 80, "to_port": 80, "cidr_ipv4": "0.0.0.0/0"},
        {"ip_protocol": "-1", "referenced_group_id": other},
        {"ip_protocol": "-1", "cidr_ipv4": "0.0.0.0/0", "is_egress": True},
    )
    for place, source in enumerate(sources):
        id_ = _rule(group, place)
        yield (
            {"id": id_, "group_id": group, "is_egress": False, "from_port": -1, "to_port": -1, "identity": id_}
            | {
                "cidr_ipv4": None,
                "referenced_group_id": None,
            }
            | source
        )


def pack(database: Database, subnet_id: str, interfaces: int, group_id: str) -> None:
    """So many interfaces more in this subnet and this group of the store, from the subnet's beginning on."""
    with database.write() as db:
        subnet = db.execute(select(t.subnets).where(t.subnets.c.id == subnet_id)).one()
        mine = {"account_id": subnet.account_id, "vpc_id": subnet.vpc_id, "subnet_id": subnet_id}
        base = IPv4Network(subnet.cidr_block).network_address
        rows: Rows = defaultdict(list)
        for number in range(4, 4 + interfaces):
            _interface(rows, (1 << 32) + number, base, number, f"eni-1{number:016x}", mine)
            rows[t.network_interface_groups].append(
                {"network_interface_id": f"eni-1{number:016x}", "group_id": group_id}
            )
        for table, values in rows.items():
            db.execute(insert(table), values)
        moved = update(t.subnets).where(t.subnets.c.id == subnet_id)
        db.execute(moved.values(next_offset=4 + interfaces))


def _interface(rows: Rows, number: int, base: IPv4Address, offset: int, id_: str, values: dict[str, Any]) -> None:
    """An interface with one address, so far from its subnet's base."""
    ip = str(base + offset)
    rows[t.network_interfaces].append(
        {
            **values,
            **_ZONE,
            "id": id_,
            "mac_address": f"02:{number.to_bytes(5).hex(':')}",
            "private_ip_address": ip,
            "created_at": _CREATED,
        }
    )
    rows[t.private_addresses].append(
        {
            "subnet_id": values["subnet_id"],
            "ip": ip,
            "address_offset": offset,
            "block": offset >> 4,
            "network_interface_id": id_,
            "is_primary": True,
        }
    )
