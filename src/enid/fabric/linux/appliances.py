"""Appliances: what a port can be plugged into that is no instance, each a namespace of its own, holding no process.

To a VPC's router their ports are ports like any other. Here they only come and go; what one does with packets is its
kind's affair (:mod:`enid.fabric.linux.nat_gateway`).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

import structlog

from enid.fabric.interface import Place
from enid.fabric.linux.nat_gateway import NatGateway
from enid.fabric.linux.node import Aspect, Node
from enid.topology.records import Appliance, Port, Record, RecordKey

log = structlog.get_logger()

_KINDS = {Appliance.NAT_GATEWAY: NatGateway}


class Appliances:
    """Those of this host, by the id of what they carry out (nat-…), pinned in the directory ``pins``."""

    def __init__(self, pins: Path, host_id: str, counts: Counter[str]) -> None:
        self._pins = pins
        self._host_id = host_id
        self._counts = counts
        self._made: dict[str, NatGateway] = {}
        self._of_vpc: defaultdict[str, set[str]] = defaultdict(set)

    def ports(self, records: Iterable[Record | None]) -> list[Port]:
        """Of these records, the ports of appliances that are to be here."""
        return [port for port in records if isinstance(port, Port) and port.appliance and port.host == self._host_id]

    def pins(self, world: Mapping[RecordKey, Record]) -> set[str]:
        """The names of the pins that there should be."""
        return {port.instance_id for port in self.ports(world.values())}

    def place(self, id_: str) -> Place | None:
        """As :data:`enid.fabric.interface.GuestPlace`."""
        made = self._made.get(id_)
        return made.node if made is not None else None

    def make(self, records: Iterable[Record | None]) -> None:
        """Before their ports are plugged: those whose namespace is there already are taken over."""
        for port in self.ports(records):
            if port.instance_id not in self._made:
                assert port.appliance is not None
                self._made[port.instance_id] = _KINDS[port.appliance](self._pins / port.instance_id, self._counts)
                self._of_vpc[port.vpc_id].add(port.instance_id)

    def nodes(self) -> list[Node]:
        """Their namespaces."""
        return [made.node for made in self._made.values()]

    def become(
        self,
        records: Iterable[Record | None],
        unplugged: Collection[RecordKey],
        touched: Collection[Aspect] = (),
    ) -> dict[RecordKey, str]:
        """After their ports are plugged, but for some. Answers the keys that failed, each with the reason.

        :param touched: what others may have changed in them.
        """
        failures: dict[RecordKey, str] = {}
        for port in self.ports(records):
            if port.key in unplugged:
                continue
            try:
                self._made[port.instance_id].become(port, touched)
            except OSError as error:
                log.error("appliance in doubt", id=port.instance_id, reason=str(error))
                failures[port.key] = str(error)
        return failures

    def remove(self, vpc_id: str, records: Iterable[Record | None]) -> None:
        """After their ports in the VPC are withdrawn."""
        self._destroy(vpc_id, self._of_vpc[vpc_id] & {port.instance_id for port in self.ports(records)})

    def retain(self, vpc_id: str, records: Iterable[Record]) -> None:
        """After a failure: of the VPC's only those whose ports are among ``records``."""
        self._destroy(vpc_id, self._of_vpc[vpc_id] - {port.instance_id for port in self.ports(records)})

    def _destroy(self, vpc_id: str, ids: Iterable[str]) -> None:
        for id_ in list(ids):
            self._of_vpc[vpc_id].discard(id_)
            self._made.pop(id_).node.destroy()

    def close(self) -> None:
        """The namespaces stay."""
        for made in self._made.values():
            made.node.close()
        self._made.clear()
        self._of_vpc.clear()
