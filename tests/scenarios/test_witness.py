"""The witness says what happened on the wire, and its end of the pipe never leaves anybody waiting."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from enid.scenarios.vantage import Vantage, WitnessError

HERE = "127.0.0.1"


@pytest.fixture(scope="module")
def here() -> Iterator[Vantage]:
    with Vantage("here", [], os.environ) as vantage:
        yield vantage


@contextmanager
def echo(drop_every: int = 0) -> Iterator[int]:
    """A UDP echo that signs its answers ``me`` and, if told so, swallows every n-th datagram."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind((HERE, 0))
        ended = threading.Event()

        def serve() -> None:
            count = 0
            while not ended.is_set():
                datagram, sender = server.recvfrom(512)
                count += 1
                if not drop_every or count % drop_every:
                    server.sendto(datagram + b"me", sender)

        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()[1]
        ended.set()
        server.sendto(b"", server.getsockname())
        thread.join()


def free_port() -> int:
    with socket.create_server((HERE, 0)) as server:
        return int(server.getsockname()[1])


def test_a_connection_that_opens_and_what_is_said(here: Vantage) -> None:
    with socket.create_server((HERE, 0)) as server:
        task = here.begin("tcp", host=HERE, port=server.getsockname()[1], timeout=5, banner=True)
        connection, _ = server.accept()
        with connection:
            connection.sendall(b"SSH-2.0-test\r\n")
            assert task.result() | {"ms": 0} == {"outcome": "open", "said": "SSH-2.0-test", "ms": 0}


def test_a_port_nobody_listens_on_is_refused(here: Vantage) -> None:
    assert here.ask("tcp", host=HERE, port=free_port(), timeout=5)["outcome"] == "refused"


def test_silence_is_a_timeout(here: Vantage) -> None:
    """The queue of a listener that accepts nobody is full: further connections get no answer."""
    with socket.create_server((HERE, 0), backlog=0) as server:
        waiting = [socket.create_connection(server.getsockname()) for _ in range(1)]
        outcome = here.ask("tcp", host=HERE, port=server.getsockname()[1], timeout=0.2)["outcome"]
        for connection in waiting:
            connection.close()
    assert outcome == "timeout"


def test_no_route_is_unreachable(here: Vantage) -> None:
    assert here.ask("tcp", host="255.255.255.255", port=1, timeout=5)["outcome"] == "unreachable"


def test_probes_that_are_answered(here: Vantage) -> None:
    with echo() as port:
        probe = here.begin("udp-probe", host=HERE, port=port)
        here.ask("run", argv=["sleep", "0.1"], timeout=5)
        seen = probe.stop()
    assert seen["sent"] >= 50
    assert len(seen["replies"]) == seen["sent"]
    assert [reply[0] for reply in seen["replies"]] == list(range(seen["sent"]))
    assert all(sent <= received and who == "me" for _, sent, received, who in seen["replies"])


def test_probes_that_are_not(here: Vantage) -> None:
    with echo(drop_every=2) as port:
        probe = here.begin("udp-probe", host=HERE, port=port)
        here.ask("run", argv=["sleep", "0.1"], timeout=5)
        seen = probe.stop()
    assert len(seen["replies"]) == (seen["sent"] + 1) // 2


@pytest.mark.root
def test_receipts_count_what_arrives_for_an_address_and_nothing_else(here: Vantage) -> None:
    """The first rounds may come before the tap is open; the last ones must all be counted."""
    tap = here.begin("receipts", address="127.9.9.9")
    rounds = 40
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for _ in range(rounds):
            for address in ("127.9.9.9", *["127.9.9.8"] * 9):
                sender.sendto(b"x", (address, 9))
            here.ask("run", argv=["true"], timeout=5)
    sent = time.monotonic_ns()
    seen = tap.stop()
    assert rounds // 2 < seen["count"] <= rounds
    assert sent - 1e9 < seen["last"] < time.monotonic_ns()


@pytest.mark.root
def test_a_receipt_is_dated_by_the_kernel_and_not_by_who_looks_late() -> None:
    with Vantage("late", [], os.environ) as late, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        tap = late.begin("receipts", address="127.9.9.7")
        for _ in range(40):  # by then the tap is open
            sender.sendto(b"x", ("127.9.9.7", 9))
            late.ask("run", argv=["true"], timeout=5)
        os.kill(late._process.pid, signal.SIGSTOP)
        sender.sendto(b"x", ("127.9.9.7", 9))
        sent = time.monotonic_ns()
        while time.monotonic_ns() < sent + 200_000_000:
            pass
        os.kill(late._process.pid, signal.SIGCONT)
        assert abs(tap.stop()["last"] - sent) < 100_000_000


def test_segments_that_had_to_be_sent_twice(here: Vantage) -> None:
    """The queue of a server is full, so who comes next is not heard the first time."""
    before = here.ask("repeated")["segments"]
    with socket.create_server((HERE, 0), backlog=0) as server:
        port = server.getsockname()[1]
        with socket.create_connection((HERE, port)):
            got = here.ask("tcp", host=HERE, port=port, timeout=1.5)
    assert got["outcome"] == "timeout"
    assert here.ask("repeated")["segments"] > before


def test_a_task_that_fails_says_why(here: Vantage) -> None:
    with pytest.raises(WitnessError, match="here: FileNotFoundError"):
        here.ask("run", argv=["/no/such/program"], timeout=5)


def test_one_that_is_gone_answers_at_once() -> None:
    vantage = Vantage("there", [], os.environ)
    busy = vantage.begin("run", argv=["sleep", "60"], timeout=90)
    vantage.close()
    for _ in range(2):
        with pytest.raises(WitnessError, match="there is gone"):
            vantage.ask("transmitted")
    with pytest.raises(WitnessError, match="there is gone"):
        busy.result(5)


def test_one_that_could_not_enter_says_why() -> None:
    with Vantage("nowhere", ["sh", "-c", "echo no such place >&2; exit 1"], os.environ) as vantage:
        with pytest.raises(WitnessError, match="nowhere is gone"):
            vantage.ask("transmitted")
        with pytest.raises(WitnessError, match="no such place"):
            vantage.ask("transmitted")
