"""What strongSwan is told: its configuration file, and the messages of its control socket (VICI). Pure, but for
:func:`missing`.

It encrypts in user space (kernel-libipsec), so the kernel needs no ESP. Tunnels are chosen by routes, as with AWS:
each offers everything (0.0.0.0/0) at both ends, and which way a packet goes between two that are up is all the same.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from enid.fabric.linux.names import STRONGSWAN
from enid.topology.blocks import ANYWHERE
from enid.vpn.ends import End, Tunnel

PROGRAM = "/usr/sbin/charon-systemd"
"""The IKE daemon. It needs no systemd."""
PACKAGES = "charon-systemd libcharon-extra-plugins libstrongswan-standard-plugins"
SOCKET, LOG = "charon.vici", "charon.log"
"""In the directory that is ``/run`` to it."""
MTU = 1400
"""Of its link: kernel-libipsec reads no longer packet from it, however long the link says they may be."""
IKE_LIFETIME, ESP_LIFETIME = 28_800, 3_600
REKEY_MARGIN = 540
DEAD_PEER_DELAY, DEAD_PEER_RETRIES = 10, 3
"""Seconds, and how often is asked again; with the pauses between, a peer is dead after half a minute, as on AWS."""
_FIRST_RETRY = 2

_CIPHERS = "aesni openssl aes gcm sha1 sha2 hmac kdf gmp random nonce drbg"
"""The first one that knows a cipher does it: with ``gcm`` before the processor's own it takes five times as long."""
_PLUGINS = f"{_CIPHERS} kernel-libipsec kernel-netlink socket-default vici"
_RULE_PRIORITY = 40_000
"""Its routes come after the main table's, so that they change nothing: which packets go into a tunnel is said there."""

_GROUPS = "modp2048-modp3072-modp4096-modp6144-modp8192-modp2048s256-ecp256-ecp384-ecp521-modp1536-modp1024"
_HASHES = "sha256-sha384-sha512-sha1"
_PRFS = "prfsha256-prfsha384-prfsha512-prfsha1"
_TAKEN_IKE = [f"aes128gcm16-aes256gcm16-{_PRFS}-{_GROUPS}", f"aes128-aes256-{_HASHES}-{_GROUPS}"]
_TAKEN_ESP = [
    f"aes128gcm16-aes256gcm16-{_GROUPS}",
    f"aes128-aes256-{_HASHES}-{_GROUPS}",
    "aes128gcm16-aes256gcm16",
    f"aes128-aes256-{_HASHES}",
]
"""What AWS takes from a customer gateway; enid also takes one without perfect forward secrecy."""
_OFFERED_IKE, _OFFERED_ESP = ["aes128gcm16-prfsha256-ecp256"], ["aes128gcm16-ecp256"]

_ALIVE_IKE = (b"ESTABLISHED", b"REKEYING")
_ALIVE_CHILD, _DEAD_CHILD = (b"INSTALLED", b"REKEYING", b"REKEYED"), (b"DELETING", b"DELETED", b"DESTROYING")

Message = Mapping[str, Any]


def missing(program: str = PROGRAM, plugins: Path = Path("/usr/lib/ipsec/plugins"), tun: str = "/dev/net/tun") -> str:
    """What this machine lacks for tunnels, and what mends it; empty if nothing."""
    needed = [Path(program), *(plugins / f"libstrongswan-{name}.so" for name in ("kernel-libipsec", "vici"))]
    if absent := [str(path) for path in needed if not path.exists()]:
        return f"{absent[0]} is missing: `sudo apt-get install --no-install-recommends {PACKAGES}`"
    if not os.path.exists(tun):
        return f"{tun} is missing: `sudo modprobe tun`"
    if not os.access(tun, os.R_OK | os.W_OK):
        return f"{tun} is not for everybody: `sudo chmod 666 {tun}`"
    return ""


def configuration(end: End) -> str:
    """``strongswan.conf``. Who begins needs no certain port, so that a site may have several ends, and others' too. A
    route that is away for a moment ends no tunnel: nobody roams."""
    ports = "" if end.site is None else "port = 0\n  port_nat_t = 0"
    return f"""charon-systemd {{
  load = {_PLUGINS}
  {ports}
  install_virtual_ip = no
  routing_table = {STRONGSWAN}
  routing_table_prio = {_RULE_PRIORITY}
  retransmit_timeout = {_FIRST_RETRY}
  retransmit_tries = {DEAD_PEER_RETRIES}
  plugins {{
    vici {{
      socket = unix:///run/{SOCKET}
    }}
    kernel-netlink {{
      roam_events = no
    }}
    kernel-libipsec {{
      allow_peer_ts = yes
    }}
  }}
  filelog {{
    file {{
      path = /run/{LOG}
      default = 0
      lib = 1
      append = no
      flush_line = yes
    }}
  }}
}}
"""


def connection(end: End, tunnel: Tunnel) -> Message:
    """For ``load-conn``."""
    begins = end.site is not None
    local, remote = (end.customer, tunnel.gateway) if begins else (tunnel.gateway, end.customer)
    ike, esp = (_OFFERED_IKE, _OFFERED_ESP) if begins else (_TAKEN_IKE, _TAKEN_ESP)
    child = {
        "mode": "tunnel",
        "local_ts": [str(ANYWHERE[4])],
        "remote_ts": [str(ANYWHERE[4])],
        "esp_proposals": esp,
        "rekey_time": f"{ESP_LIFETIME - REKEY_MARGIN}s",
        "life_time": f"{ESP_LIFETIME}s",
        "dpd_action": "clear",
        "start_action": "none",
    }
    return {
        tunnel.name: {
            "version": "2" if begins else "0",  # whoever calls has the choice
            "local_addrs": [str(local)],
            "remote_addrs": [str(remote)],
            "proposals": ike,
            "encap": "yes",
            "mobike": "no",
            "dpd_delay": f"{DEAD_PEER_DELAY}s",
            "rekey_time": f"{IKE_LIFETIME - REKEY_MARGIN}s",
            "over_time": f"{REKEY_MARGIN}s",
            "local": {"auth": "psk", "id": str(local)},
            "remote": {"auth": "psk", **({"id": str(remote)} if begins else {})},
            "children": {tunnel.name: child},
        }
    }


def secret(tunnel: Tunnel) -> Message:
    """For ``load-shared``. It is known by the VPN gateway's address: the customer gateway may call itself anything."""
    return {"id": tunnel.name, "type": "IKE", "data": tunnel.key, "owners": [str(tunnel.gateway)]}


def is_up(association: Message) -> bool | None:
    """Of one value of ``list-sas``: packets can pass. ``None``: they cannot, and nothing is under way that they can."""
    children = [child["state"] for child in association.get("child-sas", {}).values()]
    established = association["state"] in _ALIVE_IKE
    if established and any(child in _ALIVE_CHILD for child in children):
        return True
    return None if established and all(child in _DEAD_CHILD for child in children) else False
