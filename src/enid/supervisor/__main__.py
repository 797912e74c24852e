"""The entry of enid's own processes: ``python -m enid.supervisor ROLE``, the roles being those of :mod:`roles`."""

from __future__ import annotations

import gc
import os
import sys

from enid import logs
from enid.settings import Settings
from enid.supervisor import roles
from enid.supervisor.control import SETTINGS


def main() -> int:
    """Run the role named on the command line."""
    gc.disable()  # what is loaded now stays, so looking through it is in vain; those who have loaded all enable it
    settings = Settings.model_validate_json(os.environ.pop(SETTINGS))
    logs.configure()
    return roles.run(sys.argv[1], settings, *sys.argv[2:])


sys.exit(main())
