"""What feeds the program of :mod:`shortcut`: its maps, kept in step with a VPC's ports and route tables.

Optional everywhere: whatever is not in a map goes the slow way, so a kernel that refuses, a map that is full, or an
agent that is gone cost speed and nothing else. The program and its maps stay with the ports' links when the agent
goes; the next agent puts a program of its own in its place, whose maps are empty until the router is as it should be.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Iterable
from functools import cache

import structlog

from enid.bpf import syscall
from enid.bpf.assembler import KernelFunction
from enid.bpf.btf import UnknownType
from enid.bpf.kernel import Kernel
from enid.fabric.linux import shortcut
from enid.fabric.linux.cells import Cells, Difference
from enid.fabric.linux.names import mark, subnet_number
from enid.fabric.linux.shortcut import GUARDED, PORTS, STEERED, Layout
from enid.netlink import conntrack, sysctl
from enid.netlink.classifiers import add_clsact, delete_clsact, set_ingress
from enid.netlink.netfilter import NetfilterSocket
from enid.netlink.socket import RouteSocket
from enid.topology.records import Address, Port, Timeouts

log = structlog.get_logger()

_NAME = "enid"
_ADDRESSES = 1 << 14
"""Of a VPC and of either kind; more are not accelerated. A megabyte holds four such maps while they are empty."""
_ON, _OFF = (number.to_bytes(4, "little") for number in (1, 0))
_LOOPBACK = 1
_CONNTRACK = "net/netfilter/nf_conntrack_"
_TIMEOUTS = tuple(f"{_CONNTRACK}{name}" for name in ("tcp_timeout_established", "udp_timeout_stream", "udp_timeout"))
LENIENT = {f"{_CONNTRACK}tcp_be_liberal": 1, f"{_CONNTRACK}tcp_ignore_invalid_rst": 1}
"""Conntrack sees a connection's begin and end and little in between: it cannot tell any more which sequence numbers are
within the window, and must not drop a FIN or RST because of that."""

Switch = tuple[str, int]
"""A map of switches, and the place of one in it."""


class Unavailable(Exception):
    """This kernel does not let us have a program here; the text says why."""


def may_accelerate(port: Port) -> bool:
    """Whether flows of this port may be short-cut, from it and to it.

    The switch for whatever has to see each packet of a port's flows, or has a say in more than their first: it says no
    here, and the port's packets all go through nftables.
    """
    watched = port.logged or port.mirrors
    return port.source_dest_check and port.timeouts == Timeouts() and not watched


@cache
def _kernel() -> tuple[Layout, dict[str, KernelFunction]]:
    """The same for every router of this process."""
    kernel = Kernel(shortcut.MODULE)
    return Layout.of(kernel), {name: kernel.function(name) for name in shortcut.FUNCTIONS}


class Accelerator:
    """One router's. This one accelerates nothing: it stands where there can be none, or shall be none.

    What is announced and withdrawn is carried out in two halves: :meth:`fence` before anything else of the router
    changes, :meth:`open` after everything has.
    """

    def attachment(self, device: int) -> list[bytes]:
        """Messages that put the program at a new link's entrance."""
        return []

    def adoption(self, device: int) -> list[bytes]:
        """Messages that do it at a link that may have one of an older agent's. They may fail."""
        return [delete_clsact(device)]

    def announce(self, port: Port, device: int) -> None:
        """A port of this host, by its link."""

    def withdraw(self, port: Port) -> None:
        """It goes, or changes."""

    def steer(self, tables: Collection[str]) -> None:
        """These route tables, and no others, have routes within the VPC: they lead their ports' packets."""

    def guard(self, subnets: Collection[str]) -> None:
        """These subnets, and no others, have a network ACL that may deny what crosses their border."""

    def fence(self) -> None:
        """What was withdrawn, or is to change, is slow from now on."""

    def open(self) -> None:
        """What was announced is fast from now on."""

    def close(self) -> None:
        """What is attached stays."""


