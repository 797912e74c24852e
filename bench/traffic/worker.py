"""A process in a namespace, on one processor, that does a round whenever it is told to."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import socket
import struct
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from bench.traffic.path import processor
from enid.netlink.namespaces import run_in

_FORK = multiprocessing.get_context("fork")
_PR_SET_PDEATHSIG = 1
ANSWER_WITHIN = 3.0
"""Seconds after which a packet is lost for good and the round fails."""


class Stuck(Exception):
    """A round did not come to its end: packets do not flow."""


def die_with_parent() -> None:
    """For a process just forked: it ends with the one who started it, and not before."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _settle_in(namespace: int, loop: Callable[[], None]) -> None:
    die_with_parent()
    os.sched_setaffinity(0, {processor()})
    run_in(namespace, loop)


def serve(namespace: int, loop: Callable[[], None]) -> Any:
    """Run ``loop`` for ever in a process of its own; ``kill()`` ends it."""
    process = _FORK.Process(target=_settle_in, args=(namespace, loop), daemon=True)
    process.start()
    return process


class Worker:
    """``round()`` has the process run the function once and gives its result."""

    def __init__(self, namespace: int, work: Callable[[], float]) -> None:
        self._ours, theirs = _FORK.Pipe()
        self._process = serve(namespace, lambda: _work(theirs, work))
        theirs.close()

    def round(self) -> float:
        """:raises Stuck: with what went wrong."""
        self._ours.send(None)
        result = self._ours.recv()
        if isinstance(result, str):
            raise Stuck(result)
        return float(result)

    def close(self) -> None:
        self._process.kill()
        self._process.join()
        self._ours.close()


def _work(pipe: Connection, work: Callable[[], float]) -> None:
    while True:
        pipe.recv()
        try:
            pipe.send(work())
        except OSError as error:
            pipe.send(f"{type(error).__name__}: {error}")


def patient(client: socket.socket) -> socket.socket:
    """Give up after :data:`ANSWER_WITHIN`; the kernel keeps the time, so that a call stays one system call."""
    limit = struct.pack("ll", int(ANSWER_WITHIN), 0)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
    return client
