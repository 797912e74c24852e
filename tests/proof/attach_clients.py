"""Clients that all plug the same interfaces into the same slots, and write down what they asked and were told."""

from __future__ import annotations

import random
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from attachment_model import MOST, Place, State, state
from bench.client import first, numbered
from callers import BUSY, NEVER, PATIENCE, Caller, Reply, items
from linearizability import Call

CLIENTS = 8
ASKS = 8
"""Of each client in one history."""
INDEXES = (1, 2, 3)
_ATTACH = {
    "is currently in use": "interface",
    "already has an interface attached at device index": "index",
    "exceeds the limit": "limit",
}
_DETACH = {"InvalidAttachmentID.NotFound": "gone", "IncorrectState": "moving"}
assert max(INDEXES) == MOST, "one slot more than there is room"


@dataclass
class Machines:
    """What is raced for."""

    instances: list[str]
    interfaces: list[str]
    attachments: list[str] = field(default_factory=list)
    """Those that clients know of, the last ones last."""

    def places(self, caller: Caller) -> tuple[Reply, dict[str, Place | None]]:
        """Where the interfaces are, all in one answer."""
        reply = caller.insist("DescribeNetworkInterfaces", **numbered("NetworkInterfaceId", self.interfaces))
        found = {}
        for item in items(reply.body, "networkInterfaceSet"):
            place = None
            if item.find("attachment") is not None:
                id_, instance, index, status = (
                    item.findtext(f"attachment/{name}", "")
                    for name in ("attachmentId", "instanceId", "deviceIndex", "status")
                )
                place = Place(id_, instance, int(index), status)
            assert item.findtext("status") == ("in-use" if place else "available")
            found[item.findtext("networkInterfaceId", "")] = place
        return reply, found

    def at_rest(self, caller: Caller) -> State:
        """Where the interfaces are once none is on its way."""
        deadline = time.monotonic() + PATIENCE
        while True:
            _, places = self.places(caller)
            if all(place is None or place.status == "attached" for place in places.values()):
                return state(places)
            assert time.monotonic() < deadline, f"the agent does not come to an end: {places}"
            time.sleep(0.01)


class Client:
    """One of them."""

    def __init__(self, machines: Machines, caller: Caller, draw: random.Random) -> None:
        self._machines, self._caller, self._draw = machines, caller, draw
        self.calls: list[Call] = []

    def ask(self) -> None:
        """Something."""
        asks = {self._attach: 5, self._detach: 4, self._move: 2, self._look: 2}
        (chosen,) = self._draw.choices(list(asks), list(asks.values()))
        chosen()

    def close(self) -> None:
        self._caller.close()

    def _note(self, reply: Reply, *what: object) -> None:
        assert reply.answered
        assert reply.code not in NEVER, reply.message
        if reply.code not in BUSY:
            self.calls.append(Call(reply.begin, reply.end, what))

    def _attach(self, interface: str = "") -> None:
        interface = interface or self._draw.choice(self._machines.interfaces)
        instance, index = self._draw.choice(self._machines.instances), self._draw.choice(INDEXES)
        reply = self._caller.call(
            "AttachNetworkInterface", NetworkInterfaceId=interface, InstanceId=instance, DeviceIndex=index
        )
        if reply.done:
            id_ = first(reply.body, "attachmentId")
            self._machines.attachments.append(id_)
            return self._note(reply, "attach", id_, interface, instance, index)
        (why,) = [why for words, why in _ATTACH.items() if words in reply.message] or [reply.message]
        return self._note(reply, "not attached", why, interface, instance, index)

    def _detach(self, attachment: str = "", *, force: bool | None = None) -> None:
        recent = self._machines.attachments[-6:]
        if not attachment and not recent:
            return None
        attachment = attachment or self._draw.choice(recent)
        forced = self._draw.random() < 0.4 if force is None else force
        reply = self._caller.call(
            "DetachNetworkInterface", AttachmentId=attachment, Force="true" if forced else "false"
        )
        if reply.done:
            return self._note(reply, "detach", attachment, forced)
        return self._note(reply, "not detached", attachment, _DETACH.get(reply.code, reply.message))

    def _move(self) -> None:
        """As a failover does: force it off where it is, plug it in elsewhere at once."""
        interface = self._draw.choice(self._machines.interfaces)
        place = self._look()[interface]
        if place is not None:
            self._detach(place.attachment, force=True)
        self._attach(interface)

    def _look(self) -> dict[str, Place | None]:
        reply, places = self._machines.places(self._caller)
        self._note(reply, "shown", places)
        return places


def everybody_asks(machines: Machines, ports: list[int], key: tuple[str, str], seed: int) -> list[Call]:
    """One history: all clients at once, and what was there when they had done."""
    draws = [random.Random(f"{seed} {number}") for number in range(CLIENTS)]
    made = [Client(machines, Caller(ports, key, draw), draw) for draw in draws]

    def run(client: Client) -> None:
        for _ in range(ASKS):
            client.ask()

    try:
        with ThreadPoolExecutor(CLIENTS) as threads:
            for done in [threads.submit(run, client) for client in made]:
                done.result()
        made[0]._look()
    finally:
        for client in made:
            client.close()
    return [call for client in made for call in client.calls]
