"""Fixtures of tests that send real packets."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fabric_lab import Lab


@pytest.fixture(params=["auto", "off"], ids=["accelerated", "plain"])
def lab(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Lab]:
    """An empty fabric; whatever a test makes in it is gone afterwards. With the accelerator, where the kernel has it,
    and without: what packets do is the same."""
    made = Lab(tmp_path, accelerator=request.param)
    yield made
    made.close()
