"""No version that enid is pinned to has a vulnerability that is known. PyPI knows; without PyPI nobody can tell."""

from __future__ import annotations

import json
import re
import ssl
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

PYPI = "https://pypi.org/pypi"
LOCK = Path(__file__).parents[1] / "requirements/run.lock"
"""What enid needs to run."""
_PIN = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?==([^\s;\\]+)", re.MULTILINE)
_SECONDS = 10
ACCEPTED: dict[str, str] = {}
"""Vulnerabilities that do not concern enid, by id: why not."""


def pins(lock: str) -> list[tuple[str, str]]:
    """Name and version of everything in a lock file."""
    return _PIN.findall(lock)


def vulnerabilities(name: str, version: str) -> list[str]:
    """What PyPI knows of a version: ids, each with a summary.

    :raises OSError: it cannot be asked, or does not know the version.
    """
    url = f"{PYPI}/{name}/{version}/json"
    try:
        with urllib.request.urlopen(url, timeout=_SECONDS, context=ssl.create_default_context()) as answer:
            return known(name, version, json.load(answer))
    except urllib.error.HTTPError as error:
        error.close()
        raise OSError(f"HTTP status {error.code}") from None


def known(name: str, version: str, answer: dict) -> list[str]:  # type: ignore[type-arg]
    """Those of an answer that count: not withdrawn, and not accepted."""
    return [
        f"{name} {version}: {each['id']}, fixed in {each['fixed_in']}: {each.get('summary') or each['details'][:200]}"
        for each in answer.get("vulnerabilities", [])
        if not each.get("withdrawn") and not {each["id"], *each.get("aliases", [])} & ACCEPTED.keys()
    ]


def test_every_requirement_is_pinned_with_its_hash() -> None:
    for lock in LOCK.parent.glob("*.lock"):
        text = lock.read_text()
        requirements = re.findall(r"^[A-Za-z0-9].*", text, re.MULTILINE)
        assert len(requirements) == len(pins(text)) > 10, lock
        assert all(re.search(r"--hash=sha256:[0-9a-f]{64}", part) for part in re.split(r"\n(?=\w)", text)[1:]), lock


def test_no_pinned_version_has_a_known_vulnerability() -> None:
    first, *rest = pins(LOCK.read_text())
    try:
        found = vulnerabilities(*first)
    except (OSError, ValueError) as error:
        pytest.skip(f"nothing was audited, for PyPI does not tell about {' '.join(first)}: {error}")
    with ThreadPoolExecutor(8) as threads:
        for more in threads.map(lambda pin: vulnerabilities(*pin), rest):
            found += more
    assert found == []


def test_a_vulnerability_would_be_seen() -> None:
    """As PyPI words it."""
    one = {"id": "PYSEC-2021-1", "aliases": ["CVE-2021-1"], "details": "Bad.", "fixed_in": ["2.0"], "withdrawn": None}
    gone = {**one, "id": "PYSEC-2021-2", "withdrawn": "2022-01-01T00:00:00Z"}
    assert known("x", "1.0", {"vulnerabilities": [one, gone]}) == ["x 1.0: PYSEC-2021-1, fixed in ['2.0']: Bad."]
    assert known("x", "2.0", {"vulnerabilities": []}) == []
