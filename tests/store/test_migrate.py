"""The migrations make the schema that the tables describe."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import select, text

import postgresql_server
from enid.store import snapshot, tables
from enid.store.database import Database
from enid.store.migrate import configuration, migrate
from enid.store.tables import metadata
from enid.topology.records import NetworkAcl


def test_migrated_store_has_the_tables_of_this_version(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'enid.db'}")
    migrate(database)
    with database.read() as db:
        differences = compare_metadata(MigrationContext.configure(db), metadata)
    database.close()
    assert differences == []


def test_migrating_again_changes_nothing(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'enid.db'}")
    migrate(database)
    migrate(database)
    database.close()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def empty_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A store without any table."""
    if request.param == "sqlite":
        database = Database(f"sqlite:///{tmp_path / 'enid.db'}")
        yield database
        database.close()
        return
    with postgresql_server.empty_database(request.getfixturevalue("postgresql")) as url:
        database = Database(url)
        yield database
        database.close()


def test_a_vpc_of_an_older_store_gets_the_default_network_acl_it_was_shown_with(empty_store: Database) -> None:
    vpcs = {"vpc-0aaaaaaaaaaaaaaaa": (4,), "vpc-0bbbbbbbbbbbbbbbb": (4, 6)}
    with empty_store.change_schema() as db:
        config = configuration()
        config.attributes["connection"] = db
        command.upgrade(config, "0001")
        for id_, families in vpcs.items():
            db.execute(text("INSERT INTO vpcs (id, account_id, created_at) VALUES (:id, '1', 'then')"), {"id": id_})
            db.execute(
                text("INSERT INTO subnets (id, account_id, vpc_id) VALUES (:id, '1', :vpc)"),
                {"id": id_.replace("vpc", "subnet"), "vpc": id_},
            )
            for family in families:
                db.execute(
                    text(
                        "INSERT INTO vpc_cidr_blocks (id, vpc_id, cidr_block, family) VALUES (:id, :vpc, :id, :family)"
                    ),
                    {"id": f"{id_}-{family}", "vpc": id_, "family": family},
                )
    migrate(empty_store)
    with empty_store.read() as db:
        acls = db.execute(select(tables.network_acls)).all()
        assert {(acl.id, acl.vpc_id, acl.account_id, acl.is_default) for acl in acls} == {
            (id_.replace("vpc", "acl"), id_, "1", True) for id_ in vpcs
        }
        associations = db.execute(select(tables.network_acl_associations)).all()
        assert {(row.id, row.network_acl_id, row.subnet_id) for row in associations} == {
            tuple(id_.replace("vpc", prefix) for prefix in ("aclassoc", "acl", "subnet")) for id_ in vpcs
        }
        for id_, families in vpcs.items():
            record = snapshot.records(db, [("network_acl", id_.replace("vpc", "acl"))]).popitem()[1]
            assert isinstance(record, NetworkAcl)
            assert record.versions == families
            assert record.subnets == (id_.replace("vpc", "subnet"),)
            for direction in ("ingress", "egress"):
                assert not record.restricts(direction)


def test_addresses_of_an_older_store_learn_their_block(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'enid.db'}")
    with database.change_schema() as db:
        config = configuration()
        config.attributes["connection"] = db
        command.upgrade(config, "0006")
        for statement in (
            "INSERT INTO vpcs (id, account_id) VALUES ('vpc-1', '1')",
            "INSERT INTO subnets (id, account_id, vpc_id) VALUES ('subnet-1', '1', 'vpc-1')",
            "INSERT INTO network_interfaces (id, account_id, vpc_id, subnet_id) "
            "VALUES ('eni-1', '1', 'vpc-1', 'subnet-1')",
            "INSERT INTO private_addresses (subnet_id, ip, family, address_offset, network_interface_id) "
            "VALUES ('subnet-1', '10.0.1.40', 4, 40, 'eni-1'), ('subnet-1', '2001:db8:0:1:5::9', 6, NULL, 'eni-1')",
        ):
            db.execute(text(statement))
    migrate(database)
    with database.read() as db:
        blocks = dict(db.execute(text("SELECT ip, block FROM private_addresses")).all())
    database.close()
    assert blocks == {"10.0.1.40": 2, "2001:db8:0:1:5::9": 5}
