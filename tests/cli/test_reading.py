"""The commands that only look: env, ps, net, why, console, and what they say where there is nothing to see."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from sqlalchemy import insert, update

from enid.store import tables as t
from enid.store.database import Database


class TestEnv:
    def test_a_shell_takes_it(self, enid, database) -> None:
        printed = enid("env").out
        shell = subprocess.run(
            ["sh", "-c", printed + 'printf %s "$AWS_ENDPOINT_URL_EC2 $AWS_SECRET_ACCESS_KEY"'],
            capture_output=True,
            text=True,
            check=True,
        )
        assert shell.stdout == "http://127.0.0.1:8773 s3cr3t/+'x"

    def test_what_belongs_to_another_key_is_unset(self, enid, database) -> None:
        """A session token of AWS's, or a profile, would go with enid's key or instead of it."""
        asked = 'printf %s "${AWS_SESSION_TOKEN-none} ${AWS_PROFILE-none} $AWS_REGION $AWS_DEFAULT_REGION"'
        environment = {**os.environ, "AWS_SESSION_TOKEN": "theirs", "AWS_PROFILE": "work", "AWS_REGION": "eu-west-1"}
        shell = subprocess.run(
            ["sh", "-euc", enid("env").out + asked], capture_output=True, text=True, check=True, env=environment
        )
        assert shell.stdout == "none none us-east-1 us-east-1"

    def test_fish(self, enid, database) -> None:
        assert "set -gx AWS_ACCESS_KEY_ID AKIAEXAMPLE;" in enid("env", "--shell", "fish").out.splitlines()

    def test_it_is_the_running_enids(self, enid, database, tmp_path: Path) -> None:
        from enid.settings import Settings

        running = Settings(port=9999, listen="0.0.0.0")
        (tmp_path / "run").mkdir()
        (tmp_path / "run" / "settings.json").write_text(running.model_dump_json())
        assert enid("env", "--json").json["AWS_ENDPOINT_URL_STS"] == "http://127.0.0.1:9999"

    def test_an_account_without_a_key(self, enid, database) -> None:
        result = enid("env", "--account", "999999999999")
        assert result.code == 1
        assert "enid account key 999999999999" in result.err


class TestPs:
    def test_instances_with_their_interfaces(self, enid, network) -> None:
        lines = [line.split() for line in enid("ps").out.splitlines()]
        assert lines[1:] == [
            ["web", "i-1", "running", "ok", "eth0", "eni-0", "10.0.1.10", "198.18.0.5"],
            ["eth1", "eni-1", "10.0.2.10"],
        ]

    def test_it_says_when_nothing_runs(self, enid, network) -> None:
        assert "enid is not up" in enid("ps").err
        assert enid("ps", "--json").err == ""

    def test_for_scripts(self, enid, network) -> None:
        (machine,) = enid("ps", "--json").json
        assert (machine["id"], machine["name"], machine["state"]) == ("i-1", "web", "running")
        assert [one["device"] for one in machine["interfaces"]] == ["eth0", "eth1"]
        assert machine["interfaces"][0]["addresses"] == [
            {"private": "10.0.1.10", "public": "198.18.0.5", "primary": True}
        ]

    def test_terminated_ones_when_asked(self, enid, network) -> None:
        assert [one["id"] for one in enid("ps", "--all", "--json").json] == ["i-1", "i-2"]

    def test_an_interface_on_the_move_says_so(self, enid, network: Database) -> None:
        with network.write() as db:
            db.execute(update(t.attachments).where(t.attachments.c.id == "eni-attach-1").values(status="detaching"))
        assert "eni-1 (detaching)" in enid("ps").out


class TestNet:
    def test_the_picture(self, enid, network) -> None:
        drawn = enid("net")
        assert drawn.code == 0
        for word in ("corp", "192.168.0.0/16", "subnet-2", "rtb-main", "web", "198.18.0.5", "VPN corp"):
            assert word in drawn.out
        assert "\x1b" not in drawn.out

    def test_an_svg_file(self, enid, network, tmp_path: Path) -> None:
        file = tmp_path / "vpc.svg"
        assert enid("net", "vpc-1", "--svg", str(file)).code == 0
        assert "eni-1" in "".join(ElementTree.parse(file).getroot().itertext())

    def test_for_a_script(self, enid, network) -> None:
        told = json.loads(enid("net", "--json").out)
        assert "eni-1" in [interface["id"] for machine in told["instances"] for interface in machine["interfaces"]]

    def test_without_graphviz(self, enid, network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(shutil, "which", lambda _name: None)
        result = enid("net", "--svg", str(tmp_path / "vpc.svg"))
        assert result.code == 1
        assert "apt-get install graphviz" in result.err

    def test_a_vpc_that_is_not(self, enid, network) -> None:
        assert enid("net", "vpc-9").code == 1
        assert "vpc-1" in enid("net", "vpc-9").err

    def test_several_vpcs(self, enid, database: Database) -> None:
        with database.write() as db:
            db.execute(insert(t.vpcs), [{"id": id_, "account_id": "1" * 12} for id_ in ("vpc-1", "vpc-2")])
        result = enid("net")
        assert (result.code, "vpc-1, vpc-2" in result.err) == (2, True)


class TestWhy:
    @pytest.mark.parametrize(
        ("words", "code"),
        [
            (("internet", "web", "tcp/80"), 0),
            (("internet", "web", "tcp/22"), 1),
            (("corp", "eni-1", "tcp/22"), 0),
            (("site/corp", "10.0.2.10", "tcp/80"), 1),
            (("nobody", "web", "tcp/80"), 2),
            (("internet", "eni-9", "tcp/80"), 2),
            (("internet", "web", "http"), 2),
            (("internet", "web", "tcp/" + "9" * 5000), 2),
        ],
    )
    def test_the_exit_code_is_the_answer(self, enid, network, words: tuple[str, ...], code: int) -> None:
        assert enid("why", *words).code == code

    def test_it_names_the_gate(self, enid, network) -> None:
        blocked = enid("why", "internet", "web", "tcp/22")
        assert "✗  security groups" in blocked.out
        assert "no rule of sg-web (web) allows tcp/22 from anywhere on the internet" in blocked.out

    def test_where_vpn_is_ipsec_a_tunnel_must_be_up(self, enid, network, monkeypatch: pytest.MonkeyPatch) -> None:
        asked = ("why", "corp", "eni-1", "tcp/22", "--json")
        assert enid(*asked).json["reachable"]
        monkeypatch.setenv("ENID_VPN", "ipsec")
        assert enid(*asked).json["reason"] == "tunnel-down"
        with network.write() as db:
            up = [{"up": False, "since": ""}, {"up": True, "since": ""}]
            db.execute(update(t.vpn_connections).values(telemetry=up))
        assert enid(*asked).json["reachable"]

    def test_for_scripts(self, enid, network) -> None:
        answer = enid("why", "internet", "web", "tcp/22", "--json").json
        assert (answer["reachable"], answer["reason"]) == (False, "ingress-groups")
        assert answer["hops"][-1] == {
            "component": "security-groups",
            "id": "sg-web",
            "passed": False,
            "says": answer["sentence"],
        }
        open_port = enid("why", "internet", "web", "tcp/80", "--json").json
        (gate,) = [hop for hop in open_port["hops"] if hop["component"] == "security-groups"]
        assert gate["by"] == {
            "protocol": 6,
            "from_port": 80,
            "to_port": 80,
            "cidr": "0.0.0.0/0",
            "group": "",
            "peering": "",
        }

    def test_a_missing_store_is_not_a_no(self, enid) -> None:
        assert enid("why", "internet", "web", "tcp/80").code == 2

    def test_a_name_that_two_have(self, enid, network: Database) -> None:
        with network.write() as db:
            db.execute(insert(t.tags).values(resource_id="eni-1", key="Name", value="web", account_id="1" * 12))
        result = enid("why", "internet", "web", "tcp/80")
        assert result.code == 2
        assert "i-1, eni-1" in result.err


class TestFlowLogs:
    @pytest.fixture
    def logged(self, network: Database, state: Path) -> str:
        """A log of the VPC to a bucket, with a record in each of two files, and one to a log group without any."""
        own = {
            "account_id": "111122223333",
            "resource_id": "vpc-1",
            "traffic_type": "ALL",
            "log_format": "${start} ${action}",
        }
        with network.write() as db:
            for id_, kind, place in (("fl-1", "s3", "traffic"), ("fl-2", "cloud-watch-logs", "group")):
                db.execute(insert(t.flow_logs).values(id=id_, log_destination_type=kind, destination=place, **own))
        folder = state / "flow-logs" / "s3" / "traffic" / "AWSLogs"
        for day, line in (("01", "1 ACCEPT"), ("02", "2 REJECT")):
            (folder / day).mkdir(parents=True)
            (folder / day / f"1_vpcflowlogs_us-east-1_fl-1_202601{day}T0000Z_x.log").write_text(
                f"start action\n{line}\n"
            )
        return str(folder)

    def test_which_there_are_and_where(self, enid, logged: str) -> None:
        rows = enid("flow-logs", "--json").json
        assert [(row["id"], row["resource"], row["status"]) for row in rows] == [
            ("fl-1", "vpc-1", "SUCCESS"),
            ("fl-2", "vpc-1", "SUCCESS"),
        ]
        assert rows[0]["folder"] == logged

    def test_what_one_says(self, enid, logged: str) -> None:
        assert enid("flow-logs", "fl-1").out == "start action\n1 ACCEPT\n2 REJECT\n"
        assert enid("flow-logs", "fl-1", "--json").json[1] == {"start": "2", "action": "REJECT"}
        assert enid("flow-logs", "fl-2").out == "start action\n"

    def test_one_that_is_not(self, enid, logged: str) -> None:
        assert enid("flow-logs", "fl-9").code == 1

    def test_none_yet(self, enid, network) -> None:
        assert "create-flow-logs" in enid("flow-logs").out


class TestConsole:
    def test_it_cannot_play_with_the_terminal(self, enid, network, state: Path) -> None:
        log = state / "instances" / "i-1" / "console.log"
        log.parent.mkdir(parents=True)
        log.write_bytes(b"booted\n\x1b[2Jdone\xff\n")
        assert enid("console", "web").out == "booted\n[2Jdone\ufffd\n"

    def test_before_the_first_boot(self, enid, network) -> None:
        assert "has not booted" in enid("console", "i-1").err


@pytest.mark.parametrize(
    "words", [("exec", "web", "--", "true"), ("exec", "site/corp", "--", "true"), ("crash", "i-1")]
)
def test_into_what_does_not_run(enid, network, words: tuple[str, ...]) -> None:
    result = enid(*words)
    assert result.code == 1
    assert result.err.startswith("enid: ")
    assert "Traceback" not in result.err
    assert "--debug" not in result.err


@pytest.mark.parametrize("words", [("ps",), ("net",), ("env",), ("site", "list"), ("account", "list"), ("exec", "x")])
def test_where_there_is_no_enid_yet(enid, state: Path, words: tuple[str, ...]) -> None:
    result = enid(*words)
    assert result.code == 1
    assert "`enid up`" in result.err
    assert not state.exists()


@pytest.mark.root
def test_somebody_elses_store(enid, network, tmp_path: Path, state: Path) -> None:
    """The first run, as root, imports what an unprivileged process may not be able to read in a root's home."""
    environment = {**os.environ, "ENID_STATE_DIR": str(state), "ENID_RUN_DIR": str(tmp_path / "run")}
    script = (
        "import os; from enid.cli.app import run; run(['ps', '--json']); os.setresuid(*[65534] * 3); exit(run(['ps']))"
    )
    command = [sys.executable, "-c", script]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert result.stderr == f"enid: the enid in {state} is not yours: try `sudo enid …`\n"


