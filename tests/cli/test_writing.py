"""Sites and accounts: the commands that write rows."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from sqlalchemy import func, insert, select

from enid.store import journal
from enid.store import tables as t
from enid.store.database import Database
from enid.wire.keys import AccessKeys


class TestSites:
    def test_create_list_delete(self, enid, database) -> None:
        made = enid("site", "create", "corp", "--public-ip", "203.0.113.1", "--network", "192.168.0.0/16")
        assert made.code == 0, made.err
        (row,) = enid("site", "list", "--json").json
        assert {name: value for name, value in row.items() if value is not None} == {
            "name": "corp",
            "public_ip": "203.0.113.1",
            "network": "192.168.0.0/16",
            "host_ip": "192.168.0.1",
        }
        assert enid("site", "delete", "corp").code == 0
        assert enid("site", "list", "--json").json == []

    def test_with_ipv6(self, enid, database) -> None:
        made = ("site", "create", "phone", "--public-ip", "203.0.113.1", "--public-ipv6", "2001:DB8::0:1")
        assert enid(*made).code == 0
        assert enid("site", "list", "--json").json[0]["public_ipv6"] == "2001:db8::1"
        taken = enid("site", "create", "fax", "--public-ip", "203.0.113.2", "--public-ipv6", "2001:db8::1")
        assert (taken.code, "2001:db8::1 already" in taken.err) == (1, True)

    def test_the_agent_hears_of_it(self, enid, database: Database, tmp_path: Path) -> None:
        (tmp_path / "run").mkdir()
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as agent:
            agent.bind(str(tmp_path / "run" / "agent.sock"))
            agent.settimeout(2)
            enid("site", "create", "client", "--public-ip", "203.0.113.2")
            assert agent.recv(1)
            enid("site", "delete", "client")
            assert agent.recv(1)
        with database.read() as db:
            assert journal.after(db, 0)[1] == [("site", "client")]
            assert journal.last(db) == 2

    @pytest.mark.parametrize(
        "words",
        [
            ("Corp", "--public-ip", "203.0.113.1"),
            ("corp", "--public-ip", "203.0.113"),
            ("corp", "--public-ip", "203.0.113.1", "--network", "192.168.0.1/16"),
            ("corp", "--public-ip", "203.0.113.1", "--host-ip", "192.168.0.1"),
            ("corp", "--public-ip", "203.0.113.1", "--network", "192.168.0.0/16", "--host-ip", "10.0.0.1"),
            ("corp", "--public-ip", "203.0.113.1", "--network", "192.168.0.0/16", "--host-ip", "192.168.0.0"),
            ("corp",),
            *(
                ("corp", "--public-ip", "203.0.113.1", "--public-ipv6", address)
                for address in [
                    "203.0.113.2",
                    "fe80::1",
                    "2001:db8::1%eth0",
                    "ff02::1",
                    "ff0e::1",
                    "::1",
                    "fd00::1",
                    "2600:1f00::5",
                ]
            ),
        ],
    )
    def test_what_makes_no_sense(self, enid, database, words: tuple[str, ...]) -> None:
        result = enid("site", "create", *words)
        assert result.code == 2
        assert result.err
        assert enid("site", "list", "--json").json == []

    def test_an_address_that_is_taken(self, enid, database: Database) -> None:
        with database.write() as db:
            db.execute(insert(t.public_addresses).values(ip="198.18.0.5", account_id="1" * 12))
        assert "choose another" in enid("site", "create", "a", "--public-ip", "198.18.0.5").err
        assert enid("site", "create", "a", "--public-ip", "203.0.113.1").code == 0
        assert enid("site", "create", "b", "--public-ip", "203.0.113.1").code == 1
        assert enid("site", "create", "a", "--public-ip", "203.0.113.2").code == 1

    def test_the_address_of_a_vpn_tunnel(self, enid, database: Database) -> None:
        own = {"account_id": "1" * 12, "created_at": ""}
        gateways = {"customer_gateway_id": "cgw-1", "vpn_gateway_id": "vgw-1"}
        tunnels = [{"OutsideIpAddress": "198.51.100.1"}, {"OutsideIpAddress": "203.0.113.9"}]
        with database.write() as db:
            db.execute(insert(t.customer_gateways).values(id="cgw-1", **own))
            db.execute(insert(t.vpn_connections).values(id="vpn-1", tunnels=tunnels, **gateways, **own))
        assert "of vpn-1: choose another" in enid("site", "create", "a", "--public-ip", "203.0.113.9").err
        assert enid("site", "create", "a", "--public-ip", "203.0.113.8").code == 0

    def test_delete_what_is_not_there(self, enid, database: Database) -> None:
        assert enid("site", "delete", "corp").code == 1
        with database.read() as db:
            assert db.execute(select(func.count()).select_from(t.journal)).scalar_one() == 0


class TestAccounts:
    def test_a_new_account_can_ask_at_once(self, enid, database) -> None:
        made = enid("account", "create", "444455556666", "--json").json
        variables = enid("env", "--account", "444455556666", "--json").json
        assert variables["AWS_ACCESS_KEY_ID"] == made["id"]
        assert variables["AWS_SECRET_ACCESS_KEY"] == made["secret"]

    def test_another_key(self, enid, database) -> None:
        key = enid("account", "key", "111122223333", "--json").json["id"]
        (account,) = enid("account", "list", "--json").json
        assert sorted(account["access_keys"]) == sorted(["AKIAEXAMPLE", key])

    def test_the_list_keeps_secrets(self, enid, database) -> None:
        assert "s3cr3t" not in enid("account", "list").out + enid("account", "list", "--json").out

    @pytest.mark.parametrize(
        ("words", "code"),
        [(("create", "12"), 2), (("create", "111122223333"), 1), (("key", "999999999999"), 1), (("key",), 2)],
    )
    def test_refusals(self, enid, database, words: tuple[str, ...], code: int) -> None:
        assert enid("account", *words).code == code

    def test_a_removed_key_opens_nothing(self, enid, database: Database) -> None:
        key = enid("account", "key", "111122223333", "--json").json["id"]
        keys = AccessKeys(database)
        assert keys.find(key)
        assert enid("account", "remove-key", key).code == 0
        assert AccessKeys(database).find(key) is None
        (account,) = enid("account", "list", "--json").json
        assert account["access_keys"] == ["AKIAEXAMPLE"]
        assert "enid account list" in enid("account", "remove-key", key).err
