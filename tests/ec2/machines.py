"""Instances for the tests: launched by RunInstances into a small network, moved on as the agent would."""

from __future__ import annotations

from typing import Any

from small_network import Network
from sqlalchemy import select, update

from accounts import Account
from enid.ec2.images import SANDBOX
from enid.store import status
from enid.store import tables as t

IMAGE = SANDBOX["ImageId"]


class Machines:
    """``launch()`` answers the instance as RunInstances shows it; ``agent()`` carries out what was asked."""

    def __init__(self, call: Account) -> None:
        self.call = call
        self.network = Network(call)

    def request(self, **params: Any) -> dict[str, Any]:
        """The parameters of a small launch; ``None`` leaves one out."""
        request = {"ImageId": IMAGE, "InstanceType": "t3.small", "MinCount": 1, "MaxCount": 1}
        if "NetworkInterfaces" not in params:
            request["SubnetId"] = self.network.subnet
        return {name: value for name, value in (request | params).items() if value is not None}

    def launch(self, **params: Any) -> dict[str, Any]:
        return dict(self.launch_many(**params)[0])

    def launch_many(self, **params: Any) -> list[dict[str, Any]]:
        return list(self.call("RunInstances", **self.request(**params))["Instances"])

    def refused(self, **params: Any) -> tuple[str, str]:
        """Code and text of the refusal of a launch."""
        error = self.call.refused("RunInstances", **self.request(**params))
        return error.code, error.message

    def running(self, **params: Any) -> str:
        """The id of an instance that runs."""
        id_ = self.launch(**params)["InstanceId"]
        self.agent()
        return str(id_)

    def stopped(self, **params: Any) -> str:
        """The id of an instance that ran and was stopped."""
        id_ = self.running(**params)
        self.call("StopInstances", InstanceIds=[id_])
        self.agent()
        return id_

    def agent(self) -> None:
        """What the agent writes back when it has done everything."""
        with self.call.database.write() as db:
            by_state: dict[str, list[str]] = {}
            for row in db.execute(select(t.instances.c.id, t.instances.c.state)):
                by_state.setdefault(row.state, []).append(row.id)
            status.attached(db, db.execute(select(t.attachments.c.id)).scalars().all())
            status.running(db, by_state.get("pending", []))
            status.stopped(db, by_state.get("stopping", []), "2026-01-01T00:00:00.000Z")
            status.terminated(db, by_state.get("shutting-down", []), "2026-01-01T00:00:00.000Z")

    def crash(self, id_: str) -> None:
        """The machine died without anyone asking."""
        with self.call.database.write() as db:
            status.impaired(db, [id_])

    def shown(self, id_: str) -> dict[str, Any]:
        """As DescribeInstances shows it."""
        (reservation,) = self.call("DescribeInstances", InstanceIds=[id_])["Reservations"]
        (instance,) = reservation["Instances"]
        return dict(instance)

    def state(self, id_: str) -> str:
        return str(self.shown(id_)["State"]["Name"])

    def row(self, id_: str) -> Any:
        with self.call.database.read() as db:
            return db.execute(select(t.instances).where(t.instances.c.id == id_)).one()

    def change_subnet(self, **values: Any) -> None:
        """Set columns of the first subnet, e.g. ``map_public_ip_on_launch=True``."""
        self.call.put(update(t.subnets).where(t.subnets.c.id == self.network.subnet).values(**values))
