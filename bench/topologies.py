"""What people build by hand in place of enid's network: a bridge, plain forwarding, a bridge with Docker's rules.

Each is a few namespaces, gone afterwards, laid out with iproute2 as by hand.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from ipaddress import IPv4Interface, ip_interface

from bench.traffic.path import Path
from enid.netlink import namespaces, sysctl

MTU = 9001
_LEFT, _RIGHT = ip_interface("192.0.2.1/24"), ip_interface("192.0.2.2/24")
_NEAR, _HOST = ip_interface("192.0.2.1/30"), ip_interface("192.0.2.2/30")
_GATEWAY, _FAR = ip_interface("172.17.0.1/16"), ip_interface("172.17.0.2/16")
_PUBLISHED_FROM = 20_000
"""Ports below are other containers'."""
_FORWARDING = {"net/ipv4/ip_forward": 1, "net/ipv4/conf/all/rp_filter": 0}


@contextmanager
def _namespaces(count: int) -> Iterator[list[int]]:
    with ExitStack() as stack:
        made = []
        for _ in range(count):
            made.append(namespaces.new())
            stack.callback(os.close, made[-1])
            _ip(made[-1], "link set lo up")
        yield made


def _run(namespace: int, command: Sequence[str], text: str) -> None:
    """:raises RuntimeError: with what the command said."""
    done = namespaces.run_in(
        namespace, lambda: subprocess.run(command, input=text, text=True, capture_output=True, check=False)
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")


def _ip(namespace: int, *lines: str) -> None:
    _run(namespace, ["ip", "-batch", "-"], "\n".join(lines) + "\n")


def _wire(here: int, name: str, there: int, address: IPv4Interface) -> None:
    """A veth pair whose far end is the ``eth0`` of another namespace."""
    place = f"/proc/{os.getpid()}/fd/{there}"
    _ip(here, f"link add {name} mtu {MTU} type veth peer name eth0 mtu {MTU} netns {place}", f"link set {name} up")
    _ip(there, f"address add {address} dev eth0", "link set eth0 up")


class Switch:
    """A bridge in a namespace of its own; ``places`` are plugged in, in order."""

    def __init__(self, bridge: int, places: Sequence[int]) -> None:
        self._bridge = bridge
        self.places = places

    @classmethod
    @contextmanager
    def of(cls, addresses: Sequence[IPv4Interface]) -> Iterator[Switch]:
        with _namespaces(1 + len(addresses)) as (bridge, *places):
            _ip(bridge, f"link add br0 mtu {MTU} type bridge", "link set br0 up")
            for number, (place, address) in enumerate(zip(places, addresses, strict=True)):
                _wire(bridge, f"port{number}", place, address)
                _ip(bridge, f"link set port{number} master br0")
            yield cls(bridge, places)

    def plug(self, number: int, *, up: bool) -> None:
        """Put the plug in, or pull it."""
        _ip(self._bridge, f"link set port{number} {'up' if up else 'down'}")


@contextmanager
def bridged() -> Iterator[Path]:
    """Two namespaces on a Linux bridge."""
    with Switch.of((_LEFT, _RIGHT)) as switch:
        left, right = switch.places
        yield Path(left, str(_LEFT.ip), right, str(_RIGHT.ip), str(_RIGHT.ip))


@contextmanager
def forwarded() -> Iterator[Path]:
    """A router that does nothing but forward."""
    with _namespaces(3) as (left, router, right):
        _route(router, left)
        _wire(router, "right", right, _FAR)
        _ip(router, f"address add {_GATEWAY} dev right")
        _ip(right, f"route add default via {_GATEWAY.ip}")
        yield Path(left, str(_NEAR.ip), right, str(_FAR.ip), str(_FAR.ip))


def _route(router: int, left: int) -> None:
    """The client's side of a router."""
    _wire(router, "left", left, _NEAR)
    _ip(router, f"address add {_HOST} dev left")
    _ip(left, f"route add default via {_HOST.ip}")
    sysctl.write(router, _FORWARDING)


@contextmanager
def published(containers: int) -> Iterator[Path]:
    """A host with Docker's bridge and so many containers that have each published a port; from outside to the last
    one's. As Docker does it: iptables, each published port a rule of its own to translate and another to allow."""
    with _namespaces(3) as (left, host, right):
        _route(host, left)
        _ip(
            host,
            f"link add docker0 mtu {MTU} type bridge",
            f"address add {_GATEWAY} dev docker0",
            "link set docker0 up",
        )
        _wire(host, "veth0", right, _FAR)
        _ip(host, "link set veth0 master docker0")
        _ip(right, f"route add default via {_GATEWAY.ip}")
        _run(host, ["iptables-nft-restore"], "\n".join(_docker_rules(containers)) + "\n")
        yield Path(left, str(_NEAR.ip), right, str(_FAR.ip), str(_HOST.ip))


def _docker_rules(containers: int) -> Iterator[str]:
    others = [(1000 + number, f"172.17.{number // 250 + 1}.{number % 250 + 3}") for number in range(containers - 1)]
    ports = f"{_PUBLISHED_FROM}:65535"
    yield from ("*nat", ":DOCKER - [0:0]")
    yield from ("-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER", "-A DOCKER -i docker0 -j RETURN")
    yield f"-A POSTROUTING -s {_GATEWAY.network} ! -o docker0 -j MASQUERADE"
    for port, address in others:
        yield f"-A DOCKER ! -i docker0 -p tcp -m tcp --dport {port} -j DNAT --to-destination {address}:80"
    for protocol in ("tcp", "udp"):
        yield f"-A DOCKER ! -i docker0 -p {protocol} -m {protocol} --dport {ports} -j DNAT --to-destination {_FAR.ip}"
    yield from ("COMMIT", "*filter", ":FORWARD DROP [0:0]", ":DOCKER - [0:0]", ":DOCKER-USER - [0:0]")
    yield from ("-A FORWARD -j DOCKER-USER", "-A DOCKER-USER -j RETURN")
    yield "-A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"
    yield from ("-A FORWARD -o docker0 -j DOCKER", "-A FORWARD -i docker0 ! -o docker0 -j ACCEPT")
    for _, address in others:
        yield f"-A DOCKER -d {address}/32 ! -i docker0 -o docker0 -p tcp -m tcp --dport 80 -j ACCEPT"
    for protocol in ("tcp", "udp"):
        yield f"-A DOCKER -d {_FAR.ip}/32 ! -i docker0 -o docker0 -p {protocol} -m {protocol} --dport {ports} -j ACCEPT"
    yield "COMMIT"
