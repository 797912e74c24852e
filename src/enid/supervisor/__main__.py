"""The entry of enid's own processes: ``python -m enid.supervisor supervise|agent|flow-logs|api|services|teardown``."""

from __future__ import annotations

import contextlib
import os
import pkgutil
import sys
from collections.abc import Callable
from importlib import import_module

from enid import logs
from enid.settings import Settings
from enid.supervisor.control import SETTINGS


def main() -> int:
    """Run the role named on the command line."""
    settings = Settings.model_validate_json(os.environ.pop(SETTINGS))
    logs.configure()
    role, *arguments = sys.argv[1:]
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
    elif role == "api":
        from enid.supervisor.privileges import api_uid, give_up
        from enid.wire.server import main as serve

        def before_serving() -> None:
            _load_the_rest("enid.wire", "enid.ec2", "enid.store")
            give_up(api_uid(settings))

        serve(settings, before_serving=before_serving)
    elif role == "services":
        from enid.services.process import serve as serve_instances
        from enid.supervisor.privileges import api_uid, give_up

        def become_nobody() -> None:
            _load_the_rest("enid.store", "dns", "dns.rdtypes.ANY", "dns.rdtypes.IN")
            give_up(api_uid(settings))

        serve_instances(settings, before_serving=become_nobody)
    elif role == "teardown":
        from enid.supervisor.supervise import teardown

        teardown(settings)
    return 0


def _load_the_rest(*packages: str) -> None:
    """What is otherwise loaded at first use: the API's user may have no way to this program's files."""
    import_module("_strptime")
    import_module("encodings.idna")
    for package in (*packages, "sqlalchemy.dialects.sqlite", "asyncio"):
        for module in pkgutil.iter_modules(import_module(package).__path__):
            with contextlib.suppress(ImportError):  # some are for other systems, some for libraries that are not there
                import_module(f"{package}.{module.name}")
    import_module("enid.ec2.instance_types").table()


def _announcer(arguments: list[str]) -> Callable[[], None]:
    def announce() -> None:
        if arguments:
            os.write(int(arguments[0]), b"!")
            os.close(int(arguments[0]))

    return announce


sys.exit(main())
