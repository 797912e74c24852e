"""A whole enid whose VPN connections are IPsec: what it says of tunnels, what it runs as, and what may be killed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, fromstring

import pytest
from flow import Flow

from enid.guest.records import birth
from enid.supervisor.privileges import VPN, VPN_UID
from enid.vpn.strongswan import PROGRAM, missing
from whole_enid import Enid, running_enid, until

pytestmark = [
    pytest.mark.root,
    pytest.mark.timeout(180),
    pytest.mark.skipif(bool(missing()), reason=f"strongSwan: {missing()}"),
]

OFFICE, BEHIND, INSIDE = "203.0.113.50", "172.16.0.0/24", "172.16.0.10"
UP, DOWN = ["UP", "UP"], ["DOWN", "DOWN"]
LIMIT = 40.0


@dataclass
class Connected:
    """An instance, and a VPN connection of its VPC."""

    enid: Enid
    instance: str
    address: str
    connection: str

    def shown(self) -> dict[str, Any]:
        return dict(self.enid.ec2.describe_vpn_connections()["VpnConnections"][0])

    def statuses(self) -> list[str]:
        return [tunnel["Status"] for tunnel in self.shown()["VgwTelemetry"]]

    def becomes(self, wanted: list[str]) -> None:
        until(f"the tunnels are {wanted}", lambda: self.statuses() == wanted, LIMIT)

    def have_come_back_since(self, former: list[dict[str, Any]]) -> bool:
        now = self.shown()["VgwTelemetry"]
        changed = [new["LastStatusChange"] > old["LastStatusChange"] for new, old in zip(now, former, strict=True)]
        return all(changed) and [each["Status"] for each in now] == UP

    def why(self) -> str:
        """What ``enid why`` says is in the way from the site to the instance."""
        out, _ = self.enid.command("why", "site/office", self.instance, "icmp", "--json").communicate(timeout=60)
        return str(json.loads(out)["reason"] or "")

    def strongswans(self) -> dict[str, int]:
        """Pids, by the end they play."""
        records = self.enid.settings.vpn_dir.glob("*/record.json")
        return {path.parent.name: json.loads(path.read_text())["pid"] for path in records}


@pytest.fixture
def connected() -> Iterator[Connected]:
    with running_enid(vpn="ipsec") as enid:
        subnet = enid.subnet()
        vpc = enid.ec2.describe_subnets(SubnetIds=[subnet])["Subnets"][0]["VpcId"]
        (machine,) = enid.launch(subnet)
        customer = enid.ec2.create_customer_gateway(Type="ipsec.1", IpAddress=OFFICE, BgpAsn=65010)["CustomerGateway"]
        gateway = enid.ec2.create_vpn_gateway(Type="ipsec.1")["VpnGateway"]["VpnGatewayId"]
        enid.ec2.attach_vpn_gateway(VpnGatewayId=gateway, VpcId=vpc)
        connection = enid.ec2.create_vpn_connection(
            Type="ipsec.1",
            CustomerGatewayId=customer["CustomerGatewayId"],
            VpnGatewayId=gateway,
            Options={"StaticRoutesOnly": True},
        )["VpnConnection"]["VpnConnectionId"]
        enid.ec2.create_vpn_connection_route(VpnConnectionId=connection, DestinationCidrBlock=BEHIND)
        tables = enid.ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["RouteTables"]
        enid.ec2.enable_vgw_route_propagation(RouteTableId=tables[0]["RouteTableId"], GatewayId=gateway)
        yield Connected(enid, machine["InstanceId"], machine["PrivateIpAddress"], connection)


def site(enid: Enid, *options: str) -> None:
    process = enid.command("site", "create", "office", "--public-ip", OFFICE, *options)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err


def holds(pid: int, capabilities: frozenset[int]) -> None:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    status = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
    assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == sum(1 << each for each in capabilities)
    assert status["NoNewPrivs"] == "1"


def is_confined(pid: int) -> None:
    """A user of its own, with no right but over its network, that sees nothing of the host's but /usr."""
    holds(pid, frozenset((12,)))
    assert os.stat(f"/proc/{pid}").st_uid == VPN_UID
    assert {each.name for each in Path(f"/proc/{pid}/root").iterdir()} == {
        *("usr", "etc", "run", "dev", "bin", "sbin", "lib", "lib64")
    }
    assert {each.name for each in Path(f"/proc/{pid}/root/etc").iterdir()} == {"strongswan.conf", "ld.so.cache"}
    assert os.stat(f"/proc/{pid}/root/usr").st_ino == os.stat("/usr").st_ino
    for name in ("mnt", "net", "ipc", "uts"):
        assert os.readlink(f"/proc/{pid}/ns/{name}") != os.readlink(f"/proc/self/ns/{name}")


