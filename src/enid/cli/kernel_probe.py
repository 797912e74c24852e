"""Tries, in namespaces that vanish with it, what enid needs of the kernel: ``python -m enid.cli.kernel_probe``.

A process of its own, since it changes its namespaces. Prints a JSON object: what was tried → "" or what went wrong.
"""

from __future__ import annotations

import ctypes
import json
import os
import socket
import struct
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from enid.fabric.linux import accelerator
from enid.netlink.message import ACK, CREATE, ERROR, EXCL, HEADER, message, nested, text

_NEWUSER, _NEWNS, _NEWNET, _NEWPID = 0x10000000, 0x00020000, 0x40000000, 0x20000000
_NETLINK_ROUTE, _NETLINK_NETFILTER = 0, 12
_NEWLINK, _LINKINFO, _INFO_KIND = 16, 18, 1
_BATCH_BEGIN, _BATCH_END, _NFT_NEWTABLE = 16, 17, 10 << 8
_MS_REC_PRIVATE = 0x4000 | 0x40000
_libc = ctypes.CDLL(None, use_errno=True)


def probe() -> dict[str, str]:
    """Everything in order; what comes after a failed namespace is not tried."""
    user = 0 if os.geteuid() == 0 else _NEWUSER
    results = {"namespaces": _tried(lambda: _unshare(user | _NEWNET | _NEWNS))}
    if not results["namespaces"]:
        results["accelerator"] = _tried(_accelerator)
        # Once its children are in another namespace a process has no more threads, and the accelerator needs some.
        results["namespaces"] = _tried(lambda: _checked(_libc.unshare(_NEWPID)))
    if not results["namespaces"]:
        results["veth"] = _tried(_veth)
        results["nf_tables"] = _tried(_table)
        results["overlay"] = _tried(_overlay)
    return results


def _tried(step: Callable[[], None]) -> str:
    try:
        step()
    except OSError as error:
        return error.strerror or str(error)
    return ""


def _checked(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _unshare(flags: int) -> None:
    uid, gid = os.geteuid(), os.getegid()
    _checked(_libc.unshare(flags))
    if flags & _NEWUSER:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {uid} 1")
        Path("/proc/self/gid_map").write_text(f"0 {gid} 1")
    _checked(_libc.mount(None, b"/", None, _MS_REC_PRIVATE, None))


def _veth() -> None:
    link = struct.pack("=BxHiII", 0, 0, 0, 0, 0)
    kind = nested(_LINKINFO, text(_INFO_KIND, "veth"))
    _ask(_NETLINK_ROUTE, message(_NEWLINK, CREATE | EXCL | ACK, link, kind))


def _table() -> None:
    """A table in a transaction: the nftables of the kernel, without any program."""
    edge = struct.pack(">BBH", 0, 0, 10)
    body = message(_NFT_NEWTABLE, CREATE | ACK, struct.pack(">BBH", 1, 0, 0), text(1, "enid-probe"))
    _ask(_NETLINK_NETFILTER, message(_BATCH_BEGIN, 0, edge) + body + message(_BATCH_END, 0, edge))


def _accelerator() -> None:
    try:
        accelerator.probe()
    except accelerator.Unavailable as problem:
        raise OSError(str(problem)) from problem


def _ask(family: int, request: bytes) -> None:
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, family) as kernel:
        kernel.settimeout(5)
        kernel.send(request)
        answer = kernel.recv(65536)
    kind = HEADER.unpack_from(answer)[1]
    number = -struct.unpack_from("=i", answer, HEADER.size)[0] if kind == ERROR else 0
    if number:
        raise OSError(number, os.strerror(number))


def _overlay() -> None:
    with tempfile.TemporaryDirectory() as name:
        _checked(_libc.mount(b"tmpfs", name.encode(), b"tmpfs", 0, None))
        try:
            for part in ("lower", "upper", "work", "merged"):
                os.mkdir(f"{name}/{part}")
            options = f"lowerdir={name}/lower,upperdir={name}/upper,workdir={name}/work"
            if os.getuid() == 0 and Path("/proc/self/uid_map").read_text().split()[:2] != ["0", "0"]:
                options += ",userxattr"
            _checked(_libc.mount(b"overlay", f"{name}/merged".encode(), b"overlay", 0, options.encode()))
            _checked(_libc.umount2(f"{name}/merged".encode(), 0))
        finally:
            _libc.umount2(name.encode(), 0)


if __name__ == "__main__":
    json.dump(probe(), sys.stdout)
