"""What the reconciler asks of instances, whoever plays them (sandboxes now, virtual machines later)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from enid.guest.network import GuestNetwork
from enid.topology.records import Port


@dataclass(frozen=True, slots=True)
class InstanceSpec:
    """Everything a sandbox needs to boot."""

    id: str
    boot: int
    """Boot number; user data runs on the first boot of the instance's disk only."""
    hostname: str
    """With its domain, if it has one."""
    image_id: str
    vcpus: int
    memory_mib: int
    user_data: bytes = b""
    """Decoded."""
    authorized_keys: tuple[str, ...] = ()
    """OpenSSH public keys for root."""
    address: str = ""
    """The primary private IPv4 address."""
    nameservers: tuple[str, ...] = ()
    search: tuple[str, ...] = ()
    """Domains that names are looked up in."""
    leave_network: bool = False
    """Addresses, routes and resolver are the guest's own affair: it asks by DHCP."""


@dataclass(frozen=True, slots=True)
class Running:
    """A live sandbox."""

    id: str
    boot: int
    pid: int
    """Host-side pid of its init."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something happened to a sandbox."""

    id: str
    boot: int
    what: str
    """``started`` | ``failed`` | ``died``"""
    reason: str = ""


class Guests(Protocol):
    """The sandboxes of this host. Starting is asynchronous so that a thousand starts never delay one move.

    Boot order: ``start`` makes the namespaces and the file system and answers with a ``started`` event, init *waiting*;
    the reconciler then plugs and configures the ports and calls ``release``, and only then does user code run, so it
    never sees a machine without its network.
    """

    def adopt(self) -> Mapping[str, Running]:
        """What runs now (after a restart of the agent), by instance id; watches it from here on."""
        ...

    def lost(self) -> Sequence[str]:
        """Instances that have a run-time record but no live init: they crashed while nobody watched."""
        ...

    def start(self, spec: InstanceSpec) -> None:
        """Begin to start a sandbox; an :class:`Event` follows."""
        ...

    def release(self, instance_id: str) -> None:
        """Let a started sandbox's init go on: run user data, become a machine."""
        ...

    def configure(self, instance_id: str, ports: Sequence[Port]) -> None:
        """Make the guest's addresses, routes and rules those of ``ports`` (all that are plugged).

        Idempotent; touches only what differs, so running flows are not disturbed.
        """
        ...

    def refresh(self, instance_id: str, ports: Sequence[Port]) -> None:
        """Put back what somebody took from that configuration. What is there beyond it is the guest's own business."""
        ...

    def stop(self, instance_id: str, grace: float) -> None:
        """Ask its init to end everything in order; after ``grace`` seconds it is killed. A ``died`` event follows."""
        ...

    def kill(self, instance_id: str) -> None:
        """End every process of the sandbox now and forget its run-time record; its disk stays. No-op when gone."""
        ...

    def delete(self, instance_id: str) -> None:
        """Kill it and delete its disk."""
        ...

    def network(self, instance_id: str) -> GuestNetwork | None:
        """Its network namespace, as long as it is there."""
        ...

    def fileno(self) -> int:
        """Readable when :meth:`events` has something."""
        ...

    def events(self) -> Sequence[Event]:
        """What happened since the last call; never blocks."""
        ...

    def close(self) -> None:
        """Stop watching; the sandboxes stay."""
        ...