class BpfAccelerator(Accelerator):
    """The real one.

    :param namespace: the router's, a descriptor.
    :param mac: of the router's ends; ``mtu`` that of every port.
    :param counts: counts the map entries written, as ``entries``.
    :raises Unavailable: there can be none.
    """

    def __init__(self, namespace: int, mac: str, mtu: int, counts: Counter[str]) -> None:
        self._mac = mac
        self._counts = counts
        self._addresses: Cells[Address, bytes] = Cells()
        self._switches: Cells[Switch, bool] = Cells()
        """Those that are on."""
        self._opening: tuple[Difference[Address, bytes], Difference[Switch, bool]] = Difference(), Difference()
        self._maps: dict[str, syscall.Map] = {}
        self._program: syscall.Program | None = None
        try:
            self._make_maps()
            self._load(namespace, mtu)
            self._try(namespace)
        except (OSError, UnknownType, ValueError) as error:
            self.close()
            raise Unavailable(_reason(error)) from error

    def _load(self, namespace: int, mtu: int) -> None:
        with NetfilterSocket(namespace) as netfilter:
            conntrack.flows(netfilter)  # whoever asks loads it, where it is a module
        layout, functions = _kernel()
        sysctl.write(namespace, LENIENT)
        descriptors = {name: made.descriptor for name, made in self._maps.items()}
        code = shortcut.program(layout, _timeouts(namespace), mtu).assemble(descriptors, functions)
        self._program = syscall.Program(code, _NAME)

    def _try(self, namespace: int) -> None:
        """Whether the kernel lets it be attached, too."""
        with RouteSocket(namespace) as route:
            for step in (*self.attachment(_LOOPBACK), delete_clsact(_LOOPBACK)):
                route.request(step)

    def _make_maps(self) -> None:
        for version, size in ((4, 4), (6, 16)):
            self._maps[PORTS[version]] = syscall.Map(
                syscall.HASH, size, shortcut.ENTRY_SIZE, _ADDRESSES, PORTS[version], syscall.NO_PREALLOCATION
            )
        for name in (STEERED, GUARDED):
            self._maps[name] = syscall.Map(syscall.ARRAY, 4, 4, shortcut.SLOTS, name)

    def attachment(self, device: int) -> list[bytes]:
        assert self._program is not None
        return [add_clsact(device), set_ingress(device, self._program.descriptor, _NAME)]

    def adoption(self, device: int) -> list[bytes]:
        return self.attachment(device)

    def announce(self, port: Port, device: int) -> None:
        if may_accelerate(port):
            table, subnet = mark(port.route_table_id), _number(port.subnet.id)
            value = shortcut.entry(device, port.mac, self._mac, table, subnet)
            self._addresses.announce((address, value) for address in port.addresses)

    def withdraw(self, port: Port) -> None:
        self._addresses.withdraw(port.addresses)

    def steer(self, tables: Collection[str]) -> None:
        self._turn_on(STEERED, map(mark, tables))

    def guard(self, subnets: Collection[str]) -> None:
        self._turn_on(GUARDED, map(_number, subnets))

    def _turn_on(self, name: str, numbers: Iterable[int]) -> None:
        """These, and all others off."""
        self._switches.withdraw([switch for switch in self._switches.held if switch[0] == name])
        self._switches.announce(((name, number % shortcut.SLOTS), True) for number in numbers)

    def fence(self) -> None:
        addresses, switches = self._opening = self._addresses.take(), self._switches.take()
        for switch, _ in switches.added:
            self._set(switch, _ON)
        for address, _ in addresses.removed + addresses.changed:
            self._maps[PORTS[address.version]].remove(address.packed)
            self._counts["entries"] += 1

    def open(self) -> None:
        addresses, switches = self._opening
        self._opening = Difference(), Difference()
        for switch, _ in switches.removed:
            self._set(switch, _OFF)
        for address, value in addresses.added + addresses.changed:
            self._counts["entries"] += 1
            try:
                self._maps[PORTS[address.version]].put(address.packed, value)
            except OSError as error:
                log.warning("not accelerated", address=str(address), reason=error.strerror)

    def _set(self, switch: Switch, position: bytes) -> None:
        self._counts["entries"] += 1
        name, place = switch
        self._maps[name].put(place.to_bytes(4, "little"), position)

    def close(self) -> None:
        for made in self._maps.values():
            made.close()
        if self._program is not None:
            self._program.close()


def probe() -> None:
    """Try it in the network namespace we are in. Raises Unavailable."""
    namespace = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        BpfAccelerator(namespace, "02:00:00:00:00:00", 1500, Counter()).close()
    finally:
        os.close(namespace)


def _reason(error: Exception) -> str:
    if isinstance(error, UnknownType):
        return f"the kernel has no {error}"
    if isinstance(error, OSError) and error.strerror and not error.filename:
        return error.strerror
    return str(error)


def _number(subnet: str) -> int:
    return int.from_bytes(subnet_number(subnet), "little")


def _timeouts(namespace: int) -> Timeouts:
    """As they are in the namespace now."""
    found = sysctl.read(namespace, _TIMEOUTS)
    return Timeouts(*(int(found[name]) for name in _TIMEOUTS))
