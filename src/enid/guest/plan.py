"""Everything the setup process needs to make one sandbox, decided beforehand by the agent.

The agent decides, the spawner's child carries out: a plan crosses the socket between them as JSON.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Tree:
    """A directory of the instance that is an overlay: ``lower`` shared and never written, the rest on the disk."""

    target: str
    """Name in the instance's root, ``""`` for the root itself."""
    lower: str
    idmapped: bool
    """Show the owners of ``lower`` through the instance's id map."""


@dataclass(frozen=True, slots=True)
class Limit:
    """A cgroup to make, and what to write into its files before the first process enters."""

    path: str
    values: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """One start of one sandbox. Paths are the agent's."""

    token: int
    id: str
    boot: int
    hostname: str
    id_base: int
    id_count: int
    disk: str
    console: str
    record: str
    release: str
    scratch: str
    """A directory of empty directories to mount on, ``root`` and one per tree."""
    trees: tuple[Tree, ...]
    """The root first."""
    xattr_option: str
    """``userxattr`` where the mounter is root of a user namespace only."""
    limits: tuple[Limit, ...]
    shm_mib: int
    user_data: bytes
    authorized_keys: tuple[str, ...]
    address: str
    nameservers: tuple[str, ...]
    search: tuple[str, ...]
    leave_network: bool
    """Configure neither addresses nor names: the guest asks by DHCP."""

    def encode(self) -> bytes:
        fields = asdict(self)
        fields["user_data"] = b64encode(self.user_data).decode()
        return json.dumps(fields).encode()

    @classmethod
    def decode(cls, text: bytes) -> Plan:
        fields = json.loads(text)
        fields["user_data"] = b64decode(fields["user_data"])
        fields["trees"] = tuple(Tree(**tree) for tree in fields["trees"])
        fields["limits"] = tuple(
            Limit(limit["path"], tuple((name, value) for name, value in limit["values"])) for limit in fields["limits"]
        )
        for name in ("authorized_keys", "nameservers", "search"):
            fields[name] = tuple(fields[name])
        return cls(**fields)


@dataclass(frozen=True, slots=True)
class Reply:
    """What became of a plan: a pid, or why not."""

    token: int
    id: str
    pid: int = 0
    born: int = 0
    reason: str = ""

    def encode(self) -> bytes:
        return json.dumps(asdict(self)).encode()

    @classmethod
    def decode(cls, text: bytes) -> Reply:
        return cls(**json.loads(text))
