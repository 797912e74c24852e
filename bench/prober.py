"""A stream of numbered datagrams at a steady rate, and what arrived of it, in a process of its own.

A packet crosses enid's network inside the send call, so an arrival is dated by when its datagram was sent: nothing the
receiver was kept waiting for is blamed on the network. Times are the monotonic clock's, which all processes share.
"""

from __future__ import annotations

import multiprocessing
import multiprocessing.sharedctypes
import os
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import pairwise

from bench.traffic.worker import die_with_parent
from enid.netlink.namespaces import run_in

PERIOD = 0.001
_FORK = multiprocessing.get_context("fork")
_BUFFER = 1 << 20


@dataclass(frozen=True, slots=True)
class Flow:
    """``sent[n]`` is when datagram ``n`` was sent; ``arrived`` the numbers that came, in order, each once; ``heard``
    the same by holder."""

    sent: Sequence[float]
    arrived: Sequence[int]
    heard: Sequence[Sequence[int]] = ()

    def at(self, holder: int) -> Flow:
        """As this one of the holders saw it."""
        return Flow(self.sent, self.heard[holder])

    def since(self, moment: float) -> int:
        """How many arrived of those sent from then on."""
        return sum(1 for number in self.arrived if self.sent[number] >= moment)

    def first_after(self, moment: float) -> float:
        """Seconds from ``moment`` to the first arrival.

        :raises ValueError: nothing arrived.
        """
        return min(self.sent[number] for number in self.arrived if self.sent[number] >= moment) - moment

    def gap(self) -> float:
        """The longest time between two arrivals, in seconds."""
        return max(self.sent[later] - self.sent[earlier] for earlier, later in pairwise(self.arrived))

    def last_of_first(self, targets: int, moment: float) -> float:
        """Seconds from ``moment`` until every target had received something.

        :raises ValueError: one received nothing.
        """
        firsts: dict[int, float] = {}
        for number in self.arrived:
            if self.sent[number] >= moment:
                firsts.setdefault(number % targets, self.sent[number])
        if len(firsts) < targets:
            raise ValueError(f"{targets - len(firsts)} of {targets} received nothing")
        return max(firsts.values()) - moment

    @property
    def lost(self) -> int:
        return len(self.sent) - len(self.arrived)


class Prober:
    """``with Prober(…).running() as probe: …; flow = probe.stop()``."""

    def __init__(self, source: int, targets: Sequence[str], port: int, holders: Sequence[int], period: float = PERIOD):
        """:param source: the namespace to send from
        :param targets: addresses, taken in turns
        :param holders: the namespaces where the datagrams may arrive."""
        self._targets = [(target, port) for target in targets]
        self._period = period
        self._sender = run_in(source, lambda: _udp(0))
        self._ears = [run_in(holder, lambda: _udp(port)) for holder in holders]
        self._ours, self._theirs = _FORK.Pipe()
        self._counted = multiprocessing.sharedctypes.RawArray("L", len(holders))

    def has_reached(self, holder: int) -> bool:
        """Whether something has arrived at this one of the holders."""
        return bool(self._counted[holder])

    @contextmanager
    def running(self) -> Iterator[Prober]:
        process = _FORK.Process(target=self._run, daemon=True)
        process.start()
        try:
            self._ours.recv()
            yield self
        finally:
            process.kill()
            process.join()
            for end in (self._sender, *self._ears):
                end.close()
            self._ours.close()
            self._theirs.close()

    def stop(self) -> Flow:
        """End the stream; what is under way is waited for."""
        self._ours.send(None)
        return Flow(*self._ours.recv())

    def _run(self) -> None:
        die_with_parent()
        with suppress(OSError):
            os.nice(-15)
        sent, heard = self._probe()
        self._theirs.send((sent, sorted(set().union(*heard)), [sorted(each) for each in heard]))

    def _probe(self) -> tuple[list[float], list[set[int]]]:
        sent: list[float] = []
        heard: list[set[int]] = [set() for _ in self._ears]
        now, period, pipe = time.monotonic, self._period, self._theirs
        due = now()
        pipe.send("on")
        while not pipe.poll():
            for target in self._targets:
                number = len(sent).to_bytes(4, "big")
                sent.append(now())
                _send(self._sender, number, target)
            self._hear(heard)
            due = max(due + period, now() - period)
            time.sleep(max(due - now(), 0))
        pipe.recv()
        time.sleep(0.005)
        self._hear(heard)
        return sent, heard

    def _hear(self, heard: Sequence[set[int]]) -> None:
        for place, (ear, arrived) in enumerate(zip(self._ears, heard, strict=True)):
            _hear(ear, arrived)
            self._counted[place] = len(arrived)


def _udp(port: int) -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
    made.bind(("0.0.0.0", port))
    made.setblocking(False)
    return made


def _send(sender: socket.socket, number: bytes, target: tuple[str, int]) -> None:
    """An earlier datagram's ICMP error is reported by a later call, which then has sent nothing: try again."""
    for _ in range(3):
        try:
            sender.sendto(number, target)
        except OSError:
            continue
        return


def _hear(ear: socket.socket, arrived: set[int]) -> None:
    with suppress(BlockingIOError):
        while True:
            arrived.add(int.from_bytes(ear.recv(16), "big"))
