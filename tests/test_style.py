"""Style and types: what ``make lint`` and ``make types`` look at, beside other tests instead of before them all."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("verb", ["lint", "types"])
@pytest.mark.timeout(600)
def test_style(verb: str) -> None:
    done = subprocess.run(["make", "--silent", verb], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
