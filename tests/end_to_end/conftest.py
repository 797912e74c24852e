"""A whole enid for each test, gone after it, whatever happens."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from whole_enid import Enid

from enid import supervisor
from enid.settings import Settings


@pytest.fixture
def enid() -> Iterator[Enid]:
    # Not tmp_path: pytest's directories are for root's eyes only, and the API runs as another user.
    directory = Path(tempfile.mkdtemp(prefix="enid-test-"))
    directory.chmod(0o755)
    try:
        yield Enid(directory)
    finally:
        supervisor.down(Settings(state_dir=directory / "state", run_dir=directory / "run"))
        shutil.rmtree(directory)
