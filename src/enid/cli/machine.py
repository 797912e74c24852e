"""What enid needs of a machine, looked at one by one; each finding names the command that mends it."""

from __future__ import annotations

import getpass
import json
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from enid.settings import Settings

_OPEN_FILES = 4096
_CONNECTIONS = 65536
_SUBORDINATE_IDS = 65536


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at."""

    what: str
    ok: bool
    detail: str
    fix: str = ""
    """The exact command, or what to do, where it is not ok."""
    needed: bool = True
    """enid does not come up without it; otherwise something is slower or missing."""


def examine(settings: Settings, rootless: bool, up: bool) -> Iterator[Finding]:
    """Everything, in the order in which it would be in the way.

    :param rootless: as an ordinary user, in a user namespace.
    :param up: enid is running, so its port is its own.
    """
    yield _python()
    if rootless:
        yield from _user_namespaces()
        yield _newuidmap()
        for path in (Path("/etc/subuid"), Path("/etc/subgid")):
            yield _subordinate(path)
    yield from _kernel(settings)
    yield _strongswan(settings)
    yield _port(settings, up)
    yield _directory(settings.state_dir, "state directory", "state-dir")
    yield _directory(settings.run_dir, "run directory", "run-dir")
    yield _open_files()
    yield _connections()
    yield _graphviz()


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    return Finding("Python", sys.version_info >= (3, 11), version, "install Python 3.11 or newer")


def _user_namespaces() -> Iterator[Finding]:
    for path, least, name, value in (
        ("/proc/sys/user/max_user_namespaces", 1, "user.max_user_namespaces", 100000),
        ("/proc/sys/kernel/unprivileged_userns_clone", 1, "kernel.unprivileged_userns_clone", 1),
    ):
        number = _number(Path(path))
        if number is not None:
            yield Finding(name, number >= least, str(number), f"sudo sysctl -w {name}={value}")
    restricted = _number(Path("/proc/sys/kernel/apparmor_restrict_unprivileged_userns"))
    if restricted is not None:
        name = "kernel.apparmor_restrict_unprivileged_userns"
        yield Finding(name, restricted == 0, str(restricted), f"sudo sysctl -w {name}=0")


def _newuidmap() -> Finding:
    found = shutil.which("newuidmap")
    return Finding(
        "newuidmap", bool(found and shutil.which("newgidmap")), found or "missing", "sudo apt-get install uidmap"
    )


def _subordinate(path: Path) -> Finding:
    user, uid = getpass.getuser(), str(os.getuid())
    lines = [line.split(":") for line in path.read_text().splitlines()] if path.exists() else []
    counts = [int(line[2]) for line in lines if len(line) == 3 and line[0] in (user, uid) and line[2].isdecimal()]
    most = max(counts, default=0)
    fix = f"sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 {user}"
    return Finding(str(path), most >= _SUBORDINATE_IDS, f"{most} ids for {user}", fix)


def _kernel(settings: Settings) -> Iterator[Finding]:
    """Tried for real by a process of its own, in namespaces that vanish with it."""
    command = [sys.executable, "-m", "enid.cli.kernel_probe"]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    try:
        tried: dict[str, str] = json.loads(result.stdout)
    except ValueError:
        last = result.stderr.strip().splitlines()[-1:] or ["no answer"]
        yield Finding("kernel", False, last[0], "report this as a bug")
        return
    inside = "run the container with --privileged, or on the host" if _in_container() else ""
    fixes = {
        "namespaces": inside or "sudo sysctl -w user.max_user_namespaces=100000 user.max_net_namespaces=100000",
        "veth": inside or "sudo modprobe veth",
        "nf_tables": inside or "sudo modprobe -a nf_tables nft_ct nft_nat nf_conntrack",
        "overlay": inside or "sudo modprobe overlay",
    }
    accelerator = tried.pop("accelerator", None)
    for what, problem in tried.items():
        yield Finding(f"kernel: {what}", not problem, problem or "works", fixes[what])
    if accelerator is not None:
        yield _accelerator(settings, accelerator)


def _accelerator(settings: Settings, problem: str) -> Finding:
    what = "kernel: accelerator"
    if settings.accelerator == "off":
        return Finding(what, True, "off, as ENID_ACCELERATOR says", needed=False)
    fix = (
        "nothing is missing without it but speed: as root, on Linux 6.1 or newer with BTF, established flows are faster"
    )
    return Finding(what, not problem, problem or "works", fix, needed=False)


def _in_container() -> bool:
    return Path("/.dockerenv").exists() or Path("/run/.containerenv").exists()


def _port(settings: Settings, up: bool) -> Finding:
    from enid.supervisor.control import port_problem, port_remedy

    where = f"{settings.listen}:{settings.port}"
    if up:
        return Finding("port", True, f"{where} is enid's")
    if problem := port_problem(settings):
        return Finding("port", False, f"{where}: {problem}", port_remedy(settings))
    return Finding("port", True, f"{where} is free")


def _directory(path: Path, what: str, option: str) -> Finding:
    """Writable now, or creatable."""
    there = next(parent for parent in (path, *path.parents) if _exists(parent))
    writable = os.access(there, os.W_OK | os.X_OK)
    return Finding(what, writable, str(path), f"sudo chown {getpass.getuser()} {there}, or enid --{option} DIRECTORY …")


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except PermissionError:
        return False


def _open_files() -> Finding:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    enough = hard == resource.RLIM_INFINITY or hard >= _OPEN_FILES
    shown = "unlimited" if hard == resource.RLIM_INFINITY else f"at most {hard}"
    return Finding("open files", enough, shown, "ulimit -Hn 65536 (as root), or LimitNOFILE= of the service", False)


def _connections() -> Finding:
    """All namespaces share the limit; before the first connection is tracked it does not exist."""
    most = _number(Path("/proc/sys/net/netfilter/nf_conntrack_max"))
    fix = f"sudo sysctl -w net.netfilter.nf_conntrack_max={4 * _CONNECTIONS}"
    if most is None:
        return Finding("tracked connections", True, "the limit shows once a connection is tracked", fix, False)
    return Finding("tracked connections", most >= _CONNECTIONS, f"at most {most}", fix, False)


def _strongswan(settings: Settings) -> Finding:
    from enid.vpn.strongswan import missing

    lack, _, fix = missing().partition(": ")
    wanted = settings.vpn == "ipsec"
    detail = "VPN connections can be IPsec (ENID_VPN=ipsec)" if not wanted else "VPN connections are IPsec"
    return Finding("strongSwan", not lack, lack or detail, f"{fix.strip('`')} (for ENID_VPN=ipsec)", wanted)


def _graphviz() -> Finding:
    found = shutil.which("dot")
    fix = "sudo apt-get install graphviz (for `enid net --svg`)"
    return Finding("Graphviz", bool(found), found or "missing", fix, False)


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None
