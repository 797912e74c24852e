"""The API as a process: it takes its port, gives up what it may, serves, and ends when told to."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from wire_signing import boto_client

from enid.settings import Settings
from enid.store.database import Database
from enid.wire.server import main

# The catalogue of operations is left out: this is about the process. The port is taken before "bound" is written.
PROGRAM = """
import sys, types
sys.modules["enid.ec2.catalogue"] = types.ModuleType("catalogue")
import enid.ec2.sts
from enid.settings import Settings
from enid.wire.server import main
main(Settings.model_validate_json(sys.argv[1]), before_serving=lambda: print("bound", flush=True))
"""


@contextmanager
def running(settings: Settings) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", PROGRAM, settings.model_dump_json()]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=dict(os.environ))
    try:
        yield process
    finally:
        process.kill()
        process.communicate(timeout=20)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def test_it_binds_serves_and_ends(settings: Settings, database: Database) -> None:
    there = settings.model_copy(update={"port": free_port()})
    with running(there) as process:
        assert process.stdout is not None
        assert select.select([process.stdout], [], [], 30)[0], "the server did not start"
        assert process.stdout.readline() == "bound\n"
        sts = boto_client("sts", f"http://127.0.0.1:{there.port}")  # the port is bound: connecting waits, never fails
        assert sts.get_caller_identity()["Account"]
        sts.close()
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) in (0, -signal.SIGTERM)
    assert list(there.api_sockets.iterdir()) == []


def test_a_taken_port_is_told(settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SystemExit, match=f"127.0.0.1 port {port}: Address already in use"):
            main(settings.model_copy(update={"port": port}))
