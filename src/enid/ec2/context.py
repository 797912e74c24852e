"""What an operation is given: who asks, the open transaction, the clock, and where to note what changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection

from enid import clock
from enid.settings import Settings
from enid.store.journal import Key, Kind

Params = Mapping[str, Any]
"""A request's parameters under the member names of botocore's ``ec2`` model (``CidrBlock``, ``TagSpecifications`` …),
already checked and converted against it: booleans, integers, lists, structures. Absent members are absent."""

Result = dict[str, Any]
"""An answer under the same model's member names. Members that are ``None`` or absent are left out of the XML."""


@dataclass(slots=True)
class Context:
    """One call. ``db`` is in a transaction that commits when the operation returns and rolls back when it raises."""

    db: Connection
    account_id: str
    settings: Settings
    user_id: str = ""
    request_id: str = ""
    now: str = field(default_factory=clock.now)
    changed: list[Key] = field(default_factory=list)
    settling: set[str] = field(default_factory=set)

    @property
    def region(self) -> str:
        return self.settings.region

    def note(self, kind: Kind, id_: str) -> None:
        """Tell the agent to look at this key again; written to the journal with the transaction."""
        self.changed.append((kind, id_))

    def settle(self, network_interface_id: str) -> None:
        """Ask that the answer waits (bounded) until the agent has carried out this interface's transition."""
        self.settling.add(network_interface_id)
