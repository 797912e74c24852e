"""An instance's directory under ``state_dir/instances``: its disk (overlay layers) and its console log.

Called with the agent's power, and only for paths that no instance can write to: the layers' top directories and the
log's name. What is *in* a layer belongs to the instance and is never opened here.
"""

from __future__ import annotations

import os

from enid.guest.plan import Plan, Tree

_CONSOLE_KEPT = 65536
"""EC2 shows the last 64 KiB of the console; more is not carried from boot to boot."""


def make_disk(plan: Plan) -> None:
    """Make the layers a new instance lacks; those of an old one stay as they are."""
    for tree in plan.trees:
        layer = f"{plan.disk}/{tree.target or 'root'}"
        if not os.path.isdir(f"{layer}/upper"):
            os.makedirs(f"{layer}/work", exist_ok=True)
            # Under another name until it is whole, so that a crash leaves no half-made layer.
            fresh = f"{layer}/fresh"
            _make_owned(fresh, plan.id_base)
            _make_writable(plan, tree, fresh)
            os.rename(fresh, f"{layer}/upper")
    os.chmod(plan.disk, 0o700)


def _make_writable(plan: Plan, tree: Tree, upper: str) -> None:
    """Where the shared layer cannot be shown as root's, give root at least its directories (not what is in them)."""
    if tree.idmapped or not tree.target:
        return
    with os.scandir(tree.lower) as entries:
        names = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    for name in names:
        _make_owned(f"{upper}/{name}", plan.id_base)


def _make_owned(directory: str, owner: int) -> None:
    os.makedirs(directory, exist_ok=True)
    os.chown(directory, owner, owner)
    os.chmod(directory, 0o755)


def open_console(plan: Plan) -> int:
    """The console log, for appending, cut to its last part. It belongs to root inside; all may read it."""
    fd = os.open(plan.console, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
    excess = os.fstat(fd).st_size - _CONSOLE_KEPT
    if excess > 0:
        kept = os.pread(fd, _CONSOLE_KEPT, excess)
        os.ftruncate(fd, 0)
        os.write(fd, kept)
    os.fchown(fd, plan.id_base, plan.id_base)
    os.fchmod(fd, 0o644)
    return fd
