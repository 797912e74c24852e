"""A store as `enid up` and some calls would have left it, and the command line pointed at it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert

from enid.cli.app import run
from enid.settings import Settings
from enid.store import tables as t
from enid.store.database import Database
from fresh_store import fresh_store

ACCOUNT = "111122223333"


@dataclass
class Result:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Enid = Callable[..., Result]


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def enid(tmp_path: Path, state: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Enid:
    """Run a command line against this test's own directories."""
    monkeypatch.setenv("ENID_STATE_DIR", str(state))
    monkeypatch.setenv("ENID_RUN_DIR", str(tmp_path / "run"))
    monkeypatch.setenv("TERM", "dumb")

    def call(*words: str) -> Result:
        capsys.readouterr()
        code = run(words)
        out, err = capsys.readouterr()
        return Result(code, out, err)

    return call


@pytest.fixture
def database(state: Path) -> Iterator[Database]:
    """An empty store with one account."""
    result = fresh_store(Settings(state_dir=state))
    with result.write() as db:
        db.execute(insert(t.accounts).values(id=ACCOUNT, created_at="2026-01-01T00:00:00.000Z"))
        db.execute(insert(t.access_keys).values(id="AKIAEXAMPLE", secret="s3cr3t/+'x", account_id=ACCOUNT))
    yield result
    result.close()


@pytest.fixture
def network(database: Database) -> Database:
    """A dual-homed web server: eth0 public with an Elastic IP, eth1 in a management subnet behind a VPN."""
    own = {"account_id": ACCOUNT}
    with database.write() as db:

        def add(table: Any, *rows: dict[str, Any]) -> None:
            for row in rows:
                db.execute(insert(table).values(**row))

        add(t.vpcs, {"id": "vpc-1", "cidr_block": "10.0.0.0/16", **own})
        add(
            t.vpc_cidr_blocks,
            {"id": "vpc-cidr-assoc-1", "vpc_id": "vpc-1", "cidr_block": "10.0.0.0/16", "is_primary": True},
        )
        zone = {"vpc_id": "vpc-1", "availability_zone": "us-east-1a", **own}
        add(
            t.subnets,
            {"id": "subnet-1", "cidr_block": "10.0.1.0/24", **zone},
            {"id": "subnet-2", "cidr_block": "10.0.2.0/24", **zone},
        )
        add(t.internet_gateways, {"id": "igw-1", "vpc_id": "vpc-1", **own})
        add(t.vpn_gateways, {"id": "vgw-1", "vpc_id": "vpc-1", **own})
        add(t.customer_gateways, {"id": "cgw-1", "ip_address": "203.0.113.10", **own})
        add(
            t.vpn_connections,
            {"id": "vpn-1", "customer_gateway_id": "cgw-1", "vpn_gateway_id": "vgw-1", "tunnels": [], **own},
        )
        add(t.vpn_connection_routes, {"vpn_connection_id": "vpn-1", "destination_cidr_block": "192.168.0.0/16"})
        add(t.route_tables, *({"id": id_, "vpc_id": "vpc-1", **own} for id_ in ("rtb-main", "rtb-1")))
        add(
            t.route_table_associations,
            {"id": "rtbassoc-0", "route_table_id": "rtb-main", "vpc_id": "vpc-1", "main": True},
            {"id": "rtbassoc-1", "route_table_id": "rtb-1", "vpc_id": "vpc-1", "subnet_id": "subnet-1"},
        )
        add(
            t.routes,
            {
                "route_table_id": "rtb-1",
                "destination": "0.0.0.0/0",
                "target_kind": "internet_gateway",
                "target_id": "igw-1",
            },
        )
        add(t.route_propagations, {"route_table_id": "rtb-main", "gateway_id": "vgw-1"})
        for group, port, cidr in (("sg-web", 80, "0.0.0.0/0"), ("sg-ssh", 22, "192.168.0.0/16")):
            add(t.security_groups, {"id": group, "vpc_id": "vpc-1", "name": group[3:], **own})
            rule = {"group_id": group, "ip_protocol": "tcp", "from_port": port, "to_port": port, "cidr_ipv4": cidr}
            add(t.security_group_rules, {"id": f"sgr-{group}", "identity": "in", **rule, **own})
        add(
            t.instances,
            {"id": "i-1", "instance_type": "t3.micro", "vpc_id": "vpc-1", "state": "running", "health": "ok", **own},
            {"id": "i-2", "instance_type": "t3.micro", "vpc_id": "vpc-1", "state": "terminated", **own},
        )
        add(t.tags, *({"resource_id": id_, "key": "Name", "value": "web", **own} for id_ in ("i-1", "i-2")))
        for number, group in ((0, "sg-web"), (1, "sg-ssh")):
            eni, subnet, ip = f"eni-{number}", f"subnet-{number + 1}", f"10.0.{number + 1}.10"
            add(
                t.network_interfaces,
                {
                    "id": eni,
                    "vpc_id": "vpc-1",
                    "subnet_id": subnet,
                    "mac_address": f"02:00:00:00:00:0{number}",
                    "private_ip_address": ip,
                    "status": "in-use",
                    **own,
                },
            )
            add(t.private_addresses, {"subnet_id": subnet, "ip": ip, "network_interface_id": eni, "is_primary": True})
            add(t.network_interface_groups, {"network_interface_id": eni, "group_id": group})
            add(
                t.attachments,
                {
                    "id": f"eni-attach-{number}",
                    "network_interface_id": eni,
                    "instance_id": "i-1",
                    "device_index": number,
                    "status": "attached",
                },
            )
        add(
            t.public_addresses,
            {"ip": "198.18.0.5", "network_interface_id": "eni-0", "private_ip": "10.0.1.10", **own},
        )
        add(
            t.sites,
            {"name": "corp", "public_ip": "203.0.113.10", "network": "192.168.0.0/16", "host_ip": "192.168.0.10"},
        )
    return database
