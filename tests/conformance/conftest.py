"""An API over HTTP for each module of tests, and an account of its own for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from api_server import Api, serve


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[object, ...]]:
    with serve(tmp_path_factory.mktemp("api")) as found:
        yield found


@pytest.fixture
def api(served: tuple[object, ...]) -> Iterator[Api]:
    api = Api(*served)  # type: ignore[arg-type]
    yield api
    api.ec2.close()
