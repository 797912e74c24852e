"""What an instance finds on its disk when it boots: its name, its key, its user data, a few names in /dev and /run.

Runs inside the finished sandbox as its root, after every power over the host is gone: whatever the instance's owner
put in the way (a symbolic link, a full disk) can hurt only himself. A complaint goes to the console; the boot goes on.
"""

from __future__ import annotations

import os
import sys

from enid.guest.plan import Plan

SEED = "/var/lib/cloud/instance"
"""Where cloud-init keeps what belongs to this instance, and where scripts expect it."""

_LINKS = {
    "/dev/fd": "/proc/self/fd",
    "/dev/stdin": "/proc/self/fd/0",
    "/dev/stdout": "/proc/self/fd/1",
    "/dev/stderr": "/proc/self/fd/2",
    "/dev/ptmx": "pts/ptmx",
    "/dev/console": "/proc/1/fd/1",
}


def furnish(plan: Plan) -> None:
    """Write all of it; on the first boot of the disk what is written once, on every boot the rest."""
    for path, target in _LINKS.items():
        os.symlink(target, path)
    for directory, mode in (("/run/lock", 0o1777), ("/run/sshd", 0o755)):
        os.mkdir(directory)
        os.chmod(directory, mode)
    os.mkfifo("/run/initctl", 0o600)
    try:
        _every_boot(plan)
        if not os.path.exists(f"{SEED}/instance-id"):
            _first_boot(plan)
    except OSError as error:
        print(f"enid: could not prepare the disk: {error}", file=sys.stderr, flush=True)


def _every_boot(plan: Plan) -> None:
    _write("/etc/hostname", f"{plan.hostname}\n".encode())
    if not plan.leave_network:
        search = f"search {' '.join(plan.search)}\n" if plan.search else ""
        servers = "".join(f"nameserver {address}\n" for address in plan.nameservers)
        _write("/etc/resolv.conf", (search + servers).encode())


def _first_boot(plan: Plan) -> None:
    os.makedirs(SEED, exist_ok=True)
    names = dict.fromkeys((plan.hostname, plan.hostname.partition(".")[0]))
    own = f"{plan.address or '127.0.1.1'} {' '.join(names)}"
    _write("/etc/hosts", f"127.0.0.1 localhost\n{own}\n::1 localhost ip6-localhost ip6-loopback\n".encode())
    if plan.authorized_keys:
        keys = "".join(f"{key.strip()}\n" for key in plan.authorized_keys).encode()
        _authorize("/root", keys, 0)
        if os.path.isdir("/home/ec2-user"):
            _authorize("/home/ec2-user", keys, 1000)
    if plan.user_data:
        _write(f"{SEED}/user-data.txt", plan.user_data, 0o600)
    # Last, because it says that the first boot is over.
    _write(f"{SEED}/instance-id", f"{plan.id}\n".encode())


def _authorize(home: str, keys: bytes, owner: int) -> None:
    os.makedirs(f"{home}/.ssh", 0o700, exist_ok=True)
    _write(f"{home}/.ssh/authorized_keys", keys, 0o600)
    for path in (f"{home}/.ssh", f"{home}/.ssh/authorized_keys"):
        os.chown(path, owner, owner)


def _write(path: str, content: bytes, mode: int = 0o644) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    with open(fd, "wb") as file:
        file.write(content)
