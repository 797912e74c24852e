"""A whole enid for each test, or for a module's, gone after it, whatever happens."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from enid.settings import Quotas
from whole_enid import Enid, running_enid


@pytest.fixture
def enid() -> Iterator[Enid]:
    with running_enid() as enid:
        yield enid


@pytest.fixture(scope="module")
def shared_enid() -> Iterator[Enid]:
    """For tests that do not mind each other's VPCs."""
    with running_enid(quotas=Quotas(vpcs=100)) as enid:
        yield enid