def test_tunnels_live_as_their_connection_does_and_whoever_is_killed_comes_back(connected: Connected) -> None:
    enid = connected.enid
    assert connected.statuses() == DOWN
    assert {each["StatusMessage"] for each in connected.shown()["VgwTelemetry"]} == {"IPSEC IS DOWN"}
    site(enid, "--network", BEHIND, "--host-ip", INSIDE)
    connected.becomes(UP)
    assert connected.why() == ""
    telemetry = connected.shown()["VgwTelemetry"]
    assert {(each["StatusMessage"], each["AcceptedRouteCount"]) for each in telemetry} == {("", 1)}
    enid.run("site/office", "ping", "-c1", "-W5", connected.address)

    running = connected.strongswans()
    assert set(running) == {connected.connection, f"{connected.connection}.site"}
    for pid in running.values():
        is_confined(pid)
    holds(enid.pid("vpn"), VPN)

    with Flow(enid, connected.instance, "site/office", INSIDE) as flow:
        for role in ("agent", "vpn"):
            before = enid.kill(role)
            until(f"the {role} is started again", lambda role=role, before=before: enid.pid(role) != before)
        log = enid.settings.state_dir / "log/enid.log"
        until("the agent has converged again", lambda: log.read_text().count("converged") == 2, LIMIT)
    assert flow.sent > 100
    assert flow.lost == []
    assert connected.strongswans() == running
    assert connected.shown()["VgwTelemetry"] == telemetry

    os.kill(running[connected.connection], signal.SIGKILL)  # the site's would know in half a minute
    until("they have been down, and are up again", lambda: connected.have_come_back_since(telemetry), LIMIT)
    enid.run("site/office", "ping", "-c1", "-W5", connected.address)

    running |= connected.strongswans()
    enid.ec2.delete_vpn_connection(VpnConnectionId=connected.connection)
    until("no strongSwan is left", lambda: not any(map(birth, running.values())), LIMIT)
    until("nor its place", lambda: not list((enid.settings.run_dir / "netns").glob("vpn-*")))
    assert connected.statuses() == DOWN


DAEMON = """
charon-systemd {{
  routing_table_prio = 40000
  filelog {{ file {{ path = {directory}/log
    default = 1 }} }}
  plugins {{
    vici {{ socket = unix://{directory}/vici }}
    kernel-libipsec {{ allow_peer_ts = yes }}
  }}
}}
"""
TUNNEL = """
connections {{ t{number} {{
  version = {version}
  local_addrs = {ours}
  remote_addrs = {theirs}
  proposals = aes128-sha1-modp1024
  encap = yes
  local {{ auth = psk }}
  remote {{
    auth = psk
    id = {theirs}
  }}
  children {{ t{number} {{
    local_ts = 0.0.0.0/0
    remote_ts = 0.0.0.0/0
    esp_proposals = aes128-sha1-modp1024
    start_action = start
  }} }}
}} }}
secrets {{ ike{number} {{
  id = {theirs}
  secret = "{key}"
}} }}
"""
"""What the configuration says of ciphers is AES-128, SHA-1 and group 2."""


def tunnel_of(number: int, element: Element) -> str:
    said = {each.tag: each.text for part in ("ike", "ipsec") for each in element.iterfind(f"{part}/*")}
    assert (said["encryption_protocol"], said["perfect_forward_secrecy"]) == ("aes-128-cbc", "group2")
    return TUNNEL.format(
        number=number,
        version=number + 1,
        ours=element.findtext("customer_gateway/tunnel_outside_address/ip_address"),
        theirs=element.findtext("vpn_gateway/tunnel_outside_address/ip_address"),
        key=said["pre_shared_key"],
    )


@contextmanager
def own_strongswan(enid: Enid, xml: str) -> Iterator[None]:
    """As somebody would who has read the configuration, with what any strongSwan has: files, and swanctl."""
    directory = Path(tempfile.mkdtemp(prefix="enid-own-"))
    (directory / "strongswan.conf").write_text(DAEMON.format(directory=directory))
    tunnels = fromstring(xml).findall("ipsec_tunnel")
    (directory / "swanctl.conf").write_text("".join(tunnel_of(*each) for each in enumerate(tunnels)))
    own = enid.command("exec", "site/office", "--", "env", f"STRONGSWAN_CONF={directory}/strongswan.conf", PROGRAM)
    try:
        until("it listens", (directory / "vici").exists, LIMIT)
        load = ["swanctl", "--load-all", "--uri", f"unix://{directory}/vici", "--file", str(directory / "swanctl.conf")]
        subprocess.run(load, check=True, capture_output=True, timeout=60)
        yield
    finally:
        own.kill()
        own.communicate(timeout=60)
        shutil.rmtree(directory)


def test_a_strongswan_of_the_customers_own_is_configured_by_what_the_connection_says(connected: Connected) -> None:
    """One tunnel by IKEv1 and one by IKEv2, with the least that the configuration names."""
    enid = connected.enid
    site(enid)
    with own_strongswan(enid, connected.shown()["CustomerGatewayConfiguration"]):
        connected.becomes(UP)
        enid.run("site/office", "ip", "address", "add", f"{INSIDE}/32", "dev", "ipsec0")
        enid.run("site/office", "ip", "route", "add", "10.0.0.0/16", "dev", "ipsec0", "src", INSIDE)
        enid.run("site/office", "ping", "-c1", "-W5", connected.address)
        enid.run(connected.instance, "ping", "-c1", "-W5", INSIDE)
        assert set(connected.strongswans()) == {connected.connection}
        pid = connected.strongswans()[connected.connection]
        for role in ("supervisor", "vpn"):
            enid.kill(role)
        enid.down()
        assert birth(pid) is None
        assert not enid.settings.run_dir.exists()
