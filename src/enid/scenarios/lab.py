"""A whole enid for one scenario: its own state, its own port, nothing shared with an enid that is up already.

Leaving the context takes everything down again, whatever happened inside.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from enid.scenarios import sweep
from enid.scenarios.cloud import Cloud
from enid.scenarios.interrupts import held_back
from enid.scenarios.report import Report
from enid.scenarios.vantage import Vantage
from enid.settings import Settings
from enid.store.database import Database
from enid.store.snapshot import world
from enid.supervisor import down, up
from enid.topology.reach import Verdict, reach

RUNNING_SETTINGS = "settings.json"
"""In the run directory; by it ``enid env``, ``enid exec`` … find what this enid was started with."""


class Lab:
    """enid, up; with clients to ask it and places to look from."""

    def __init__(self, settings: Settings, report: Report, *, keep: bool = False) -> None:
        """:param settings: quotas, pool and the like; directories, address and port are the lab's own.
        :param keep: leave it running at the end, unless something goes wrong unexpectedly.
        """
        self.report = report
        self.keep = keep
        # Only a name as yet: what is made is made where it is removed again, whenever an interrupt comes.
        self.directory = Path(tempfile.gettempdir()) / f"{sweep.MARK}lab-{secrets.token_hex(4)}"
        own = {"state_dir": self.directory / "state", "run_dir": self.directory / "run", "database_url": ""}
        reachable = {"listen": "127.0.0.1", "port": free_port(), "host_route": False}
        self.settings = settings.model_copy(update={**own, **reachable})
        self.vantages: dict[str, Vantage] = {}

    def __enter__(self) -> Lab:
        try:
            self.directory.mkdir(0o700)
            self.directory.chmod(0o711)  # the API has a user of its own
            self.settings.run_dir.mkdir()
            path = self.settings.run_dir / RUNNING_SETTINGS
            path.touch(0o600)
            with held_back():  # pydantic, for one, makes an error of its own of an interrupt
                path.write_text(self.settings.model_dump_json())
                up(self.settings, detach=True)
            self.cloud = Cloud(json.loads(self.enid("env", "--json")), self.report.command)
            self._database = Database(self.settings.url)
        except BaseException:
            with held_back():
                self._remove()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if kind is not None:
            self.keep = False
        with held_back():
            with ThreadPoolExecutor() as pool:
                list(pool.map(Vantage.close, self.vantages.values()))
            self._database.close()
            if not self.keep:
                self._remove()

    def _remove(self) -> None:
        with suppress(Exception):
            down(self.settings)
        command = [sys.executable, "-m", "enid.scenarios.sweep", str(self.directory)]
        subprocess.run(command, check=False, start_new_session=True)

    # --- enid's own command line --------------------------------------------------------------------------------------

    @property
    def variables(self) -> dict[str, str]:
        """By these every ``enid …`` command means this lab."""
        return {"ENID_STATE_DIR": str(self.settings.state_dir), "ENID_RUN_DIR": str(self.settings.run_dir)}

    def enid(self, *words: str) -> str:
        """Run ``enid …``; its output.

        :raises RuntimeError: it failed, with what it printed.
        """
        done = subprocess.run(
            [*_ENID, *words], env={**os.environ, **self.variables}, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError(f"enid {' '.join(words)}: {done.stderr.strip()}")
        return done.stdout

    def crash(self, instance_id: str) -> subprocess.Popen[bytes]:
        """``enid crash``: begin to kill an instance without telling anyone."""
        return subprocess.Popen(
            [*_ENID, "crash", instance_id], env={**os.environ, **self.variables}, stderr=subprocess.DEVNULL
        )

    # --- looking ------------------------------------------------------------------------------------------------------

    def look_from(self, **places: str) -> None:
        """Put a witness at each place, ``site/NAME`` or ``i-…``, under a name of its own.

        They start together; a second call for a name replaces a witness whose instance has gone.
        """
        with ThreadPoolExecutor() as pool:
            list(pool.map(Vantage.close, [self.vantages.pop(name) for name in places if name in self.vantages]))
        for name, place in places.items():
            enter = [*_ENID, "exec", place, "--"]
            self.vantages[name] = Vantage(name, enter, {**os.environ, **self.variables})
        for name in places:
            self.vantages[name].ask("transmitted")

    def reach(self, source: str, destination: str, traffic: str) -> Verdict:
        """What enid's model says to the question (the one ``enid why`` asks)."""
        with self._database.read() as db:
            return reach(world(db, self.settings.host_id), source, destination, traffic)


_ENID = [sys.executable, "-m", "enid"]


def free_port() -> int:
    """A TCP port of the loopback nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])
