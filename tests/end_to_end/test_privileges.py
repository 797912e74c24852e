"""What a running enid may do, and what its files let others do: read from the kernel, not from the code."""

from __future__ import annotations

import os
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from enid.fabric.linux.names import HOST_ADDRESS
from enid.supervisor.privileges import api_uid
from whole_enid import Enid, running_enid, until

pytestmark = [pytest.mark.root, pytest.mark.timeout(300)]

FLOW_LOGS_BITS = 1 << 1 | 1 << 12 | 1 << 21
"""DAC_OVERRIDE, NET_ADMIN, SYS_ADMIN."""
NOBODIES = ("api", "services")
"""They read what clients and instances send."""
SUBORDINATE, USER = 1_200_000_000, 218_453

ROOTLESS = """
import ctypes, os, sys
from pathlib import Path
libc = ctypes.CDLL(None, use_errno=True)
libc.prctl(4, 1, 0, 0, 0)
if libc.unshare(0x10000000 | 0x20000):
    sys.exit("no user namespaces here")
print("unshared", flush=True)
sys.stdin.readline()
os.setresgid(0, 0, 0)
os.setresuid(0, 0, 0)
libc.mount(None, b"/", None, 0x44000, None)
from enid import supervisor
from enid.settings import Settings
home = Path(sys.argv[1])
settings = Settings(state_dir=home / "state", run_dir=home / "run", rootless=True, port=int(sys.argv[2]))
print(supervisor.up(settings, detach=True), flush=True)
sys.stdin.readline()
supervisor.down(settings)
"""


@pytest.fixture(scope="module")
def enid() -> Iterator[Enid]:
    """As root, with an instance, listening for everybody, and with a way from the host to it."""
    with running_enid(listen="0.0.0.0", host_route=True) as made:
        yield made


@pytest.fixture(scope="module")
def instance(enid: Enid) -> str:
    (launched,) = enid.launch(enid.subnet(), UserData="#!/bin/sh\ntrue\n")
    return str(launched["InstanceId"])


@contextmanager
def rootless() -> Iterator[Path]:
    """The home of an ordinary user whose enid is up: this test plays ``newuidmap``."""
    home = Path(tempfile.mkdtemp(prefix="enid-user-"))
    os.chown(home, USER, USER)
    with socket.create_server(("127.0.0.1", 0)) as free:
        number = free.getsockname()[1]
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "PYTHONDONTWRITEBYTECODE": "1"}
    environment["PYTHONPATH"] = ":".join(path for path in sys.path if path)
    command = [_interpreter(), "-c", ROOTLESS, str(home), str(number)]
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    process = subprocess.Popen(
        command, user=USER, group=USER, extra_groups=[], env=environment, cwd="/", text=True, **pipes
    )
    try:
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stdout.readline() == "unshared\n"
        for kind in ("uid", "gid"):
            Path(f"/proc/{process.pid}/{kind}_map").write_text(f"0 {USER} 1\n1 {SUBORDINATE} 65536\n")
        process.stdin.write("mapped\n")
        process.stdin.flush()
        assert process.stdout.readline() == "0\n"
        yield home
    finally:
        process.communicate("down\n", timeout=60)
        for pid in _processes_of(USER):
            os.kill(pid, 9)
        until("his processes end", lambda: not _processes_of(USER))
        shutil.rmtree(home)


def _processes_of(uid: int) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if path.stat().st_uid == uid:
                found.append(int(path.name))
        except FileNotFoundError:
            continue
    return found


def _interpreter() -> str:
    """A Python of this one's version that everybody may execute."""
    found = shutil.which(f"python3.{sys.version_info.minor}", path="/usr/bin:/usr/local/bin")
    for path in filter(None, (os.path.realpath(sys.executable), found)):
        try:
            if subprocess.run([path, "-c", ""], user=USER, check=False, capture_output=True).returncode == 0:
                return path
        except PermissionError:
            continue
    pytest.skip("no Python that an ordinary user may execute")


def statuses(pid: int) -> list[dict[str, str]]:
    """What the kernel says of each thread."""
    texts = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/status")]
    return [dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line) for text in texts]


def holds(pid: int, wanted: int) -> None:
    """These capabilities, not more, and no way to get more. It is still loading its code when it has given up none."""
    until("it has given up what it must", lambda: all(each["NoNewPrivs"] == "1" for each in statuses(pid)))
    for each in statuses(pid):
        assert {int(each[name], 16) for name in ("CapPrm", "CapEff", "CapBnd")} == {wanted}
        assert {int(each[name], 16) for name in ("CapInh", "CapAmb")} == {0}


def is_nobody(pid: int, uid: int) -> None:
    holds(pid, 0)
    assert {tuple(each[name].split()) for each in statuses(pid) for name in ("Uid", "Gid")} == {(str(uid),) * 4}


@pytest.mark.parametrize("role", NOBODIES)
def test_what_reads_strangers_bytes_holds_nothing(enid: Enid, instance: str, role: str) -> None:
    uid = api_uid(enid.settings)
    assert uid != 0
    is_nobody(enid.pid(role), uid)
    assert all(not each["Groups"].split() for each in statuses(enid.pid(role)))


def test_flow_logs_hold_what_they_need(enid: Enid) -> None:
    """It enters namespaces and opens sockets there; it can load, trace, mount by device, or gain nothing."""
    holds(enid.pid("flow-logs"), FLOW_LOGS_BITS)


def test_the_agent_is_root_and_nobody_else(enid: Enid) -> None:
    """The control: capabilities are seen where there are some."""
    for role in ("agent", "supervisor"):
        assert all(int(each["CapEff"], 16) and each["Uid"].split()[0] == "0" for each in statuses(enid.pid(role)))


