"""``scripts/setup`` and the lock files it installs from."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
REQUIREMENTS = ROOT / "requirements"


def locked(name: str) -> dict[str, str]:
    """Package → version."""
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", (REQUIREMENTS / f"{name}.lock").read_text(), re.MULTILINE))


def wanted(name: str) -> set[str]:
    """The packages an ``.in`` file asks for, with those of the files it includes."""
    found: set[str] = set()
    for line in (REQUIREMENTS / f"{name}.in").read_text().split("\n"):
        if line.startswith("-r "):
            found |= wanted(line.removeprefix("-r ").removesuffix(".in"))
        elif line:
            found.add(re.split(r"[\[=<> ]", line)[0].replace("_", "-"))
    return found


@pytest.mark.parametrize("name", ["run", "demo", "dev"])
def test_what_is_wanted_is_locked_with_hashes(name: str) -> None:
    versions = locked(name)
    assert wanted(name) <= set(versions)
    entries = re.split(r"^(?=[a-z0-9-]+==)", (REQUIREMENTS / f"{name}.lock").read_text(), flags=re.MULTILINE)[1:]
    assert len(entries) == len(versions)
    assert [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry] == []


def test_what_enid_imports_at_run_time_is_locked_for_running() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    dependencies = re.search(r"^dependencies = \[(.*?)\]", text, re.MULTILINE | re.DOTALL)
    assert dependencies
    assert set(re.findall(r'"([a-z0-9-]+)', dependencies[1])) <= set(locked("run"))


@pytest.mark.parametrize("smaller", ["run", "demo"])
def test_an_environment_for_development_serves_the_others(smaller: str) -> None:
    """Same versions: what was tested is what runs."""
    assert locked(smaller).items() <= locked("dev").items()


def test_the_build_backend_is_the_one_that_is_locked() -> None:
    assert f'"hatchling=={locked("dev")["hatchling"]}"' in (ROOT / "pyproject.toml").read_text()


def test_it_knows_what_it_can_set_up() -> None:
    done = subprocess.run([ROOT / "scripts/setup", "nonsense"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, "usage: scripts/setup [demo|dev|bench]\n")


def test_make_alone_lists_its_verbs() -> None:
    done = subprocess.run(["make", "--no-print-directory"], cwd=ROOT, capture_output=True, text=True, check=True)
    listed = [line.split()[0] for line in done.stdout.splitlines()]
    assert {"demo", "test", "lint", "types", "bench", "setup", "clean"} <= set(listed)
