"""``python -m enid``: the command line where no ``enid`` is on the path."""

from enid.cli import main

main()
