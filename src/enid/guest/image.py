"""Builds the image instances boot from: a directory of what is *not* the host's ``/usr``, made once and shared.

``/usr`` (and ``/bin``, ``/lib``, … where these are directories of their own) is overlaid from the host; everything
else an instance sees comes from here. An allow-list (:mod:`enid.guest.etc`), never a copy of the host's root. The
directory's name is a digest of what it was made from, so a changed host or a newer enid makes a new one.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from enid.guest import etc
from enid.guest.ids import NOBODY

_INIT = Path(__file__).with_name("init.sh")
_SHARED = ("usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32")
_EMPTY = ("dev", "proc", "sys", "run", "boot", "media", "mnt", "opt", "srv", "home", "var/log", "var/lib", "var/cache",
          "var/spool", "var/mail", "var/opt", "var/local", "var/lib/cloud", "var/empty")  # fmt: skip
_SKELETON = (("tmp", 0o1777), ("var/tmp", 0o1777), ("root", 0o700), ("usr", 0o755), (f"home/{etc.USER}", 0o755))
_STAMPED = ("/etc/passwd", "/etc/group", "/etc/ld.so.cache", "/var/lib/dpkg/status")


class UnusableHost(RuntimeError):
    """The host's file system is not laid out in a way instances can share."""


def shared_trees() -> list[str]:
    """Top-level directories an instance overlays from the host: ``usr``, and on an unmerged host its siblings."""
    if not Path("/usr/bin").is_dir() or not Path("/bin/sh").exists():
        raise UnusableHost("instances share the host's programs, but there is no /usr/bin or no /bin/sh here")
    return [name for name in _SHARED if Path("/", name).is_dir() and not Path("/", name).is_symlink()]


def ensure(images: Path, owner: int) -> Path:
    """The image's directory below ``images``; built now if it is not there.

    ``owner`` is the agent's id that is root inside: 0 where mounts can be id-mapped, else every file is given to it.
    """
    image = images / f"{_stamp()}-{owner}"
    if not image.is_dir():
        images.mkdir(parents=True, exist_ok=True)
        os.chmod(images, 0o700)
        fresh = images / f".{image.name}.{os.getpid()}"
        _remove(fresh)
        _build(fresh, owner)
        with suppress(OSError):  # somebody else was faster
            os.rename(fresh, image)
        _remove(fresh)
    return image


def prune(images: Path, keep: Path) -> None:
    """Delete every image but ``keep``. Only while no sandbox runs: a running one has its image below its root."""
    for other in images.iterdir() if images.is_dir() else ():
        if other != keep:
            _remove(other)


def _stamp() -> str:
    digest = sha256()
    for module in (Path(__file__), Path(etc.__file__), _INIT):
        digest.update(module.read_bytes())
    for path in _STAMPED:
        with suppress(OSError):
            stat = os.stat(path)
            digest.update(f"{path} {stat.st_size} {stat.st_mtime_ns}".encode())
    return digest.hexdigest()[:16]


def _build(image: Path, owner: int) -> None:
    os.mkdir(image, 0o755)
    os.mkdir(image / "etc", 0o755)
    _make_skeleton(image)
    for path in _etc_paths():
        _copy(Path("/etc", path), image / "etc" / path)
    _copy_links(image / "etc")
    _write_generated(image / "etc")
    _make_package_directories(image)
    if owner:
        _give(image, owner)


def _make_skeleton(image: Path) -> None:
    for name in _EMPTY:
        os.makedirs(image / name, 0o755, exist_ok=True)
    for name, mode in _SKELETON:
        os.makedirs(image / name, exist_ok=True)
        os.chmod(image / name, mode)
    os.symlink("/run", image / "var/run")
    os.symlink("/run/lock", image / "var/lock")
    for name in _SHARED:
        host = Path("/", name)
        if host.is_symlink():
            os.symlink(os.readlink(host), image / name)
        elif host.is_dir():
            os.makedirs(image / name, exist_ok=True)
    os.chown(image / f"home/{etc.USER}", etc.USER_ID, etc.USER_ID)


def _etc_paths() -> Iterator[str]:
    yield from etc.PUBLIC
    with suppress(OSError):
        yield from etc.unmodified_conffiles(Path("/var/lib/dpkg/status").read_text(), Path("/etc"))


def _copy(source: Path, target: Path) -> None:
    """Copy a file, a symbolic link or a directory below ``/etc``, leaving out what may never be seen."""
    if not etc.allowed(str(source.relative_to("/etc"))) or target.is_symlink() or target.is_file():
        return
    if os.path.isdir(source) and not source.is_symlink():
        os.makedirs(target, exist_ok=True)
        with suppress(PermissionError):  # not for everybody: not for instances
            for entry in source.iterdir():
                _copy(entry, target / entry.name)
    elif source.is_symlink() or _is_public_file(source):
        os.makedirs(target.parent, exist_ok=True)
        shutil.copy2(source, target, follow_symlinks=False)


def _copy_links(directory: Path) -> None:
    """Symbolic links from one file of ``/etc`` to another that has been copied, as ``sites-enabled/default`` is one."""
    for parent, names, files in os.walk("/etc"):
        for name in (*names, *files):
            link = Path(parent, name)
            target = os.path.realpath(link) if link.is_symlink() else ""
            if target.startswith("/etc/") and (directory / target[5:]).is_file():
                _copy(link, directory / link.relative_to("/etc"))


def _is_public_file(path: Path) -> bool:
    """Everybody on the host may read it: a file that only root may is a secret, whatever its name."""
    return os.path.isfile(path) and bool(path.stat().st_mode & 0o004)


def _write_generated(directory: Path) -> None:
    files = etc.generated(Path("/etc/passwd").read_text(), Path("/etc/group").read_text())
    files["enid-init"] = (_INIT.read_text(), 0o644)
    for name, (content, mode) in files.items():
        path = directory / name
        os.makedirs(path.parent, exist_ok=True)
        with suppress(FileNotFoundError):
            path.unlink()
        path.write_text(content)
        os.chmod(path, mode)


def _make_package_directories(image: Path) -> None:
    """The empty directories below ``/var`` and ``/etc`` that installed packages bring, owned as on the host."""
    for directory in sorted(_package_directories(Path("/var/lib/dpkg/info").glob("*.list"))):
        host, target = Path(directory), image / directory[1:]
        if target.exists() or os.path.islink(host) or not os.path.isdir(host) or not etc.allowed(directory[5:]):
            continue
        stat = host.stat()
        os.makedirs(target)
        os.chmod(target, stat.st_mode & 0o7777)
        if NOBODY not in (stat.st_uid, stat.st_gid):  # which is how an owner shows that is not mapped here
            os.chown(target, stat.st_uid, stat.st_gid)


def _package_directories(lists: Iterable[Path]) -> set[str]:
    wanted: set[str] = set()
    for file in lists:
        wanted.update(line for line in file.read_text().splitlines() if line.startswith(("/var/", "/etc/")))
    return wanted


def _give(image: Path, owner: int) -> None:
    """Shift every owner by ``owner``: what is root's becomes the instances' root's."""
    _give_one(str(image), owner)
    for directory, names, files in os.walk(image):
        for name in (*names, *files):
            _give_one(os.path.join(directory, name), owner)


def _give_one(path: str, owner: int) -> None:
    stat = os.lstat(path)
    os.chown(path, owner + stat.st_uid, owner + stat.st_gid, follow_symlinks=False)
    if not os.path.islink(path):
        os.chmod(path, stat.st_mode & 0o7777)  # chown takes set-id bits away


def _remove(path: Path) -> None:
    shutil.rmtree(path, ignore_errors=True)
