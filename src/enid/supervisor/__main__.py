"""The entry of enid's own processes: ``python -m enid.supervisor supervise|agent|api|teardown``."""

from __future__ import annotations

import os
import sys

from enid.settings import Settings
from enid.supervisor.control import SETTINGS


def main() -> int:
    """Run the role named on the command line."""
    settings = Settings.model_validate_json(os.environ.pop(SETTINGS))
    role, *arguments = sys.argv[1:]
    if role == "supervise":
        from enid.supervisor.supervise import Supervisor

        return Supervisor(settings).run(int(arguments[0]))
    if role == "agent":
        from enid.reconcile.agent import Agent

        Agent(settings).run(_announcer(arguments))
    elif role == "api":
        from enid.supervisor.privileges import api_uid, give_up
        from enid.wire.server import main as serve

        serve(settings, before_serving=lambda: give_up(api_uid(settings)))
    elif role == "teardown":
        from enid.supervisor.supervise import teardown

        teardown(settings)
    return 0


def _announcer(arguments: list[str]):  # type: ignore[no-untyped-def]
    def announce() -> None:
        if arguments:
            os.write(int(arguments[0]), b"!")
            os.close(int(arguments[0]))

    return announce


sys.exit(main())
