"""A router in doubt is repaired with what stands there, and nobody is forgotten over it."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from fabric_lab import Lab, group, port, table, vpc

from enid.fabric.linux import names
from enid.netlink import links, namespaces
from enid.topology.records import Change

pytestmark = pytest.mark.root

A, B, C = port(4), port(5), port(6)


@pytest.fixture
def three(lab: Lab) -> Lab:
    lab.apply(vpc(), group(), table(), A, B, C)
    assert set(lab.fabric.drifted()) == set()
    return lab


@contextmanager
def in_doubt(lab: Lab) -> Iterator[None]:
    """The router's pin is lost, and cannot be made again at first."""
    pin = lab.settings.run_dir / "netns" / names.vpc_pin(vpc().id)
    before = os.stat(pin).st_ino
    namespaces.unpin(pin)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(namespaces, "pin", _refuse)
        lab.fabric.repair(vpc().id)
    assert lab.fabric.listen(), "there is something to do"
    assert vpc().id in lab.fabric.drifted()
    yield
    assert os.stat(pin).st_ino == before, "the same namespace"
    assert not lab.fabric.listen()


def _refuse(*_: object) -> None:
    raise OSError(errno.ENOENT, "somebody deleted the file")


def test_it_keeps_its_namespace_and_carries_on(three: Lab) -> None:
    with in_doubt(three):
        three.fabric.tidy()
        assert three.guest(A).pings(B.addresses[0])
        done = three.fabric.repair(vpc().id)
        assert done.failures == {}
    assert three.guest(A).pings(B.addresses[0])


def test_a_batch_repairs_it_first_and_tells_which_port_is_lost(three: Lab) -> None:
    guest, router = three.guests.pop(C.instance_id), three.router()
    with in_doubt(three):
        (refused,) = router.route.batch([links.delete_link(name=names.port_link(C.attachment_id))])
        assert refused == 0
        failures = three.fabric.apply([Change(None, port(7, instance=A.instance_id, device_index=1))])
        assert set(failures) == {C.key}, "which the batch is not about"
    assert three.guest(A).pings(B.addresses[0])
    three.guests[C.instance_id] = guest
    three.world.pop(C.key)
    three.apply(C)
    assert three.guest(A).pings(C.addresses[0])


def test_a_lost_port_that_is_given_up_is_no_failure(three: Lab) -> None:
    three.guests.pop(C.instance_id).close()
    with in_doubt(three):
        assert three.fabric.apply([Change(C, None)]) == {}
