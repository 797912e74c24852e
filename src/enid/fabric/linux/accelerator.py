"""What feeds the programs of :mod:`shortcut`: their maps, kept in step with a VPC's ports and route tables.

Optional everywhere: whatever is not in a map goes the slow way, so a kernel that refuses, a map that is full, or an
agent that is gone cost speed and nothing else. The programs and their maps stay with the links when the agent
goes; the next agent puts programs of its own in their place, whose maps are empty until the router is as it should be.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Iterable
from contextlib import suppress
from functools import cache
from ipaddress import ip_address

import structlog

from enid.bpf import syscall
from enid.bpf.assembler import KernelFunction
from enid.bpf.btf import UnknownType
from enid.bpf.kernel import Kernel
from enid.fabric.linux import shortcut
from enid.fabric.linux.cells import Cells, Difference
from enid.fabric.linux.names import mark, subnet_number
from enid.fabric.linux.shortcut import BLOCKS, CLOSED, GUARDED, PORTS, PRIVATE_OF, STEERED, Layout
from enid.netlink import conntrack, sysctl
from enid.netlink.classifiers import add_clsact, delete_clsact, set_ingress
from enid.netlink.netfilter import NetfilterSocket
from enid.netlink.socket import RouteSocket
from enid.topology.records import Address, Network, Port, Timeouts

log = structlog.get_logger()

_NAME = "enid"
_ADDRESSES = 1 << 14
"""Of a VPC and of either kind; more are not accelerated. A megabyte holds four such maps while they are empty."""
_MOST_BLOCKS = 64
_ON, _OFF = (number.to_bytes(4, "little") for number in (1, 0))
_LOOPBACK = 1
_CONNTRACK = "net/netfilter/nf_conntrack_"
_TIMEOUTS = tuple(f"{_CONNTRACK}{name}" for name in ("tcp_timeout_established", "udp_timeout_stream", "udp_timeout"))
LENIENT = {f"{_CONNTRACK}tcp_be_liberal": 1, f"{_CONNTRACK}tcp_ignore_invalid_rst": 1}
"""Conntrack sees a connection's begin and end and little in between: it cannot tell any more which sequence numbers are
within the window, and must not drop a FIN or RST because of that."""

Entry = tuple[str, bytes]
"""A map, and a key in it."""


class Unavailable(Exception):
    """This kernel does not let us have a program here; the text says why."""


def may_accelerate(port: Port) -> bool:
    """Whether flows of this port may be short-cut, from it and to it.

    The switch for whatever has to see each packet of a port's flows, or has a say in more than their first: it says no
    here, and the port's packets all go through nftables.
    """
    watched = port.logged or port.mirrors
    return port.source_dest_check and port.timeouts == Timeouts() and not watched


def prepare() -> None:
    """For whoever is going to fork processes that have accelerators: learn what takes a third of a second."""
    with suppress(OSError, ValueError, UnknownType):  # who has one will say why not
        _learn()


@cache
def _learn() -> tuple[Layout, dict[str, tuple[int, bool]]]:
    """What the programs must know of this kernel. Raises what :class:`Kernel` raises."""
    kernel = Kernel(shortcut.MODULE)
    return Layout.of(kernel), {name: kernel.function(name) for name in shortcut.FUNCTIONS}


@cache
def _kernel() -> tuple[Layout, dict[str, KernelFunction]]:
    """The same for every router of this process, which holds the module's types for good."""
    layout, found = _learn()
    module = syscall.module_types(shortcut.MODULE) if any(in_module for _, in_module in found.values()) else None
    return layout, {
        name: KernelFunction(id_, module if in_module else None) for name, (id_, in_module) in found.items()
    }


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

    def entrance(self, device: int) -> list[bytes]:
        """Messages that put a program at the end of the internet's wire, whether there is one or not. They may fail."""
        return [delete_clsact(device)]

    def admit(self, blocks: Collection[Network], entered: bool) -> None:
        """The VPC has these blocks and no others.

        :param entered: there is an internet gateway, and what comes in goes straight to its address.
        """

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
        self._addresses: Cells[Entry, bytes] = Cells()
        """What is fast."""
        self._switches: Cells[Entry, bytes] = Cells()
        """What is slow."""
        self._opening: tuple[Difference[Entry, bytes], Difference[Entry, bytes]] = Difference(), Difference()
        self._maps: dict[str, syscall.Map] = {}
        self._programs: list[syscall.Program] = []
        """At a port's end, and at the internet wire's."""
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
        for written in (shortcut.from_port, shortcut.from_internet):
            code = written(layout, _timeouts(namespace), mtu).assemble(descriptors, functions)
            self._programs.append(syscall.Program(code, _NAME))

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
        for name in (STEERED, GUARDED, CLOSED):
            self._maps[name] = syscall.Map(syscall.ARRAY, 4, 4, shortcut.SLOTS, name)
        self._maps[PRIVATE_OF] = syscall.Map(syscall.HASH, 4, 4, _ADDRESSES, PRIVATE_OF, syscall.NO_PREALLOCATION)
        self._maps[BLOCKS] = syscall.Map(syscall.LONGEST_PREFIX, 8, 4, _MOST_BLOCKS, BLOCKS, syscall.NO_PREALLOCATION)

    def attachment(self, device: int) -> list[bytes]:
        return _at_entrance(device, self._programs[0])

    def adoption(self, device: int) -> list[bytes]:
        return self.attachment(device)

    def entrance(self, device: int) -> list[bytes]:
        return _at_entrance(device, self._programs[1])

    def admit(self, blocks: Collection[Network], entered: bool) -> None:
        self._turn_on(BLOCKS, (_prefix(block) for block in blocks if block.version == 4))
        self._turn_on(CLOSED, [] if entered else [_slot(0)])

    def announce(self, port: Port, device: int) -> None:
        if may_accelerate(port):
            table, subnet = mark(port.route_table_id), _number(port.subnet.id)
            value = shortcut.entry(device, port.mac, self._mac, table, subnet)
            self._addresses.announce((_place(address), value) for address in port.addresses)
            self._addresses.announce(((PRIVATE_OF, public.packed), private.packed) for private, public in port.public)

    def withdraw(self, port: Port) -> None:
        self._addresses.withdraw(map(_place, port.addresses))
        self._addresses.withdraw((PRIVATE_OF, public.packed) for _, public in port.public)

    def steer(self, tables: Collection[str]) -> None:
        self._turn_on(STEERED, (_slot(mark(table)) for table in tables))

    def guard(self, subnets: Collection[str]) -> None:
        self._turn_on(GUARDED, (_slot(_number(subnet)) for subnet in subnets))

    def _turn_on(self, name: str, keys: Iterable[bytes]) -> None:
        """These, and all others off."""
        self._switches.withdraw([switch for switch in self._switches.held if switch[0] == name])
        self._switches.announce(((name, key), _ON) for key in keys)

    def fence(self) -> None:
        addresses, switches = self._opening = self._addresses.take(), self._switches.take()
        for (name, key), value in switches.added:
            self._put(name, key, value)
        for (name, key), _ in addresses.removed + addresses.changed:
            self._remove(name, key)

    def open(self) -> None:
        addresses, switches = self._opening
        self._opening = Difference(), Difference()
        for (name, key), _ in switches.removed:
            if name == BLOCKS:
                self._remove(name, key)
            else:
                self._put(name, key, _OFF)
        for (name, key), value in addresses.added + addresses.changed:
            try:
                self._put(name, key, value)
            except OSError as error:
                log.warning("not accelerated", address=str(ip_address(key)), reason=error.strerror)

    def _put(self, name: str, key: bytes, value: bytes) -> None:
        self._counts["entries"] += 1
        self._maps[name].put(key, value)

    def _remove(self, name: str, key: bytes) -> None:
        self._counts["entries"] += 1
        self._maps[name].remove(key)

    def close(self) -> None:
        for table in self._maps.values():
            table.close()
        for program in self._programs:
            program.close()


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


def _at_entrance(device: int, program: syscall.Program) -> list[bytes]:
    return [add_clsact(device), set_ingress(device, program.descriptor, _NAME)]


def _place(address: Address) -> Entry:
    return PORTS[address.version], address.packed


def _slot(number: int) -> bytes:
    return (number % shortcut.SLOTS).to_bytes(4, "little")


def _prefix(block: Network) -> bytes:
    return block.prefixlen.to_bytes(4, "little") + block.network_address.packed


def _number(subnet: str) -> int:
    return int.from_bytes(subnet_number(subnet), "little")


def _timeouts(namespace: int) -> Timeouts:
    """As they are in the namespace now."""
    found = sysctl.read(namespace, _TIMEOUTS)
    return Timeouts(*(int(found[name]) for name in _TIMEOUTS))
