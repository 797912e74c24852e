"""``enid orphans``: what a program leaves behind that dies between detaching and deleting."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import insert, update

from enid.clock import now
from enid.store import tables as t
from enid.store.database import Database

ACCOUNT = "111122223333"


@pytest.fixture
def leaky(network: Database) -> Database:
    """An interface attached to nothing, a NAT gateway's, and an Elastic IP that stands for nothing, just made."""
    with network.write() as db:
        for number, managed in ((7, False), (8, True)):
            db.execute(
                insert(t.network_interfaces).values(
                    id=f"eni-{number}",
                    account_id=ACCOUNT,
                    vpc_id="vpc-1",
                    subnet_id="subnet-1",
                    mac_address=f"02:00:00:00:00:{number:02}",
                    private_ip_address=f"10.0.1.{number}",
                    description="pods",
                    requester_managed=managed,
                    created_at=now(),
                )
            )
        free = {"ip": "198.18.0.9", "allocation_id": "eipalloc-1", "account_id": ACCOUNT, "created_at": now()}
        db.execute(insert(t.public_addresses).values(**free))
    return network


def test_without_any_it_says_so(enid: Any, network: Database) -> None:
    result = enid("orphans")
    assert (result.code, result.out.splitlines()[0][:10]) == (0, "no orphans")
    assert enid("orphans", "--json").json == []


def test_what_nobody_holds_and_how_it_ends(enid: Any, leaky: Database) -> None:
    result = enid("orphans", "--json")
    assert result.code == 1
    assert [(one["id"], one["why"], one["ends_with"]) for one in result.json] == [
        ("eni-7", "attached to nothing", "aws ec2 delete-network-interface --network-interface-id eni-7"),
        ("eipalloc-1", "198.18.0.9 stands for nothing", "aws ec2 release-address --allocation-id eipalloc-1"),
    ]
    shown = enid("orphans").out
    assert "eni-7" in shown
    assert "pods" in shown


def test_what_was_made_just_now_may_be_on_its_way(enid: Any, leaky: Database) -> None:
    assert enid("orphans", "--older", "60").code == 0


def test_interfaces_on_a_dead_instance(enid: Any, network: Database) -> None:
    """Its primary one cannot leave it; the others are there to be moved."""
    with network.write() as db:
        db.execute(update(t.instances).where(t.instances.c.id == "i-1").values(health="impaired"))
    (one,) = enid("orphans", "--json").json
    assert (one["id"], one["why"]) == ("eni-1", "on i-1, which is impaired")
    assert one["ends_with"] == "aws ec2 detach-network-interface --force --attachment-id eni-attach-1"
