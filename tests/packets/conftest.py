"""Fixtures of tests that send real packets."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fabric_lab import Lab


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """An empty fabric; whatever a test makes in it is gone afterwards."""
    made = Lab(tmp_path)
    yield made
    made.close()
