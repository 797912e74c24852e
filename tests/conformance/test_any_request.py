"""Whatever a client may ask of any operation: never an internal error, and a refused call changes nothing.

A look at each operation by default, the same each time. ``ENID_FUZZ_EXAMPLES=2000`` looks longer, and elsewhere.
"""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from api_server import Api
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.serialize import create_serializer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from populated import populate
from requests_from_model import Requests

import enid.ec2.catalogue  # noqa: F401  (registers every operation)
from accounts import model
from enid.ec2.registry import OPERATIONS
from enid.wire.dispatch import Dispatcher
from enid.wire.request import Request

EXAMPLES = int(os.environ.get("ENID_FUZZ_EXAMPLES", "0"))
ID = re.compile(r"'([a-z]+(?:-[a-z]+)*-[0-9a-f]{17})'")


class Place:
    """A store with something of everything in it, that is as it was before each call."""

    def __init__(self, api: Api, backup: Path) -> None:
        self.api = api
        populate(api)
        self._backup = backup
        self._path = api.settings.url.removeprefix("sqlite:///")
        self._watch = sqlite3.connect(self._path)
        with sqlite3.connect(backup) as copy:
            self._watch.backup(copy)
        copy.close()
        self.dump = api.dump()
        self.requests = Requests(
            sorted({id_ for rows in self.dump.values() for row in rows for id_ in ID.findall(row)})
        )
        self.dispatcher = Dispatcher(api.settings, api.database, OPERATIONS, strict=True)
        self._credentials = Credentials(api.key_id, api.secret)
        self._version = self._data_version()

    def _data_version(self) -> int:
        return int(self._watch.execute("PRAGMA data_version").fetchone()[0])

    def has_changed(self) -> bool:
        """Whether anybody committed anything since the last rewind."""
        return self._data_version() != self._version

    def rewind(self) -> None:
        with sqlite3.connect(self._backup) as pristine:
            pristine.backup(self._watch)
        pristine.close()
        self._version = self._data_version()

    def close(self) -> None:
        self._watch.close()

    def call(self, action: str, params: dict[str, Any]) -> tuple[int, bytes]:
        """Status and body of the answer to a request as botocore writes and signs it."""
        operation = OPERATIONS[action]
        service = model(operation.service)
        protocol = service.metadata["protocol"]
        written = create_serializer(protocol, False).serialize_to_request(params, service.operation_model(action))
        aws = AWSRequest("POST", "http://127.0.0.1/", data=written["body"], headers=written["headers"])
        SigV4Auth(self._credentials, operation.service, "us-east-1").add_auth(aws)
        prepared = aws.prepare()
        body = prepared.body if isinstance(prepared.body, bytes) else (prepared.body or "").encode()
        headers = [(name.lower().encode(), _bytes(value)) for name, value in prepared.headers.items()]
        answer = self.dispatcher.answer(Request("POST", b"", [(b"host", b"127.0.0.1"), *headers], body))
        return answer.status, answer.body


def _bytes(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else value.encode()


@pytest.fixture(scope="module")
def place(served: tuple[object, ...], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    directory = tmp_path_factory.mktemp("pristine")
    place = Place(Api(*served), directory / "enid.db")  # type: ignore[arg-type]
    yield place
    place.close()
    shutil.rmtree(directory)


@pytest.mark.parametrize("action", sorted(OPERATIONS))
def test_any_request(place: Place, action: str) -> None:
    operation = model(OPERATIONS[action].service).operation_model(action)

    @settings(
        max_examples=EXAMPLES or 15,
        derandomize=not EXAMPLES,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data())
    def check(data: st.DataObject) -> None:
        params = data.draw(place.requests.of(operation), label=action)
        place.rewind() if place.has_changed() else None
        status, body = place.call(action, params)
        ElementTree.fromstring(body)
        assert status < 500, body.decode()
        assert status not in (401, 403), body.decode()
        if status != 200 and place.has_changed():
            assert place.api.dump() == place.dump, f"{action} was refused but changed the store"

    check()
