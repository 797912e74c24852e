"""The command line. Everything heavy is imported by the command that needs it, so that ``enid --help`` is instant."""

from __future__ import annotations


def main() -> None:
    """The entry point ``enid``."""
    import sys

    from enid.cli.app import run

    sys.exit(run(sys.argv[1:]))
