"""A scenario's clients are enid's alone, whatever the user has set up for AWS."""

from __future__ import annotations

from pathlib import Path

import pytest

from enid.scenarios.cloud import Cloud

VARIABLES = {
    "AWS_ENDPOINT_URL_EC2": "http://127.0.0.1:1",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "ours",
    "AWS_SECRET_ACCESS_KEY": "secret",
}


def test_the_users_profile_and_token_are_not_looked_at(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text("[profile work]\nregion = eu-west-1\nec2 =\n  endpoint_url = http://192.0.2.1\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("AWS_SESSION_TOKEN", "theirs")
    for profile in ("work", "not-there"):
        monkeypatch.setenv("AWS_PROFILE", profile)
        client = Cloud(VARIABLES).ec2
        assert (client.meta.endpoint_url, client.meta.region_name) == ("http://127.0.0.1:1", "us-east-1")
        credentials = client._request_signer._credentials
        assert (credentials.access_key, credentials.token) == ("ours", None)
