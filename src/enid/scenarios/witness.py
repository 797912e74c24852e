"""A witness: a small program at a place in the network that makes real connections and says what it saw.

It runs *inside* a site or an instance, where there is no enid, so it needs nothing but Python's standard library and
this one file. It is told what to do by lines of JSON on standard input, ``{"id": 1, "do": "tcp", …}``, does several
things at a time, and answers ``{"id": 1, "result": …}`` or ``{"id": 1, "error": "…"}`` as each is done. It ends with
its input. All times are ``CLOCK_MONOTONIC`` in nanoseconds, one clock for every place of a host.
"""

from __future__ import annotations

import http.client
import json
import select
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

_ETH_P_ALL = 3
_PERIOD_NS = 1_000_000
_LAST_REPLIES_NS = 300_000_000
_LAST_WORD = (1 << 64) - 1
_LAST_WORD_NS, _LAST_WORD_EVERY_NS = 2_000_000_000, 20_000_000
_ROOM = 4 << 20
"""Bytes of datagrams that wait while this process waits for a processor."""
_SO_RCVBUFFORCE, _SO_TIMESTAMPNS = 33, 35


def tcp(stop: threading.Event, host: str, port: int, timeout: float, banner: bool = False) -> dict[str, Any]:
    """Open a connection: ``open``, ``refused``, ``timeout`` or ``unreachable``; with ``banner``, read a line."""
    began = time.monotonic_ns()
    said = ""
    try:
        with socket.create_connection((host, port), timeout) as connection:
            outcome = "open"
            if banner:
                said = connection.recv(256).decode(errors="replace").strip()
    except ConnectionRefusedError:
        outcome = "refused"
    except TimeoutError:
        outcome = "timeout"
    except OSError:
        outcome = "unreachable"
    return {"outcome": outcome, "said": said, "ms": (time.monotonic_ns() - began) / 1e6}


def http_get(stop: threading.Event, host: str, port: int, timeout: float) -> dict[str, Any]:
    """``GET /``: as :func:`tcp`, and what the server said."""
    began = time.monotonic_ns()
    connection = http.client.HTTPConnection(host, port, timeout=timeout)
    said = ""
    try:
        connection.request("GET", "/")
        said = connection.getresponse().read().decode(errors="replace").strip()
        outcome = "open"
    except ConnectionRefusedError:
        outcome = "refused"
    except TimeoutError:
        outcome = "timeout"
    except OSError:
        outcome = "unreachable"
    finally:
        connection.close()
    return {"outcome": outcome, "said": said, "ms": (time.monotonic_ns() - began) / 1e6}


def http_loop(stop: threading.Event, host: str, port: int, timeout: float) -> dict[str, Any]:
    """``GET /`` over a new connection again and again until stopped."""
    answered, failures = 0, []
    while not stop.is_set():
        got = http_get(stop, host, port, timeout)
        if got["outcome"] == "open":
            answered += 1
        else:
            failures.append(got["outcome"])
        stop.wait(0.002)
    return {"answered": answered, "failures": failures}


def udp_probe(stop: threading.Event, host: str, port: int) -> dict[str, Any]:
    """Send a numbered datagram every millisecond until stopped, and wait for the last replies: until what is sent after
    them is answered, since none overtakes another.

    ``sent`` counts; ``replies`` are ``[number, sent at, received at, who answered]`` in order of arrival.
    """
    sent: list[int] = []
    replies: list[tuple[int, int, int, str]] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.setblocking(False)
        _make_room(probe)
        due = time.monotonic_ns()
        while not stop.is_set():
            now = time.monotonic_ns()
            if now >= due:
                _send(probe, (host, port), len(sent))
                sent.append(now)
                due = max(due + _PERIOD_NS, now - 5 * _PERIOD_NS)
            _receive(probe, sent, replies, max(0, due - time.monotonic_ns()))
        now = due = time.monotonic_ns()
        end = now + _LAST_WORD_NS
        while len(replies) < len(sent) and now < end:
            if now >= due:
                _send(probe, (host, port), _LAST_WORD)
                due = now + _LAST_WORD_EVERY_NS
            if not _receive(probe, sent, replies, max(0, due - time.monotonic_ns())):
                break
            now = time.monotonic_ns()
    return {"sent": len(sent), "first_sent": sent[0] if sent else 0, "replies": replies}


