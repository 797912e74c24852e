"""What each of enid's own processes does, and what it loads before."""

from __future__ import annotations

import contextlib
import os
import pkgutil
import re
from collections.abc import Callable, Iterable
from functools import cache
from importlib import import_module

from enid.settings import Settings


def run(role: str, settings: Settings, *arguments: str) -> int:
    """Be ``supervise``, ``agent``, ``api``, ``services``, ``flow-logs``, ``vpn`` or ``teardown``, to its end."""
    if role == "supervise":
        from enid.supervisor.supervise import Supervisor

        if "detached" in arguments and os.fork():
            return 0  # the caller waits for this one; the supervisor proper is nobody's child
        return Supervisor(settings).run(int(arguments[0]))
    if role == "agent":
        from enid.reconcile.agent import Agent
        from enid.supervisor.privileges import api_uid

        Agent(settings, api_uid(settings)).run(_announcer(arguments))
    elif role == "flow-logs":
        from enid.flowlogs.watcher import Watcher
        from enid.supervisor.privileges import FLOW_LOGS, give_up

        give_up(os.geteuid(), FLOW_LOGS)
        Watcher(settings).run()
    elif role == "vpn":
        from enid.supervisor.privileges import VPN, give_up, vpn_uid
        from enid.vpn.keeper import Keeper

        give_up(os.geteuid(), VPN)
        Keeper(settings, vpn_uid(settings)).run()
    elif role == "api":
        from enid.supervisor.privileges import api_uid, give_up
        from enid.wire.server import main as serve

        def before_serving() -> None:
            _load(_API)
            give_up(api_uid(settings))

        serve(settings, before_serving=before_serving)
    elif role == "services":
        from enid.services.process import serve as serve_instances
        from enid.supervisor.privileges import api_uid, give_up

        def become_nobody() -> None:
            _load(_SERVICES)
            give_up(api_uid(settings))

        serve_instances(settings, before_serving=become_nobody)
    elif role == "teardown":
        from enid.supervisor.supervise import teardown

        teardown(settings)
    return 0


_DATABASE = ("enid.store", "sqlalchemy.dialects.sqlite", "asyncio")
_API = ("enid.wire", "enid.ec2", *_DATABASE)
_UNUSED = re.compile(r"provision|_?async.*|_trio.*")
"""Modules of these packages that are for SQLAlchemy's own tests, or for programs that are written otherwise."""
_SERVICES = ("dns", "dns.rdtypes.ANY", "dns.rdtypes.IN", *_DATABASE)


def load_agent(settings: Settings) -> None:
    """What the agent needs: for whoever is going to fork it."""
    import_module("enid.reconcile.agent")
    if settings.accelerator == "auto":
        from enid.fabric.linux import accelerator

        accelerator.prepare()


def load_the_rest(settings: Settings) -> None:
    """What the others need besides."""
    for module in ("enid.wire.server", "enid.services.process", "enid.flowlogs.watcher"):
        import_module(module)
    if settings.vpn == "ipsec":
        import_module("enid.vpn.keeper")
    _load(_API + _SERVICES)


def _load(packages: Iterable[str]) -> None:
    """What is otherwise loaded at first use: the API's user may have no way to this program's files."""
    import_module("_strptime")
    import_module("encodings.idna")
    for package in packages:
        _load_package(package)
    import_module("enid.ec2.instance_types").table()


@cache
def _load_package(package: str) -> None:
    """Once: what cannot be loaded would be tried again each time."""
    for module in pkgutil.iter_modules(import_module(package).__path__):
        if _UNUSED.fullmatch(module.name):
            continue
        with contextlib.suppress(ImportError):  # some are for other systems, some for libraries that are not there
            import_module(f"{package}.{module.name}")


def _announcer(arguments: tuple[str, ...]) -> Callable[[], None]:
    def announce() -> None:
        if arguments:
            os.write(int(arguments[0]), b"!")
            os.close(int(arguments[0]))

    return announce
