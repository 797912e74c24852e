"""Coming up, or saying why not."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from enid import supervisor
from enid.settings import Settings
from whole_enid import running_enid


def test_a_port_where_another_answers_is_not_taken_for_ones_own(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        settings = Settings(state_dir=tmp_path / "state", run_dir=tmp_path / "run", port=port, host_route=False)
        with pytest.raises(supervisor.UpError) as refused:
            supervisor.up(settings, detach=True)
    assert f"127.0.0.1:{port}: Address already in use; try enid up --port {port + 1}" in str(refused.value)
    assert not (tmp_path / "run").exists(), "nothing has been begun"


@pytest.mark.root
@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("foo", "Could not parse SQLAlchemy URL"),
        ("sqlite:////tmp/no-such/enid.db", "ENID_DATABASE_URL is for PostgreSQL"),
    ],
)
def test_a_store_that_cannot_be_is_named(url: str, why: str) -> None:
    with pytest.raises(supervisor.UpError, match=why), running_enid(database_url=url):
        pass
    assert not Path("/tmp/no-such").exists()
