"""What of the host's /etc an instance sees."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from enid.guest.etc import allowed, generated, unmodified_conffiles

PASSWD = """\
root:x:0:0:The Boss,Room 1:/root:/bin/zsh
www-data:x:33:33:www:/var/www:/bin/sh
alice:x:1000:1000:Alice:/home/alice:/bin/bash
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
+nis-user::::::
"""
GROUP = "root:x:0:\nadm:x:4:alice\nsudo:x:27:alice,bob\nalice:x:1000:\nnogroup:x:65534:\n"


def test_people_of_the_host_are_not_people_of_the_instance() -> None:
    files = generated(PASSWD, GROUP)
    assert not [name for name, (content, _) in files.items() if "alice" in content or "bob" in content]
    assert "Boss" not in files["passwd"][0]
    names = [line.split(":")[0] for line in files["passwd"][0].splitlines()]
    assert names == ["root", "www-data", "nobody", "ec2-user"]


def test_nobody_has_a_password_and_shadow_is_roots() -> None:
    content, mode = generated(PASSWD, GROUP)["shadow"]
    assert all(line.split(":")[1] == "*" for line in content.splitlines())
    assert mode == 0o600


@pytest.mark.parametrize(
    "path",
    [
        "shadow",
        "gshadow-",
        "ssh/ssh_host_ed25519_key",
        "ssl/private/server.pem",
        "nginx/site.key",
        "sudoers.d/admin",
        "enid/enid.toml",
        "machine-id",
        "security/opasswd",
        "passwd",
    ],
)
def test_secrets_are_never_copied(path: str) -> None:
    assert not allowed(path)


@pytest.mark.parametrize("path", ["ssl/certs/ca-certificates.crt", "pam.d/su", "ld.so.cache", "nginx/nginx.conf"])
def test_ordinary_configuration_is(path: str) -> None:
    assert allowed(path)


def test_a_packaged_file_counts_only_as_it_was_shipped(tmp_path: Path) -> None:
    (tmp_path / "shipped.conf").write_text("default\n")
    (tmp_path / "changed.conf").write_text("password=hunter2\n")
    (tmp_path / "link.conf").symlink_to("shipped.conf")
    digest = hashlib.md5(b"default\n", usedforsecurity=False).hexdigest()
    names = ("shipped.conf", "changed.conf", "link.conf", "missing.conf")
    status = "Conffiles:\n" + "".join(f" /etc/{name} {digest}\n" for name in names)
    assert list(unmodified_conffiles(status, tmp_path)) == ["shipped.conf"]
