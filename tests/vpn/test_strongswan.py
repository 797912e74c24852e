"""What strongSwan is told."""

from __future__ import annotations

import re
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Interface
from pathlib import Path

import pytest

from enid.topology.blocks import ANYWHERE
from enid.vpn.ends import End, Tunnel
from enid.vpn.strongswan import configuration, connection, is_up, missing, secret

TUNNEL = Tunnel("tunnel-1", IPv4Address("198.51.100.1"), IPv4Interface("169.254.10.1/30"), "top.secret")
GATEWAY = End("vpn-1", None, IPv4Address("203.0.113.50"), (TUNNEL,), (ANYWHERE[4],))
SITE = replace(GATEWAY, site="office")


def test_a_gateway_waits_at_its_own_address_and_a_site_calls_there() -> None:
    (waiting,) = connection(GATEWAY, TUNNEL).values()
    (calling,) = connection(SITE, TUNNEL).values()
    assert (waiting["local_addrs"], waiting["remote_addrs"]) == (["198.51.100.1"], ["203.0.113.50"])
    assert (calling["local_addrs"], calling["remote_addrs"]) == (["203.0.113.50"], ["198.51.100.1"])
    assert (waiting["version"], calling["version"]) == ("0", "2")
    assert calling["remote"]["id"] == waiting["local"]["id"] == "198.51.100.1"
    assert "id" not in waiting["remote"]


def test_what_a_site_offers_a_gateway_takes() -> None:
    (waiting,) = connection(GATEWAY, TUNNEL).values()
    (calling,) = connection(SITE, TUNNEL).values()
    for offered, taken in (
        (calling["proposals"], waiting["proposals"]),
        (calling["children"]["tunnel-1"]["esp_proposals"], waiting["children"]["tunnel-1"]["esp_proposals"]),
    ):
        words = set(offered[0].split("-"))
        assert any(words <= set(proposal.split("-")) for proposal in taken)


def test_a_gateway_takes_the_least_its_configuration_names() -> None:
    (waiting,) = connection(GATEWAY, TUNNEL).values()
    child = waiting["children"]["tunnel-1"]
    for proposals in (waiting["proposals"], child["esp_proposals"]):
        assert any({"aes128", "sha1", "modp1024"} <= set(proposal.split("-")) for proposal in proposals)
    assert (child["life_time"], child["rekey_time"], waiting["rekey_time"]) == ("3600s", "3060s", "28260s")


def test_only_a_site_needs_no_certain_port() -> None:
    """So others may have IKE's there."""
    assert "port = 0" in configuration(SITE)
    assert "port = 0" not in configuration(GATEWAY)


def test_keys_are_in_one_message_and_nowhere_else() -> None:
    assert secret(TUNNEL) == {"id": "tunnel-1", "type": "IKE", "data": "top.secret", "owners": ["198.51.100.1"]}
    for text in (repr(GATEWAY), configuration(GATEWAY), repr(connection(GATEWAY, TUNNEL))):
        assert "top.secret" not in text


@pytest.mark.parametrize(
    ("state", "child", "up"),
    [
        (b"ESTABLISHED", b"INSTALLED", True),
        (b"REKEYING", b"REKEYING", True),
        (b"ESTABLISHED", b"REKEYED", True),
        (b"ESTABLISHED", b"CREATED", False),
        (b"ESTABLISHED", b"DELETED", None),
        (b"CONNECTING", b"INSTALLED", False),
        (b"DELETING", b"INSTALLED", False),
        (b"ESTABLISHED", None, None),
        (b"CONNECTING", None, False),
    ],
)
def test_a_tunnel_is_up_when_packets_can_pass(state: bytes, child: bytes | None, up: bool | None) -> None:
    children = {} if child is None else {"child-sas": {"one": {"state": b"DELETED"}, "other": {"state": child}}}
    assert is_up({"state": state, **children}) is up


def test_what_is_missing_comes_with_what_mends_it(tmp_path: Path) -> None:
    program, plugins, tun = tmp_path / "charon-systemd", tmp_path / "plugins", tmp_path / "tun"
    plugins.mkdir()
    for path, mended_by in (
        (program, "apt-get install"),
        (plugins / "libstrongswan-kernel-libipsec.so", "libcharon-extra-plugins"),
        (plugins / "libstrongswan-vici.so", "apt-get install"),
        (tun, "modprobe tun"),
    ):
        said = missing(str(program), plugins, str(tun))
        assert re.fullmatch(rf"{path} is missing: `sudo .*{mended_by}.*`", said)
        path.touch()
    assert missing(str(program), plugins, str(tun)) == ""
