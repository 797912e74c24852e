"""The command line itself: global options, exit codes, help, and the doctor."""

from __future__ import annotations

import socket
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from enid.cli import machine
from enid.cli.app import _globals_first
from enid.settings import Settings


@pytest.mark.parametrize(
    ("given", "ordered"),
    [
        (["up", "--state-dir", "X", "-d"], ["--state-dir", "X", "up", "-d"]),
        (["ps", "--run-dir=X", "--json"], ["--run-dir=X", "ps", "--json"]),
        (["exec", "web", "--", "x", "--state-dir", "X"], ["exec", "web", "--", "x", "--state-dir", "X"]),
        (["ps", "--state-dir"], ["--state-dir", "ps"]),
    ],
)
def test_global_options_may_stand_anywhere(given: list[str], ordered: list[str]) -> None:
    assert _globals_first(given) == ordered


def test_they_win_over_the_environment(enid, network, tmp_path: Path) -> None:
    assert enid("ps").code == 0
    assert str(tmp_path / "other") in enid("ps", "--state-dir", str(tmp_path / "other")).err


def test_usage_errors_are_2(enid) -> None:
    assert enid("ps", "--no-such").code == 2
    assert enid("no-such").code == 2


def test_the_version_is_told_either_way(enid) -> None:
    for line in (["version"], ["--version"]):
        assert (enid(*line).code, enid(*line).out) == (0, f"enid {version('enid')}\n")


@pytest.mark.parametrize(
    ("name", "value"), [("PORT", "http"), ("PORT", "0"), ("PUBLIC_POOL", "foo"), ("PUBLIC_POOL", "10.0.0.1/8")]
)
def test_a_setting_that_makes_no_sense(enid, monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"ENID_{name}", value)
    result = enid("ps")
    assert (result.code, f"ENID_{name}" in result.err) == (2, True)


def test_an_enid_that_did_not_come_up_is_not_remembered(enid, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        assert enid("up", "--detach", "--port", str(other.getsockname()[1])).code == 1
    assert not (tmp_path / "run" / "settings.json").exists()


def test_down_when_not_up(enid) -> None:
    assert enid("down").code == 1


def test_help_imports_nothing_heavy() -> None:
    script = (
        "import sys; from enid.cli.app import run; run(['--help']); "
        "print(sorted({'sqlalchemy', 'pydantic_settings', 'botocore', 'alembic'} & set(sys.modules)), file=sys.stderr)"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert result.stderr.strip() == "[]"
    for command in ("up", "down", "env", "demo", "exec", "ps", "crash", "net", "why", "doctor", "site", "account"):
        assert f"│ {command} " in result.stdout


def test_up_says_what_ipsec_lacks_before_anything_starts(enid, monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setattr("enid.vpn.strongswan.missing", lambda: "/x is missing: `sudo mend x`")
    monkeypatch.setenv("ENID_VPN", "ipsec")
    result = enid("up", "--detach")
    assert result.code == 1
    assert "VPN connections cannot be IPsec here: /x is missing: `sudo mend x`" in " ".join(result.err.split())
    assert not (tmp_path / "state" / "log").exists()


class TestDoctor:
    def test_every_failure_comes_with_its_cure(self, enid) -> None:
        report = enid("doctor", "--json")
        assert report.code == (0 if report.json["ok"] else 1)
        findings = report.json["findings"]
        assert {"Python", "kernel: namespaces", "port", "state directory"} <= {one["what"] for one in findings}
        assert all(one["ok"] or one["fix"] for one in findings)

    @pytest.mark.root
    def test_this_kernel_has_what_it_needs(self, enid) -> None:
        kernel = {one["what"]: one["detail"] for one in enid("doctor", "--json").json["findings"]}
        assert [kernel[f"kernel: {what}"] for what in ("veth", "nf_tables", "overlay")] == ["works"] * 3

    def test_without_the_accelerator_enid_can_run(self, enid, monkeypatch) -> None:
        monkeypatch.setenv("ENID_ACCELERATOR", "off")
        (found,) = (one for one in enid("doctor", "--json").json["findings"] if one["what"] == "kernel: accelerator")
        assert (found["ok"], found["needed"]) == (True, False)
        assert "ENID_ACCELERATOR" in found["detail"]

    def test_strongswan_is_needed_only_where_vpn_connections_are_ipsec(self, enid, monkeypatch) -> None:
        monkeypatch.setattr("enid.vpn.strongswan.missing", lambda: "/x is missing: `sudo mend x`")
        for setting, needed in (("plain", False), ("ipsec", True)):
            monkeypatch.setenv("ENID_VPN", setting)
            findings = enid("doctor", "--json").json["findings"]
            (found,) = (one for one in findings if one["what"] == "strongSwan")
            assert (found["ok"], found["needed"]) == (False, needed)
            assert (found["detail"], found["fix"]) == ("/x is missing", "sudo mend x (for ENID_VPN=ipsec)")

    def test_a_taken_port(self) -> None:
        import socket

        with socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            other.listen()
            port = other.getsockname()[1]
            settings = Settings(port=port)
            taken = machine._port(settings, up=False)
            assert not taken.ok
            assert f"enid up --port {port + 1}" in taken.fix
            assert machine._port(settings, up=True).ok

    def test_subordinate_ids(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(machine.getpass, "getuser", lambda: "ada")
        file = tmp_path / "subuid"
        assert "usermod" in machine._subordinate(file).fix
        assert not machine._subordinate(file).ok
        file.write_text("bob:100000:65536\nada:165536:1000\n")
        assert not machine._subordinate(file).ok
        file.write_text("ada:165536:65536\n")
        assert machine._subordinate(file).ok
