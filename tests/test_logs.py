"""What may not be in a log is not in it."""

from __future__ import annotations

import subprocess
import sys

from enid.wire.keys import AccessKey

FAILING = """
import structlog
from enid import logs
from enid.wire.keys import AccessKey
logs.configure()
def call(secret, key):
    raise RuntimeError("it failed")
try:
    call("wJalrXUtnFEMI", AccessKey("AKIA", "wJalrXUtnFEMI", "1"))
except RuntimeError:
    structlog.get_logger().exception("internal_error", request="r-1")
"""


def test_a_traceback_tells_where_and_no_values() -> None:
    written = subprocess.run([sys.executable, "-c", FAILING], capture_output=True, text=True, check=True).stderr
    assert "it failed" in written
    assert "in call" in written
    assert written.count("\n") == 1
    assert "wJalrXUtnFEMI" not in written


def test_a_key_does_not_show_its_secret() -> None:
    assert "wJalrXUtnFEMI" not in repr(AccessKey("AKIA", "wJalrXUtnFEMI", "1"))


def test_a_full_disk_fails_nobody() -> None:
    told = "import structlog; from enid import logs; logs.configure(); structlog.get_logger().info('x'); print('on')"
    with open("/dev/full", "w") as full:
        done = subprocess.run([sys.executable, "-c", told], stdout=subprocess.PIPE, stderr=full, text=True, check=True)
    assert done.stdout == "on\n"