def test_without_root_they_hold_as_little() -> None:
    with rootless() as home:
        pids = {path.stem: int(path.read_text()) for path in (home / "run").glob("*.pid")}
        assert set(pids) == {"supervisor", "agent", "api", "services", "flow-logs"}
        for role in NOBODIES:
            is_nobody(pids[role], USER)
        holds(pids["flow-logs"], FLOW_LOGS_BITS)
        for role, pid in pids.items():
            assert all(each["Uid"].split() == [str(USER)] * 4 for each in statuses(pid)), role
            assert os.readlink(f"/proc/{pid}/ns/user") != os.readlink("/proc/self/ns/user"), role
        everybody = [path for path, mode, _ in walk(home / "state", home / "run") if mode & 0o022]
        assert everybody == [home / "run/agent.sock"]


def walk(*roots: Path) -> Iterator[tuple[Path, int, int]]:
    """Path, mode and owner of everything below, but for what is on instances' disks and pinned namespaces."""
    for root in roots:
        for directory, names, files in os.walk(root):
            for name in (".", *names, *files):
                path = (Path(directory) / name).resolve() if name == "." else Path(directory) / name
                found = path.lstat()
                if not stat.S_ISLNK(found.st_mode):
                    yield path, stat.S_IMODE(found.st_mode), found.st_uid
            names[:] = [name for name in names if name not in ("disk", "netns", "scratch", "images")]


def test_files_and_sockets_have_the_modes_and_owners_they_should(enid: Enid, instance: str) -> None:
    state, run, api = enid.settings.state_dir, enid.settings.run_dir, api_uid(enid.settings)
    sockets = list(enid.settings.api_sockets.iterdir())
    assert len(sockets) > 0
    expected = {
        state: (0o711, 0),
        state / "store": (0o700, api),
        state / "store/metadata.key": (0o600, api),
        state / "instances": (0o711, 0),
        state / "images": (0o700, 0),
        state / "instances" / instance: (0o711, 0),
        run: (0o711, 0),
        run / "agent.sock": (0o666, 0),
        run / "services.sock": (0o600, api),
        run / "agent.prom": (0o644, 0),
        run / "api": (0o755, api),
        **dict.fromkeys(sockets, (0o600, api)),
        run / "instances": (0o700, 0),
    }
    until("the agent's numbers are there", (run / "agent.prom").exists)
    found = {path: (mode, uid) for path, mode, uid in walk(state, run)}
    assert {path: found.get(path) for path in expected} == expected
    disk = (state / "instances" / instance / "disk").stat()
    assert stat.S_IMODE(disk.st_mode) == 0o700
    for path, (mode, uid) in found.items():
        if path != run / "agent.sock":
            assert not mode & 0o022, f"others may write {path}: {mode:o}"
        assert uid in (0, api) or path.name == "console.log", f"{path} is {uid}'s"


def test_an_ordinary_user_reads_nothing_of_it(enid: Enid, instance: str) -> None:
    """Whatever the modes say together: tried as somebody else."""
    state, run = enid.settings.state_dir, enid.settings.run_dir
    secret = [state / "store/enid.db", state / "store/metadata.key", state / "images", state / "flow-logs"]
    secret += [state / "instances" / instance / "disk", run / "instances", run / "netns"]
    code = "import os,sys; print([p for p in sys.argv[1:] if os.access(p, os.R_OK) or os.access(p, os.W_OK)])"
    who = {"user": USER, "group": USER, "extra_groups": []}
    command = [_interpreter(), "-c", code, *map(str, secret), "/etc/passwd"]
    out = subprocess.run(command, capture_output=True, text=True, check=True, cwd="/", **who)  # type: ignore[call-overload]
    assert out.stdout.strip() == "['/etc/passwd']"


def test_a_guest_does_not_reach_the_api(enid: Enid, instance: str) -> None:
    """Although it listens everywhere, the host has a way to the instance, and the instance one to the internet."""
    shown = enid.ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]
    vpc, eni = shown["VpcId"], shown["NetworkInterfaces"][0]["NetworkInterfaceId"]
    gateway = enid.ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    enid.ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    table = enid.ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["RouteTables"][0]
    enid.ec2.create_route(RouteTableId=table["RouteTableId"], DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    address = enid.ec2.allocate_address(Domain="vpc")
    enid.ec2.associate_address(AllocationId=address["AllocationId"], NetworkInterfaceId=eni)
    addresses = [
        "127.0.0.1",
        str(HOST_ADDRESS),
        "100.64.0.1",
        "10.0.0.2",
        "10.0.1.1",
        "169.254.169.254",
        *own_addresses(),
    ]
    code = f"""
import select, socket
tried = {{}}
for address in {addresses!r}:
    each = socket.socket()
    each.setblocking(False)
    each.connect_ex((address, {enid.settings.port}))
    tried[each] = address
select.select([], [], [], 2)
_, answered, _ = select.select([], list(tried), [], 0)
print([tried[each] for each in answered if not each.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)])
"""
    with socket.create_connection(("127.0.0.1", enid.settings.port)):
        pass
    trial = enid.command("exec", instance, "--", "/usr/bin/python3", "-c", code)
    assert trial.communicate(timeout=60) == ("[]\n", "")


def own_addresses() -> list[str]:
    """The host's."""
    out = subprocess.run(["ip", "-4", "-o", "address", "show"], capture_output=True, text=True, check=True).stdout
    return [line.split()[3].split("/")[0] for line in out.splitlines()]
