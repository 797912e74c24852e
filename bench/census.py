"""What a running enid holds: counted from outside, in /proc, in the kernel's tables and in its files."""

from __future__ import annotations

import os
import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import chain
from pathlib import Path

from enid.netlink import links, namespaces, neighbours, nftables, routes, rules
from enid.netlink.message import DUMP, attributes, message, text, to_text
from enid.netlink.netfilter import NetfilterSocket
from enid.netlink.socket import RouteSocket
from enid.settings import Settings

Census = Mapping[str, float]
"""By what is counted; memory and the database in bytes."""
NFT = "nft "
"""What begins the names of nf_tables' objects. What groups leave behind stays until there is enough of it to be worth
writing a new table."""

_PAGE = os.sysconf("SC_PAGE_SIZE")
_GETSET, _GETSETELEM = 10, 13
_NFT = {"chains": 4, "rules": 7, "sets": _GETSET}
"""Requests of nf_tables that list them."""
_TABLE, _NAME, _ELEMENTS = 1, 2, 3
_INET = b"\1\0\0\0"


def counts(settings: Settings) -> Census:
    """What is the same again when the network is the same again."""
    family = list(_descendants(pids(settings)["supervisor"]))
    found: Counter[str] = Counter(processes=len(family), namespaces=len(set(filter(None, map(_network_of, family)))))
    found["files"] = sum(len(names) + len(files) for _, names, files in os.walk(settings.run_dir))
    for pin in sorted((settings.run_dir / "netns").iterdir()):
        namespace = namespaces.open_pinned(pin)
        if namespace is not None:
            found["namespaces"] += 1
            found.update(_kernel(namespace))
            os.close(namespace)
    return dict(found)


def sizes(settings: Settings) -> Census:
    """What moves a little all the time, and must not grow."""
    found: Counter[str] = Counter({f"memory {role}": _memory(pid) for role, pid in pids(settings).items()})
    found["descriptors"] = sum(map(_descriptors, pids(settings).values()))
    store = settings.state_dir / "store"
    found["database"] = sum(file.stat().st_size for file in store.iterdir() if file.is_file())
    with sqlite3.connect(f"file:{store / 'enid.db'}?mode=ro", uri=True) as database:
        (found["journal"],) = database.execute("SELECT count(*) FROM journal").fetchone()
    database.close()
    for pin in (settings.run_dir / "netns").iterdir():
        namespace = namespaces.open_pinned(pin)
        if namespace is not None:
            found["conntrack"] += namespaces.run_in(namespace, _flows)
            os.close(namespace)
    return dict(found)


def pids(settings: Settings) -> dict[str, int]:
    """Of enid's own processes, by role."""
    return {path.stem: int(path.read_text()) for path in settings.run_dir.glob("*.pid")}


def _descendants(pid: int) -> Iterator[int]:
    yield pid
    try:
        tasks = [(task / "children").read_text().split() for task in Path(f"/proc/{pid}/task").iterdir()]
    except OSError:  # it has just ended
        return
    for child in map(int, chain.from_iterable(tasks)):
        yield from _descendants(child)


def _network_of(pid: int) -> int:
    """The inode of its network namespace; 0 when it has just ended."""
    try:
        return os.stat(f"/proc/{pid}/ns/net").st_ino
    except OSError:
        return 0


def _descriptors(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


def _memory(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE


def _flows() -> int:
    return int(Path("/proc/sys/net/netfilter/nf_conntrack_count").read_text())


def _kernel(namespace: int) -> Counter[str]:
    """Links, routes, rules, neighbours and what nf_tables holds."""
    found: Counter[str] = Counter()
    with RouteSocket(namespace) as route:
        found["links"] = len(list(route.dump(links.get_links())))
        for version in (4, 6):
            found["routes"] += len(list(route.dump(routes.get_routes(version))))
            found["ip rules"] += len(list(route.dump(rules.get_rules(version))))
            near = map(neighbours.parse_neighbour, route.dump(neighbours.get_neighbours(version)))
            found["neighbours"] += sum(1 for permanent in near if permanent)
    with NetfilterSocket(namespace) as tables:
        for what, kind in _NFT.items():
            found[NFT + what] = len(list(tables.dump(_list(kind))))
        for body in list(tables.dump(_list(_GETSET))):  # one dump after the other
            with suppress(FileNotFoundError):  # its table is an old one, and has just gone
                found[f"{NFT}elements"] += _elements(tables, dict(attributes(body[4:])))
    return found


def _elements(tables: NetfilterSocket, declared: Mapping[int, bytes]) -> int:
    which = (text(_TABLE, to_text(declared[_TABLE])), text(_NAME, to_text(declared[_NAME])))
    answers = [dict(attributes(body[4:])) for body in tables.dump(_list(_GETSETELEM, _INET, *which))]
    return sum(1 for answer in answers for _ in attributes(answer.get(_ELEMENTS, b"")))


def _list(kind: int, family: bytes = bytes(4), *which: bytes) -> bytes:
    """A request for everything of a kind, whatever table it is in, unless it is said which."""
    return message(nftables.SUBSYSTEM << 8 | kind, DUMP, family, *which)
