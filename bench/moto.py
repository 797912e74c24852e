"""The moto server: the endpoint whose rates enid's are compared with, in a process of its own on the loopback."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.client import Client

START_WITHIN = 60.0


def free_port() -> int:
    """A TCP port of the loopback nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@contextmanager
def moto() -> Iterator[Client]:
    """A client of a fresh moto server."""
    port = free_port()
    program = Path(sys.executable).with_name("moto_server")
    server = subprocess.Popen(
        [str(program), "-H", "127.0.0.1", "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        answering(port)
        client = Client(port, "AKIAIOSFODNN7EXAMPLE", "secret")
        client.call("DescribeVpcs")  # loads its models
        yield client
        client.close()
    finally:
        server.kill()
        server.wait()


def answering(port: int) -> None:
    """Return when somebody listens."""
    deadline = time.monotonic() + START_WITHIN
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return