def _send(probe: socket.socket, address: tuple[str, int], number: int) -> None:
    try:
        probe.sendto(struct.pack("!Q", number), address)
    except OSError:
        return  # an unreachable from the last one: a lost probe, and counted as one


def _make_room(receiver: socket.socket) -> None:
    """For what comes while nobody has time to receive it; as far as this process may ask for it."""
    try:
        receiver.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _ROOM)
    except OSError:
        receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _ROOM)


def _receive(probe: socket.socket, sent: list[int], replies: list[tuple[int, int, int, str]], wait_ns: int) -> bool:
    """What has come, or comes; false when it was the last."""
    if not select.select([probe], [], [], wait_ns / 1e9)[0]:
        return True
    try:
        while True:
            data = probe.recv(512)
            number = struct.unpack("!Q", data[:8])[0]
            if number == _LAST_WORD:
                return False
            replies.append((number, sent[number], time.monotonic_ns(), data[8:].decode()))
    except OSError:
        return True


def receipts(stop: threading.Event, address: str) -> dict[str, Any]:
    """Watch every interface of this machine for IPv4 packets to ``address``: how many came, and when the last."""
    wanted, count, last = socket.inet_aton(address), 0, 0
    with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ETH_P_ALL)) as tap:
        tap.settimeout(0.01)
        tap.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        end = 0
        while not end or time.monotonic_ns() < end:
            end = end or (stop.is_set() and time.monotonic_ns() + _LAST_REPLIES_NS)
            try:
                packet, said, _, source = tap.recvmsg(128, 64)
            except TimeoutError:
                if end:  # everything that had come is counted
                    break
                continue
            except OSError:  # an interface went away
                continue
            if packet[16:20] == wanted and source[2] != socket.PACKET_OUTGOING:
                count, last = count + 1, _arrived(said)
    return {"count": count, "last": last}


def _arrived(said: list[tuple[int, int, bytes]]) -> int:
    """When the kernel had the packet, which may be long before this process had the time to look at it."""
    for level, kind, data in said:
        if (level, kind) == (socket.SOL_SOCKET, _SO_TIMESTAMPNS):
            seconds, nanoseconds = struct.unpack("@ll", data[: struct.calcsize("@ll")])
            return int(seconds * 10**9 + nanoseconds - time.time_ns() + time.monotonic_ns())
    return time.monotonic_ns()


def run(stop: threading.Event, argv: list[str], timeout: float) -> dict[str, Any]:
    """Run a command here."""
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout, check=False)
    return {"status": done.returncode, "stdout": done.stdout, "stderr": done.stderr}


def transmitted(stop: threading.Event) -> dict[str, int]:
    """Packets sent by each interface of this machine since it was there."""
    with open("/proc/net/dev") as table:
        rows = [line.split(":", 1) for line in table if ":" in line]
    return {name.strip(): int(fields.split()[9]) for name, fields in rows}


def repeated(stop: threading.Event) -> dict[str, int]:
    """TCP segments this machine has sent again, since nobody acknowledged them in time."""
    with open("/proc/net/snmp") as table:
        names, numbers = [line.split() for line in table if line.startswith("Tcp:")]
    return {"segments": int(numbers[names.index("RetransSegs")])}


TASKS: dict[str, Callable[..., dict[str, Any]]] = {
    "tcp": tcp,
    "http": http_get,
    "http-loop": http_loop,
    "udp-probe": udp_probe,
    "receipts": receipts,
    "run": run,
    "transmitted": transmitted,
    "repeated": repeated,
}


def main() -> None:
    """Serve until the input ends."""
    stops: dict[int, threading.Event] = {}
    speaking = threading.Lock()

    def answer(message: dict[str, Any]) -> None:
        with speaking:
            sys.stdout.write(json.dumps(message) + "\n")
            sys.stdout.flush()

    def carry_out(number: int, task: str, arguments: dict[str, Any]) -> None:
        try:
            answer({"id": number, "result": TASKS[task](stops[number], **arguments)})
        except Exception as error:
            answer({"id": number, "error": f"{type(error).__name__}: {error}"})

    for line in sys.stdin:
        request = json.loads(line)
        number, task = request.pop("id"), request.pop("do")
        if task == "stop":
            stops[request["task"]].set()
            continue
        stops[number] = threading.Event()
        threading.Thread(target=carry_out, args=(number, task, request), daemon=True).start()


if __name__ == "__main__":
    main()
