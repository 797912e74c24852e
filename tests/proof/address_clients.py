"""Clients that all want addresses of one subnet, and write down what each of them asked and was told."""

from __future__ import annotations

import random
import re
import threading
import uuid
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from address_history import Event, Held, Shown
from api_processes import Apis
from bench.client import every, first, numbered
from callers import Caller, Reply, items

CLIENTS = 64
BLOCK = "10.0.1.0/24"
RESERVED = frozenset(f"10.0.1.{offset}" for offset in (0, 1, 2, 3, 255))
FREE = 256 - len(RESERVED)
"""Addresses of the empty subnet."""
_WANTED = [f"10.0.1.{offset}" for offset in range(4, 34)]
"""Addresses that everybody wants."""
_ELASTIC = 12
_CROWD = 70
"""About how many interfaces there are."""


@dataclass
class Subnet:
    """What all clients know."""

    id: str
    elastic: dict[str, str]
    """Elastic IP → its allocation's id."""
    interfaces: set[str] = field(default_factory=set)
    associations: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Id → Elastic IP and address."""

    @classmethod
    def make(cls, caller: Caller) -> Subnet:
        """An empty one, in a VPC with an internet gateway; and Elastic IPs."""
        vpc = first(caller.insist("CreateVpc", CidrBlock="10.0.0.0/16").body, "vpcId")
        gateway = first(caller.insist("CreateInternetGateway").body, "internetGatewayId")
        assert caller.call("AttachInternetGateway", InternetGatewayId=gateway, VpcId=vpc).done
        id_ = first(caller.insist("CreateSubnet", VpcId=vpc, CidrBlock=BLOCK).body, "subnetId")
        given = [caller.insist("AllocateAddress", Domain="vpc").body for _ in range(_ELASTIC)]
        return cls(id_, {first(body, "publicIp"): first(body, "allocationId") for body in given})

    def available(self, caller: Caller) -> int:
        """As DescribeSubnets counts."""
        told = caller.insist("DescribeSubnets", **{"SubnetId.1": self.id}).body
        return int(first(told, "availableIpAddressCount"))

    def shown(self, caller: Caller) -> tuple[Reply, dict[str, Shown]]:
        """Every interface there is, in one answer."""
        reply = caller.insist("DescribeNetworkInterfaces", **_filter("subnet-id", self.id))
        return reply, shown(reply.body)


def shown(body: bytes) -> dict[str, Shown]:
    """Interface → its addresses, of an answer of DescribeNetworkInterfaces."""
    found = {}
    for item in items(body, "networkInterfaceSet"):
        id_ = item.findtext("networkInterfaceId", "")
        found[id_] = {
            each.findtext("privateIpAddress", ""): Held(
                id_, each.findtext("primary") == "true", each.findtext("association/publicIp")
            )
            for each in item.iterfind("privateIpAddressesSet/item")
        }
    return found


def _filter(name: str, value: str) -> dict[str, str]:
    return {"Filter.1.Name": name, "Filter.1.Value.1": value}


class Client:
    """One of them: asks at random, one thing after the other."""

    def __init__(self, subnet: Subnet, caller: Caller, draw: random.Random) -> None:
        self._subnet, self._caller, self._draw = subnet, caller, draw
        self.events: list[Event] = []

    def close(self) -> None:
        self._caller.close()

    def ask(self) -> None:
        """Something."""
        crowded = len(self._subnet.interfaces) > _CROWD
        asks = {
            self._create: 10 if crowded else 30,
            self._delete: 30 if crowded else 10,
            self._assign_any: 12,
            self._assign: 12,
            self._move: 14,
            self._unassign: 12,
            self._associate: 8,
            self._disassociate: 3,
            self._show: 6,
            self._find: 4,
        }
        (chosen,) = self._draw.choices(list(asks), list(asks.values()))
        chosen()

    def _interface(self) -> str:
        known = list(self._subnet.interfaces)
        return self._draw.choice(known) if known else "eni-0123456789abcdef0"

    def _some(self, most: int = 3) -> tuple[str, ...]:
        """Addresses to ask for; now and then one that nobody may have."""
        pool = [*_WANTED, *RESERVED] if self._draw.random() < 0.05 else _WANTED
        return tuple(self._draw.sample(pool, self._draw.randint(1, most)))

    def _note(self, kind: str, reply: Reply, **members: object) -> None:
        if reply.code:
            members |= {"got": tuple(re.findall(r"10\.0\.1\.\d+", reply.message))}
        self.events.append(Event(kind, reply, **members))  # type: ignore[arg-type]

    def _create(self) -> None:
        asked: dict[str, str | int] = {"SubnetId": self._subnet.id, "ClientToken": str(uuid.UUID(int=self._bits()))}
        wanted: tuple[str, ...] = ()
        match self._draw.randrange(4):
            case 0:
                wanted = self._some()
                asked |= {f"PrivateIpAddresses.{n}.PrivateIpAddress": ip for n, ip in enumerate(wanted, 1)}
                asked |= {"PrivateIpAddresses.1.Primary": "true"}
            case 1:
                asked |= {"SecondaryPrivateIpAddressCount": self._draw.randint(1, 4)}
        reply = self._caller.insist("CreateNetworkInterface", **asked)
        if not reply.done:
            return self._note("create", reply, wanted=wanted)
        interface = first(reply.body, "networkInterfaceId")
        self._subnet.interfaces.add(interface)
        return self._note("create", reply, interface=interface, wanted=wanted, got=_addresses(reply.body))

    def _bits(self) -> int:
        return self._draw.getrandbits(128)

    def _delete(self) -> None:
        interface = self._interface()
        reply = self._caller.call("DeleteNetworkInterface", NetworkInterfaceId=interface)
        if reply.done or reply.code.endswith(".NotFound"):
            self._subnet.interfaces.discard(interface)
        self._note("delete", reply, interface=interface)

    def _assign_any(self) -> None:
        interface, count = self._interface(), self._draw.randint(1, 4)
        reply = self._caller.call(
            "AssignPrivateIpAddresses", NetworkInterfaceId=interface, SecondaryPrivateIpAddressCount=count
        )
        assert not reply.done or len(_addresses(reply.body)) == count
        self._note("assign", reply, interface=interface, got=_addresses(reply.body))

    def _assign(self, **more: str) -> None:
        interface, wanted = self._interface(), self._some()
        reply = self._caller.call(
            "AssignPrivateIpAddresses",
            NetworkInterfaceId=interface,
            **numbered("PrivateIpAddress", list(wanted)),
            **more,
        )
        got = _addresses(reply.body)
        self._note("move" if more else "assign", reply, interface=interface, wanted=wanted, got=got)

    def _move(self) -> None:
        self._assign(AllowReassignment="true")

    def _unassign(self) -> None:
        interface, wanted = self._interface(), self._some(1)
        reply = self._caller.call(
            "UnassignPrivateIpAddresses", NetworkInterfaceId=interface, **numbered("PrivateIpAddress", list(wanted))
        )
        self._note("unassign", reply, interface=interface, wanted=wanted)

    def _associate(self) -> None:
        interface, (address,) = self._interface(), self._some(1)
        elastic = self._draw.choice(list(self._subnet.elastic))
        reply = self._caller.call(
            "AssociateAddress",
            AllocationId=self._subnet.elastic[elastic],
            NetworkInterfaceId=interface,
            PrivateIpAddress=address,
        )
        if reply.done:
            self._subnet.associations[first(reply.body, "associationId")] = elastic, address
        self._note("associate", reply, interface=interface, wanted=(address,), elastic=elastic)

    def _disassociate(self) -> None:
        known = list(self._subnet.associations.items())
        if known:
            id_, (elastic, address) = self._draw.choice(known)
            reply = self._caller.call("DisassociateAddress", AssociationId=id_)
            if reply.done or reply.code.endswith(".NotFound"):
                self._subnet.associations.pop(id_, None)
            self._note("disassociate", reply, got=(address,), elastic=elastic)

    def _show(self) -> None:
        interface = self._interface()
        reply = self._caller.insist("DescribeNetworkInterfaces", **{"NetworkInterfaceId.1": interface})
        self._note("show", reply, interface=interface, shown=shown(reply.body)[interface] if reply.done else None)

    def _find(self) -> None:
        (address,) = self._some(1)
        reply = self._caller.insist("DescribeNetworkInterfaces", **_filter("addresses.private-ip-address", address))
        found = shown(reply.body)
        assert len(found) <= 1, f"{address} is held by {[*found]} at once"
        for interface, addresses in found.items():
            return self._note("show", reply, interface=interface, shown=addresses)
        return self._note("show", reply, wanted=(address,))


def _addresses(body: bytes) -> tuple[str, ...]:
    return tuple(dict.fromkeys(every(body, "privateIpAddress")))


def everybody_asks(apis: Apis, subnet: Subnet, seed: int, calls: int, kills: int) -> list[Event]:
    """``calls`` calls of all clients at once, while servers are killed; what they saw, in no order."""
    left = threading.Semaphore(calls)
    made = [Client(subnet, *_caller(apis, seed, number)) for number in range(CLIENTS)]
    draw = random.Random(seed)

    def run(client: Client) -> None:
        while left.acquire(blocking=False):
            client.ask()

    try:
        with ThreadPoolExecutor(CLIENTS) as threads:
            running = [threads.submit(run, client) for client in made]
            strikes = sorted(draw.randrange(calls // 10, calls) for _ in range(kills))
            for strike in strikes:
                while sum(len(client.events) for client in made) < strike and not all(each.done() for each in running):
                    threading.Event().wait(0.01)
                apis.strike(draw)
            for each in running:
                each.result()
    finally:
        for client in made:
            client.close()
    return [event for client in made for event in client.events]


def _caller(apis: Apis, seed: int, number: int) -> tuple[Caller, random.Random]:
    draw = random.Random(f"{seed} {number}")
    return Caller(apis.ports, apis.key, draw), draw


def mentioned(events: Iterable[Event]) -> set[str]:
    """The interfaces these are about."""
    return {event.interface for event in events if event.interface}
