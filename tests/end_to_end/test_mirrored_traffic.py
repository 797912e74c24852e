"""Traffic mirroring through the API: what an instance says arrives at the target, and does so while things happen."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from whole_enid import Enid, until

pytestmark = [pytest.mark.root, pytest.mark.timeout(180)]

PATIENCE = 60.0

WATCH = """
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("0.0.0.0", 4789))
while True:
    data = s.recv(65536)
    if data[31] == 17 and data[44:46] == (5300).to_bytes(2, "big"):
        with open("/root/heard", "w") as log:
            print(int.from_bytes(data[4:7], "big"), data[50:].decode(), file=log)
"""
LISTEN = """
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("0.0.0.0", 5300))
while True:
    data = s.recv(65536)
    with open("/root/heard", "w") as log:
        print(0, data.decode(), file=log)
"""
SAY = """
import socket, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for number in range(1 << 30):
    s.sendto(f"{sys.argv[2]} {number}".encode(), (sys.argv[1], 5300))
    time.sleep(0.01)
"""


class Watched:
    """An instance that is mirrored, one it talks to, and one that listens to the copies."""

    def __init__(self, enid: Enid) -> None:
        self.enid = enid
        self.source, self.peer, self.watcher = enid.launch(enid.subnet(), 3)
        self._processes: list[Any] = []
        self._run(self.watcher, WATCH)
        self._run(self.peer, LISTEN)
        id_ = enid.ec2.create_traffic_mirror_filter()["TrafficMirrorFilter"]["TrafficMirrorFilterId"]
        everything = {"SourceCidrBlock": "0.0.0.0/0", "DestinationCidrBlock": "0.0.0.0/0", "RuleAction": "accept"}
        rule = {"TrafficMirrorFilterId": id_, "TrafficDirection": "egress", "RuleNumber": 1, "Protocol": 17}
        enid.ec2.create_traffic_mirror_filter_rule(**rule, **everything)
        target = enid.ec2.create_traffic_mirror_target(NetworkInterfaceId=interface(self.watcher))
        ends = {"TrafficMirrorFilterId": id_, "NetworkInterfaceId": interface(self.source), "VirtualNetworkId": 7}
        ends["TrafficMirrorTargetId"] = target["TrafficMirrorTarget"]["TrafficMirrorTargetId"]
        made = enid.ec2.create_traffic_mirror_session(SessionNumber=1, **ends)["TrafficMirrorSession"]
        self.session = made["TrafficMirrorSessionId"]

    def _run(self, instance: dict[str, Any], program: str, *arguments: str) -> None:
        command = ("exec", instance["InstanceId"], "--", "/usr/bin/python3", "-c", program, *arguments)
        self._processes.append(self.enid.command(*command))

    def says(self, word: str) -> None:
        """From now on, again and again, with a number."""
        self._run(self.source, SAY, self.peer["PrivateIpAddress"], word)

    def heard(self, instance: dict[str, Any] | None = None) -> tuple[int, str, int]:
        """The last copy (or what the peer itself heard last): network, word and number."""
        disk = self.enid.settings.instances_dir / (instance or self.watcher)["InstanceId"]
        for log in disk.rglob("root/heard"):
            match log.read_text().split():
                case [network, word, number]:
                    return int(network), word, int(number)
        return 0, "", 0

    def hears(self, word: str, network: int) -> None:
        """And something new of it."""
        _, _, before = self.heard()

        def more() -> bool:
            *what, number = self.heard()
            return what == [network, word] and number != before

        until(f"{word} is heard from {network}", more, PATIENCE)

    def close(self) -> None:
        for process in self._processes:
            process.kill()
            process.communicate()


def interface(instance: dict[str, Any]) -> str:
    return str(instance["NetworkInterfaces"][0]["NetworkInterfaceId"])


@pytest.fixture
def watched(enid: Enid) -> Iterator[Watched]:
    made = Watched(enid)
    yield made
    made.close()


def test_what_an_instance_says_is_heard_until_the_session_ends(enid: Enid, watched: Watched) -> None:
    watched.says("first")
    watched.hears("first", 7)
    enid.ec2.modify_traffic_mirror_session(TrafficMirrorSessionId=watched.session, VirtualNetworkId=8)
    watched.hears("first", 8)
    before = enid.kill("agent")
    watched.hears("first", 8)
    until("the agent is started again", lambda: enid.pid("agent") != before, PATIENCE)
    for state, wanted in (("stop", "stopped"), ("start", "running")):
        getattr(enid.ec2, f"{state}_instances")(InstanceIds=[watched.source["InstanceId"]])
        until(wanted, lambda wanted=wanted: enid.states([watched.source["InstanceId"]]) == [wanted], PATIENCE)
    watched.says("second")
    watched.hears("second", 8)
    enid.ec2.delete_traffic_mirror_session(TrafficMirrorSessionId=watched.session)
    pins = enid.settings.run_dir / "netns"
    until("nothing is left", lambda: not [pin for pin in pins.iterdir() if watched.session in pin.name], PATIENCE)
    last, (*_, said) = watched.heard(), watched.heard(watched.peer)
    until("it goes on saying", lambda: watched.heard(watched.peer)[2] > said + 20, PATIENCE)
    assert watched.heard() == last
