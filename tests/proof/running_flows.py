"""Flows between two instances that run while enid is ill-treated: UDP a thousand times a second, and a TCP connection.

What a receiver's socket had to drop, because its process did not get the processor for half a second, was carried: the
kernel counts it, and it is no loss.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

_SERVER = """
import json, selectors, socket, sys
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
udp.bind(("0.0.0.0", 7))
tcp = socket.create_server(("0.0.0.0", 7))
wait = selectors.DefaultSelector()
for each in (udp, tcp, sys.stdin):
    wait.register(each, selectors.EVENT_READ)
print("ready", flush=True)
over = False
while not over:
    for key, _ in wait.select():
        if key.fileobj is udp:
            data, peer = udp.recvfrom(64)
            udp.sendto(data, peer)
        elif key.fileobj is tcp:
            wait.register(tcp.accept()[0], selectors.EVENT_READ)
        elif key.fileobj is sys.stdin:
            over = True
        else:
            data = key.fileobj.recv(1 << 16)
            if data:
                key.fileobj.sendall(data)
            else:
                wait.unregister(key.fileobj)
print(int.from_bytes(udp.getsockopt(socket.SOL_SOCKET, 55, 36)[32:36], "little"), flush=True)
"""

_CLIENT = """
import json, selectors, socket, struct, sys, time
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
udp.connect((sys.argv[1], 7))
udp.setblocking(False)
tcp = socket.create_connection((sys.argv[1], 7))
tcp.setblocking(False)
wait = selectors.DefaultSelector()
for each in (udp, tcp, sys.stdin):
    wait.register(each, selectors.EVENT_READ)
print("ready", flush=True)
sent, seen, errors, written, echoed, over, last, gap = 0, set(), [], 0, 0, None, time.monotonic(), 0.0
due = time.monotonic()
while over is None or time.monotonic() < over:
    now = time.monotonic()
    if over is None and now >= due:
        try:
            udp.send(str(sent).encode())
            sent += 1
            written += tcp.send(b"x" * 100) if not errors else 0
        except BlockingIOError:
            pass
        except OSError as error:
            errors.append(str(error))
        due += 0.001
    for key, _ in wait.select(max(0.0, due - time.monotonic()) if over is None else 0.05):
        try:
            if key.fileobj is udp:
                seen.add(int(udp.recv(64)))
                now = time.monotonic()
                last, gap = now, max(gap, now - last)
            elif key.fileobj is tcp:
                data = tcp.recv(1 << 16)
                echoed += len(data)
                if not data:
                    errors.append("closed")
                    wait.unregister(tcp)
            else:
                over = time.monotonic() + 2
                wait.unregister(sys.stdin)
        except OSError as error:
            errors.append(str(error))
    if over and len(seen) == sent and echoed == written:
        break
dropped = int.from_bytes(udp.getsockopt(socket.SOL_SOCKET, 55, 36)[32:36], "little")
print(json.dumps({"sent": sent, "lost": sorted(set(range(sent)) - seen), "dropped": dropped, "errors": errors,
                  "written": written, "echoed": echoed, "gap": gap}))
"""

_PYTHON = ("/usr/bin/python3", "-c")


@dataclass
class Outcome:
    """Of the flows, when they are over."""

    sent: int = 0
    lost: tuple[int, ...] = ()
    """Datagrams that did not come back."""
    dropped: int = 0
    """Of them, those that a receiver's socket had no room for."""
    errors: tuple[str, ...] = ()
    written: int = 0
    echoed: int = 0
    """Bytes of the TCP connection."""
    gap: float = 0.0
    """Longest time between two answers, in seconds."""

    def complaints(self) -> list[str]:
        """What should not be."""
        found = [f"the flow met {error}" for error in self.errors]
        if len(self.lost) > self.dropped:
            found.append(f"{len(self.lost)} of {self.sent} datagrams lost, {self.dropped} at sockets: {self.lost[:10]}")
        if self.echoed != self.written:
            found.append(f"{self.written} bytes sent by TCP, {self.echoed} came back")
        return found


@contextmanager
def running(enid: Any, source: str, destination: str, address: str) -> Iterator[Outcome]:
    """Flows from one instance to another's address; the outcome is complete when the block has ended."""
    outcome = Outcome()
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE}
    server = enid.command("exec", destination, "--", *_PYTHON, _SERVER, **pipes)
    client = None
    try:
        assert server.stdout.readline() == "ready\n"
        client = enid.command("exec", source, "--", *_PYTHON, _CLIENT, address, **pipes)
        assert client.stdout.readline() == "ready\n", client.stderr.read()
        yield outcome
        out, err = client.communicate("over\n", timeout=30)
        assert out, err
        for name, value in json.loads(out).items():
            setattr(outcome, name, value)
        out, err = server.communicate("over\n", timeout=30)
        outcome.dropped += int(out or 0)
    finally:
        for process in filter(None, (client, server)):
            process.kill()
            process.communicate()
