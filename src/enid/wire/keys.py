"""Access keys: id → secret and account, remembered for a second so that a call need not ask the store."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from sqlalchemy import bindparam, select

from enid.store.database import Database
from enid.store.tables import access_keys

_REMEMBER = 1.0  # seconds; how long a deleted key may still be good
_QUERY = select(access_keys).where(access_keys.c.id == bindparam("id"))


@dataclass(frozen=True, slots=True)
class AccessKey:
    """A key pair and the account it speaks for."""

    id: str
    secret: str = field(repr=False)
    account_id: str


class AccessKeys:
    """The table ``access_keys``, read through a cache. A new key is good at once: only what was found is remembered."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._found: dict[str, tuple[float, AccessKey]] = {}

    def find(self, id_: str) -> AccessKey | None:
        """The key ``id_``, if there is one."""
        now = time.monotonic()
        until, key = self._found.get(id_, (0.0, None))
        if key is not None and now < until:
            return key
        with self._database.read() as db:
            row = db.execute(_QUERY, {"id": id_}).one_or_none()
        if row is None:
            self._found.pop(id_, None)
            return None
        key = AccessKey(row.id, row.secret, row.account_id)
        self._found[id_] = (now + _REMEMBER, key)
        return key
