"""keepalived: two namespaces on a bridge fail an address over by VRRP, as fast as the protocol allows.

Advertisements come every 10 ms, the shortest time VRRP can say, and the daemons have real-time priority; three missing
ones make the other one master. Asked to end, the master says so, and the other takes over at once.
"""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from ipaddress import ip_interface
from pathlib import Path
from shutil import which

from bench.cloud import PORT, until
from bench.prober import Prober
from bench.topologies import Switch
from enid.netlink.addresses import delete_address
from enid.netlink.namespaces import run_in
from enid.netlink.socket import RouteSocket

FIGURES = ("vrrp_p50", "vrrp_p99", "vrrp_crashed_p50", "vrrp_crashed_p99")
FLOATING = ip_interface("192.0.2.100/24")
_CLIENT, _FIRST, _SECOND = (ip_interface(f"192.0.2.{host}/24") for host in (1, 2, 3))
_DEVICE = 2
_PERIOD = 0.0005
_AROUND = 0.05
_CONFIGURATION = """
global_defs {{ vrrp_version 3
 vrrp_rt_priority 50
 vrrp_rlimit_rttime 10000000
}}
vrrp_instance floating {{
 state BACKUP
 nopreempt
 interface eth0
 virtual_router_id 7
 priority {priority}
 advert_int 0.01
 virtual_ipaddress {{ {address} }}
}}
"""


class Node:
    """A namespace with keepalived in it."""

    def __init__(self, switch: Switch, number: int, directory: Path) -> None:
        self.number, self.namespace = number, switch.places[number]
        self._switch = switch
        self._directory = directory / str(number)
        self._directory.mkdir()
        self._configuration = self._directory / "keepalived.conf"
        self._configuration.write_text(_CONFIGURATION.format(priority=100 + number, address=FLOATING))
        self._log = self._directory / "log"
        self.start()

    def start(self) -> None:
        """And wait until it is ready to take over."""
        arguments = ["keepalived", "--vrrp", "--dont-fork", "--log-console", "--log-detail", "--dont-respawn"]
        arguments += [f"--use-file={self._configuration}", f"--pid={self._directory}/pid"]
        arguments += [f"--vrrp_pid={self._directory}/vrrp.pid"]
        log = self._log.open("w")
        with log:
            self._process = run_in(
                self.namespace,
                lambda: subprocess.Popen(arguments, stdout=log, stderr=log, stdin=subprocess.DEVNULL, process_group=0),
            )
        try:
            until("keepalived is ready", lambda: "Entering BACKUP STATE" in self._log.read_text(), within=20)
        except TimeoutError:
            raise TimeoutError(f"keepalived is not ready: {self._log.read_text()}") from None

    @property
    def is_master(self) -> bool:
        states = [line for line in self._log.read_text().splitlines() if "Entering" in line]
        return bool(states) and "MASTER" in states[-1]

    def end(self) -> None:
        """In order: it hands over."""
        self._process.terminate()

    def crash(self) -> None:
        """Unplugged, and dead."""
        self._switch.plug(self.number, up=False)
        self._kill()

    def _kill(self) -> None:
        """The daemon and the process that speaks VRRP for it."""
        with suppress(ProcessLookupError, FileNotFoundError):
            os.kill(int((self._directory / "vrrp.pid").read_text()), signal.SIGKILL)
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def recover(self) -> None:
        self._process.wait()
        for name in ("pid", "vrrp.pid"):
            (self._directory / name).unlink(missing_ok=True)
        with RouteSocket(self.namespace) as route:
            route.batch([delete_address(_DEVICE, FLOATING)])
        self._switch.plug(self.number, up=True)
        self.start()

    def close(self) -> None:
        self._kill()
        self._process.wait()


@contextmanager
def _pair() -> Iterator[tuple[int, list[Node]]]:
    """The client's namespace, and the two nodes."""
    with Switch.of((_CLIENT, _FIRST, _SECOND)) as switch, tempfile.TemporaryDirectory(prefix="enid-bench-") as place:
        nodes: list[Node] = []
        try:
            nodes += [Node(switch, number, Path(place)) for number in (1, 2)]
            yield switch.places[0], nodes
        finally:
            for node in nodes:
                node.close()


def gaps(rounds: int) -> Mapping[str, list[float]]:
    """Seconds without a packet, by how the master went. Empty, with a word why, where keepalived is not there."""
    if which("keepalived") is None:
        print("     vrrp: keepalived is not installed; `scripts/setup bench` does that", flush=True)
        return {}
    with _pair() as (client, nodes):
        return {
            "vrrp": [_fail_over(client, nodes, Node.end) for _ in range(rounds)],
            "vrrp_crashed": [_fail_over(client, nodes, Node.crash) for _ in range(rounds)],
        }


def _fail_over(client: int, nodes: list[Node], go: Callable[[Node], None]) -> float:
    until("there is one master", lambda: sum(node.is_master for node in nodes) == 1, within=20)
    master, other = sorted(nodes, key=lambda node: not node.is_master)
    with Prober(client, [str(FLOATING.ip)], PORT, [master.namespace, other.namespace], _PERIOD).running() as probe:
        time.sleep(_AROUND)
        begun = time.monotonic()
        go(master)
        until("the other one took over", lambda: probe.has_reached(1), within=10)
        time.sleep(_AROUND)
        flow = probe.stop()
    master.recover()
    return flow.at(1).first_after(begun)
