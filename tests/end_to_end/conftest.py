"""A whole enid for each test, gone after it, whatever happens."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from whole_enid import Enid, running_enid


@pytest.fixture
def enid() -> Iterator[Enid]:
    with running_enid() as enid:
        yield enid
