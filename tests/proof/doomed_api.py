"""Processes of the API that carry out one call each and die of it: just before its commit, or just after.

One that has everything loaded is asked for each, and forks: a start takes a second, a fork none.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal
from urllib.parse import urlencode

from enid.settings import Settings

Moment = Literal["before", "after"]

_PROGRAM = """
import json, os, signal, sys
import enid.ec2.catalogue
from enid.ec2.registry import OPERATIONS
from enid.settings import Settings
from enid.store import journal
from enid.store.database import Database
from enid.wire.dispatch import Dispatcher
from enid.wire.keys import AccessKey
from enid.wire.request import Request

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

def call(account, body, moment):
    dispatcher = Dispatcher(settings, Database(settings.url), OPERATIONS)
    if moment == "before":
        journal.note = die  # the last thing before the commit
    dispatcher._call(dispatcher._services["ec2"], AccessKey("", "", account), Request("POST", b"", [], body), "")
    die()

settings = Settings.model_validate_json(sys.argv[1])
for line in sys.stdin:
    account, body, moment = json.loads(line)
    child = os.fork()
    if child == 0:
        try:
            call(account, body.encode(), moment)
        finally:
            os._exit(1)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class Doomed:
    """Where they come from."""

    def __init__(self, process: subprocess.Popen[str], account: str) -> None:
        self._process, self._account = process, account

    def call(self, moment: Moment, action: str, **parameters: str | int) -> None:
        """A call that nobody answers."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        body = urlencode({"Action": action, "Version": "2016-11-15", **parameters})
        print(json.dumps([self._account, body, moment]), file=self._process.stdin, flush=True)
        assert int(self._process.stdout.readline()) == -signal.SIGKILL, "the call failed before it could die"


@contextmanager
def doomed(settings: Settings, account: str) -> Iterator[Doomed]:
    """They act for this account; gone afterwards."""
    command = [sys.executable, "-c", _PROGRAM, settings.model_dump_json()]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Doomed(process, account)
        finally:
            process.kill()
