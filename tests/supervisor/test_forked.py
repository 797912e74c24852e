"""What is asked of a process that was only just forked."""

from __future__ import annotations

import subprocess
import sys

import pytest

FORK = """
import os, signal, time
from enid.supervisor.forked import Forked

signal.signal(signal.{name}, lambda number, frame: None)  # the supervisor has one, and goes on
really_fork = os.fork

def fork():
    child = really_fork()
    if not child:
        os.kill(os.getpid(), signal.{name})  # as if somebody had been that quick
    return child

os.fork = fork
child = Forked("a child", lambda: time.sleep(60))
try:
    print(child.wait(20))
finally:
    child.send(signal.SIGKILL)
assert not signal.pthread_sigmask(signal.SIG_BLOCK, ())
"""
"""In a process of its own: what forks has a single thread."""


@pytest.mark.parametrize(("name", "code"), [("SIGTERM", "-15"), ("SIGINT", "1")])
def test_a_signal_in_its_first_moment_ends_it(name: str, code: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FORK.format(name=name)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout.strip() == code, done.stderr
    assert done.returncode == 0, done.stderr
