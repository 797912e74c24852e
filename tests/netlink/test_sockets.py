"""Netlink sockets in namespaces of their own: errors belong to messages, transactions to themselves."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from ipaddress import IPv4Address, ip_network
from pathlib import Path

import pytest

from enid.netlink import conntrack, links, namespaces, nftables, routes
from enid.netlink.namespaces import run_in
from enid.netlink.netfilter import NetfilterSocket
from enid.netlink.nftables import IPV4, Key, Set
from enid.netlink.routes import UNREACHABLE, Route
from enid.netlink.socket import RouteSocket

pytestmark = pytest.mark.root


@pytest.fixture
def namespace() -> Iterator[int]:
    made = namespaces.new()
    yield made
    os.close(made)


@pytest.fixture
def route(namespace: int) -> Iterator[RouteSocket]:
    with RouteSocket(namespace) as made:
        made.batch([links.set_link(index=1, up=True)])
        yield made


def test_each_error_is_its_messages_own_and_stops_nothing(route: RouteSocket) -> None:
    good = routes.replace_route(Route(ip_network("10.0.0.0/8"), kind=UNREACHABLE))
    bad = links.set_link(index=999, up=True)
    assert route.batch([bad, good, bad, good]) == [-errno.ENODEV, 0, -errno.ENODEV, 0]
    assert route.batch([]) == []


def test_a_large_batch_is_sent_in_parts(route: RouteSocket) -> None:
    blocks = [ip_network((10 << 24 | number << 8, 24)) for number in range(1000)]
    assert set(route.batch([routes.replace_route(Route(block, kind=UNREACHABLE)) for block in blocks])) == {0}
    found = {way.destination for body in route.dump(routes.get_routes(4)) if (way := routes.parse_route(body))}
    assert found >= set(blocks)
    assert route.counts["messages"] == 1002
    assert route.counts["batches"] == 1 + 4 + 1


def test_a_request_raises_the_kernels_error(route: RouteSocket) -> None:
    with pytest.raises(OSError, match="No such device") as caught:
        route.request(links.get_link(name="nothing"))
    assert caught.value.errno == errno.ENODEV


def test_a_transaction_is_all_or_nothing(namespace: int) -> None:
    with NetfilterSocket(namespace) as netfilter:
        netfilter.commit([nftables.add_table("t"), nftables.add_set("t", Set("s", (IPV4,)))])
        element = (Key(IPv4Address("10.0.0.1").packed), None)
        with pytest.raises(FileNotFoundError, match="message 2 of 2"):
            netfilter.commit(
                [*nftables.add_elements("t", "s", [element]), *nftables.delete_elements("t", "none", [element[0]])]
            )
        with pytest.raises(FileNotFoundError):
            netfilter.commit(nftables.delete_elements("t", "s", [element[0]]))
        netfilter.commit(nftables.add_elements("t", "s", [element]))
        netfilter.commit(nftables.delete_elements("t", "s", [element[0]]))


def test_a_namespace_has_no_flows_to_forget(namespace: int) -> None:
    with NetfilterSocket(namespace) as netfilter:
        assert conntrack.flows(netfilter) == 0
        conntrack.forget(netfilter, [IPv4Address("10.0.0.1")])


def test_pins_hold_a_namespace_and_let_it_go(tmp_path: Path) -> None:
    directory = tmp_path / "netns"
    namespaces.prepare(directory)
    namespaces.prepare(directory)
    made = namespaces.new_pinned(directory / "a")
    found = namespaces.open_pinned(directory / "a")
    assert found is not None
    assert os.fstat(found).st_ino == os.fstat(made).st_ino
    assert namespaces.open_pinned(directory / "b") is None
    (directory / "c").touch()
    assert namespaces.open_pinned(directory / "c") is None, "a plain file is no namespace"
    (directory / "c").unlink()
    os.close(made)
    os.close(found)
    namespaces.unpin(directory / "a")
    namespaces.unpin(directory / "a")
    namespaces.discard(directory)
    assert not directory.exists()
    assert str(directory) not in Path("/proc/self/mountinfo").read_text()


def test_the_process_itself_never_moves(namespace: int) -> None:
    here = os.stat("/proc/self/ns/net").st_ino
    assert run_in(namespace, lambda: os.stat("/proc/thread-self/ns/net").st_ino) == os.fstat(namespace).st_ino
    assert os.stat("/proc/self/ns/net").st_ino == here
    with pytest.raises(ZeroDivisionError):
        run_in(namespace, lambda: 1 // 0)
