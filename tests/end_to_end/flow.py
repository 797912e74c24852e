"""A UDP flow of a thousand packets a second between two instances, and what got lost of it."""

from __future__ import annotations

import json
import subprocess
from typing import Any

ECHO = """
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
s.bind(("0.0.0.0", 7))
print("ready", flush=True)
while True:
    data, peer = s.recvfrom(64)
    s.sendto(data, peer)
"""

PROBE = """
import json, select, socket, sys, time
address = sys.argv[1]
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
s.connect((address, 7))
s.setblocking(False)
sent, seen, errors, over = 0, set(), 0, None
print("ready", flush=True)
due = time.monotonic()
while over is None or time.monotonic() < over:
    now = time.monotonic()
    if over is None and now >= due:
        try:
            s.send(str(sent).encode())
            sent += 1
        except OSError:
            errors += 1
        due += 0.001
    wait = max(0.0, due - time.monotonic()) if over is None else 0.05
    readable, _, _ = select.select([s] + ([sys.stdin] if over is None else []), [], [], wait)
    if s in readable:
        try:
            seen.add(int(s.recv(64)))
        except OSError:
            errors += 1
    if sys.stdin in readable:
        over = time.monotonic() + 0.5
full = int.from_bytes(s.getsockopt(socket.SOL_SOCKET, 55, 36)[32:36], "little")
print(json.dumps({"sent": sent, "lost": sorted(set(range(sent)) - seen), "errors": errors, "full": full}))
"""


class Flow:
    """``with Flow(enid, source, destination, address) as flow: …``, then ``flow.lost``.

    What a receiver's socket had no room for, since its process did not get the processor, arrived and is not lost.
    """

    def __init__(self, enid: Any, source: str, destination: str, address: str) -> None:
        self._enid, self._destination = enid, destination
        python = ("/usr/bin/python3", "-c")
        self._server = enid.command("exec", destination, "--", *python, ECHO)
        assert self._server.stdout.readline() == "ready\n"
        self._client = enid.command("exec", source, "--", *python, PROBE, address, stdin=subprocess.PIPE)
        assert self._client.stdout.readline() == "ready\n"
        self.sent, self.lost = 0, [-1]

    def __enter__(self) -> Flow:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.stdin.write("over\n")
        self._client.stdin.flush()
        out, err = self._client.communicate(timeout=20)
        full = self._full() if self._server.poll() is None else 0
        self._server.kill()
        self._server.communicate()
        assert out, err
        result = json.loads(out)
        self.sent, self.lost = result["sent"], result["lost"]
        if len(self.lost) <= full + result["full"]:
            self.lost = []

    def _full(self) -> int:
        """What the server's socket had no room for. The instance may be gone by now, and enid too."""
        reading = self._enid.command("exec", self._destination, "--", "cat", "/proc/net/udp")
        rows, _ = reading.communicate(timeout=20)
        return sum(int(row.split()[-1]) for row in rows.splitlines() if row.split()[1].endswith(":0007"))
