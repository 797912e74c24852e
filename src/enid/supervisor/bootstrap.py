"""What must be there before the processes start: directories with the right modes, the store, the first account."""

from __future__ import annotations

import os
import secrets
import shutil
import string
from pathlib import Path

from sqlalchemy import insert, select

from enid import clock
from enid.settings import Settings
from enid.store import tables as t
from enid.store.database import Database
from enid.store.migrate import migrate
from enid.supervisor.privileges import api_uid


def prepare(settings: Settings) -> None:
    """Idempotent. The API's user owns the store and its socket's directory and nothing else."""
    owner = api_uid(settings)
    for path, mode in (
        (settings.state_dir, 0o711),
        (settings.instances_dir, 0o711),
        (settings.state_dir / "store", 0o700),
        (settings.run_dir, 0o711),
        (settings.api_sockets, 0o755),
    ):
        path.mkdir(parents=True, exist_ok=True)
        path.chmod(mode)
    for path in (settings.state_dir, settings.run_dir):
        _check_reachable(path, owner)
    if settings.database_url.startswith("sqlite") and owner != os.geteuid():
        raise ValueError("ENID_DATABASE_URL is for PostgreSQL; SQLite's file lies in --state-dir")
    database = Database(settings.url)
    migrate(database)
    first_account(database)
    database.close()
    for directory in (settings.state_dir / "store", settings.api_sockets):
        for path in (directory, *directory.iterdir()):
            os.chown(path, owner, owner)


def _check_reachable(path: Path, uid: int) -> None:
    """:raises PermissionError: a directory above is closed to the API's user."""
    for parent in path.resolve().parents:
        found = parent.stat()
        if not found.st_mode & (0o100 if found.st_uid == uid else 0o001):
            raise PermissionError(
                f"{path} lies in {parent}, which the API's user (uid {uid}) may not enter; "
                "choose another place with --state-dir and --run-dir"
            )


def first_account(database: Database) -> None:
    """An account and a key pair, once."""
    with database.write(alone=True) as db:
        if db.execute(select(t.accounts.c.id).limit(1)).first() is None:
            account = new_account_id()
            db.execute(insert(t.accounts).values(id=account, created_at=clock.now()))
            db.execute(insert(t.access_keys).values(**new_access_key(), account_id=account))


def new_account_id() -> str:
    """Twelve digits, the first not zero."""
    return str(secrets.randbelow(9 * 10**11) + 10**11)


def new_access_key() -> dict[str, str]:
    """``id`` and ``secret`` in the form of AWS's."""
    letters = string.ascii_uppercase + "234567"
    alphabet = string.ascii_letters + string.digits + "+/"
    return {
        "id": "AKIA" + "".join(secrets.choice(letters) for _ in range(16)),
        "secret": "".join(secrets.choice(alphabet) for _ in range(40)),
    }


def clear_run_dir(run_dir: Path) -> None:
    """Nothing of the running enid is left to remember."""
    shutil.rmtree(run_dir, ignore_errors=True)
