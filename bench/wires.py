"""The baseline: a bare veth pair between two namespaces, nothing in between."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_interface

from bench.traffic.path import Path
from enid.netlink import namespaces
from enid.netlink.addresses import add_address
from enid.netlink.links import new_veth, set_link
from enid.netlink.socket import RouteSocket

MTU = 9001
_DEVICE = 2
_LEFT, _RIGHT = ip_interface("192.0.2.1/30"), ip_interface("192.0.2.2/30")


@contextmanager
def bare() -> Iterator[Path]:
    """Two namespaces on one wire."""
    left, right = namespaces.new(), namespaces.new()
    try:
        with RouteSocket(left) as here, RouteSocket(right) as there:
            here.request(
                new_veth(
                    "eth0",
                    index=_DEVICE,
                    mac="02:00:00:00:00:01",
                    mtu=MTU,
                    peer_name="eth0",
                    peer_mac="02:00:00:00:00:02",
                    peer_mtu=MTU,
                    peer_namespace=right,
                )
            )
            for end, interface in ((here, _LEFT), (there, _RIGHT)):
                end.request(set_link(name="lo", up=True))
                end.request(set_link(name="eth0", up=True))
                end.request(add_address(_DEVICE, interface))
        yield Path(left, str(_LEFT.ip), right, str(_RIGHT.ip), str(_RIGHT.ip))
    finally:
        os.close(left)
        os.close(right)
