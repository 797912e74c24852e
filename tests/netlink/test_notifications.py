"""What others do in a namespace is told, and what our own sockets do is not."""

from __future__ import annotations

import os
from collections.abc import Iterator
from ipaddress import ip_network

import pytest

from enid.netlink import links, namespaces, nftables, routes
from enid.netlink.netfilter import NetfilterSocket
from enid.netlink.notifications import Lost, Notifications
from enid.netlink.routes import UNREACHABLE, Route
from enid.netlink.socket import RouteSocket

pytestmark = pytest.mark.root

WAY = routes.replace_route(Route(ip_network("10.0.0.0/8"), kind=UNREACHABLE))


@pytest.fixture
def namespace() -> Iterator[int]:
    made = namespaces.new()
    with RouteSocket(made) as first:
        first.batch([links.set_link(index=1, up=True)])
    yield made
    os.close(made)


def test_only_strangers_are_heard(namespace: int) -> None:
    with RouteSocket(namespace) as own, RouteSocket(namespace) as other, RouteSocket(namespace) as stranger:
        told = Notifications(namespace, (own.port, other.port))
        own.request(WAY)
        other.request(routes.delete_route(Route(ip_network("10.0.0.0/8"), kind=UNREACHABLE)))
        assert list(told.read()) == []
        stranger.request(WAY)
        assert [notice.kind for notice in told.read()] == [routes.NEW]
        told.close()


def test_a_table_is_told_by_its_name(namespace: int) -> None:
    with NetfilterSocket(namespace) as stranger:
        told = Notifications(namespace, ())
        stranger.commit([nftables.add_table("theirs"), nftables.add_chain("theirs", "x")])
        assert {nftables.table_of(notice.kind, notice.body) for notice in told.read()} == {"theirs", None}
        told.close()


def test_too_much_is_said_to_be_lost_and_then_it_goes_on(namespace: int) -> None:
    with RouteSocket(namespace) as stranger:
        told = Notifications(namespace, ())
        blocks = [ip_network((11 << 24 | number << 8, 24)) for number in range(20_000)]
        stranger.batch([routes.replace_route(Route(block, kind=UNREACHABLE)) for block in blocks])
        with pytest.raises(Lost):
            list(told.read())
        list(told.read())
        stranger.request(WAY)
        assert [notice.kind for notice in told.read()] == [routes.NEW]
        told.close()