class TestWhyNotDelete:
    VPC, SUBNET = "vpc-0000000000000000a", "subnet-0000000000000000a"

    @pytest.fixture
    def vpc(self, database: Database) -> None:
        own = {"account_id": "111122223333"}
        with database.write() as db:
            db.execute(insert(t.vpcs).values(id=self.VPC, cidr_block="10.0.0.0/16", **own))
            db.execute(insert(t.subnets).values(id=self.SUBNET, vpc_id=self.VPC, cidr_block="10.0.1.0/24", **own))
            db.execute(insert(t.tags).values(resource_id=self.SUBNET, key="Name", value="public", **own))

    def test_a_tree_with_names_and_the_calls_that_help(self, enid, vpc) -> None:
        result = enid("why-not-delete", self.VPC)
        assert result.code == 1
        first, second = result.out.splitlines()
        assert first == f"{self.VPC}  DependencyViolation"
        assert second.endswith(f"{self.SUBNET} (public)  aws ec2 delete-subnet --subnet-id {self.SUBNET}")
        assert enid("why-not-delete", self.SUBNET).code == 0

    def test_json(self, enid, vpc) -> None:
        found = enid("why-not-delete", self.VPC, "--json").json
        assert found["refusal"]["code"] == "DependencyViolation"
        assert [other["id"] for other in found["behind"]] == [self.SUBNET]

    def test_nothing_of_this_id(self, enid, vpc) -> None:
        result = enid("why-not-delete", "vpc-2")
        assert (result.code, result.err) == (2, "enid: there is no 'vpc-2'\n")
