"""``make demo`` end to end: it proves what it says, it fails when it must, and it leaves nothing behind."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from enid.cli import demo
from enid.scenarios import lab
from enid.scenarios.report import Report
from enid.settings import Settings

COMMAND = [sys.executable, "-m", "enid", "demo"]


@pytest.fixture
def place() -> Iterator[Path]:
    """Where the demo puts its directory. Not below pytest's own, which only root may enter."""
    with tempfile.TemporaryDirectory(prefix="enid-test-") as directory:
        os.chmod(directory, 0o711)
        yield Path(directory)


def environment(place: Path) -> dict[str, str]:
    return {**os.environ, "TMPDIR": str(place), "HOME": str(place), "COLUMNS": "160"}


def left_behind(place: Path) -> list[str]:
    """Directories of a lab, processes that know it, and mounts in it."""
    directories = [str(path) for path in place.glob("enid-lab-*")]
    processes = [
        f"{path.parent.name}: {_read(path)}"
        for path in Path("/proc").glob("[0-9]*/cmdline")
        if str(place / "enid-lab-") in _read(path) + _read(path.with_name("environ"))
    ]
    mounts = [line for line in Path("/proc/self/mounts").read_text().splitlines() if f"{place}/enid-lab-" in line]
    return directories + processes + mounts


def assert_nothing_left(place: Path) -> None:
    """A witness that was just starting ends as soon as it finds its input closed."""
    deadline = time.monotonic() + 5
    while left_behind(place) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert left_behind(place) == []


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode(errors="replace")
    except OSError:
        return ""


def assert_all_passed(done: subprocess.CompletedProcess[str]) -> None:
    assert done.returncode == 0, done.stdout + done.stderr
    count = re.search(r"All (\d+) checks passed", done.stdout)
    assert count, done.stdout
    assert int(count[1]) >= 40, done.stdout


@pytest.mark.root
@pytest.mark.timeout(180)
def test_the_demo_proves_itself_and_leaves_nothing_behind(place: Path) -> None:
    picture = place / "picture.svg"
    done = subprocess.run(
        [*COMMAND, "--picture", str(picture)],
        env=environment(place), cwd=place, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert_all_passed(done)
    assert "<svg" in picture.read_text()
    assert_nothing_left(place)


@pytest.mark.root
@pytest.mark.timeout(120)
@pytest.mark.parametrize("moment", ["boto3", "Elastic IPs", "also in"], ids=["coming up", "at work", "going down"])
def test_an_interrupted_demo_leaves_nothing_behind(place: Path, moment: str) -> None:
    """As a terminal does it: every process of the demo's group gets the signal."""
    with subprocess.Popen(
        COMMAND,
        env=environment(place),
        cwd=place,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's background job ignores it
    ) as process:
        assert process.stdout is not None
        seen = ""
        while moment not in seen:
            line = process.stdout.readline()
            assert line, seen
            seen += line
        os.killpg(process.pid, signal.SIGINT)
        rest, _ = process.communicate(timeout=60)
        assert process.returncode == 130, seen + rest
    assert_nothing_left(place)


class StubLab:
    """A lab without anything in it."""

    settings = Settings()
    keep = False

    def __init__(self, settings: Settings, report: Report, keep: bool) -> None:
        self.report = report

    def __enter__(self) -> StubLab:
        return self

    def __exit__(self, *_: object) -> None:
        return None


@pytest.fixture(params=[True, False], ids=["kept", "broken"])
def kept(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[bool]:
    """A demo of one promise, and whether it holds."""
    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(lab, "Lab", StubLab)
    monkeypatch.setattr(
        "enid.scenarios.dual_homed.run", lambda lab: lab.report.check("it works", request.param, "seen")
    )
    monkeypatch.setattr(demo, "_draw", lambda *_: None)
    yield request.param
    signal.signal(signal.SIGTERM, before)


def test_its_exit_code_is_its_verdict(kept: bool) -> None:
    assert demo.run(Settings(), keep=False, picture=None) == (0 if kept else 1)


def test_for_a_script_every_check_is_on_stdout_and_nothing_else(kept: bool, capsys: pytest.CaptureFixture[str]) -> None:
    demo.run(Settings(), keep=False, picture=None, json=True)
    out, err = capsys.readouterr()
    assert json.loads(out) == {"ok": kept, "checks": [{"promise": "it works", "kept": kept, "seen": "seen"}]}
    assert "it works" in err


# --- without root -----------------------------------------------------------------------------------------------------

USER_ID = 62_773
USER = "enid-test"
AS_USER = f"""
set -e
place=$1 interpreter=$2
shift 2
become="setpriv --reuid {USER_ID} --regid {USER_ID} --clear-groups --inh-caps=-all"
mount --make-rprivate /
for file in passwd group subuid subgid; do cp /etc/$file $place/$file; done
echo {USER}:x:{USER_ID}:{USER_ID}::$place/home:/bin/sh >> $place/passwd
echo {USER}:x:{USER_ID}: >> $place/group
echo {USER}:2000000:65536 | tee -a $place/subuid >> $place/subgid
for file in passwd group subuid subgid; do mount --bind $place/$file /etc/$file; done
mkdir $place/home
chown {USER_ID}:{USER_ID} $place/home
if ! $become test -x "$interpreter"; then
    # The interpreter lies in root's home: show the way to it, and nothing else of it.
    directory=$(echo "$interpreter" | cut -d/ -f3)
    mkdir -p "$place/root/$directory"
    mount --bind "/root/$directory" "$place/root/$directory"
    mount --rbind $place/root /root
fi
cd $place/home
exec $become env HOME=$PWD USER={USER} LOGNAME={USER} TMPDIR=$PWD "$@"
"""
"""Become a throw-away user in a mount namespace of one's own: nothing of it is ever in the real /etc."""


@pytest.mark.timeout(240)
def test_the_demo_needs_no_root(place: Path) -> None:
    command = COMMAND
    if os.geteuid() == 0:
        interpreter = os.path.realpath(sys.executable)
        command = ["unshare", "-m", "sh", "-c", AS_USER, "sh", str(place), interpreter, *COMMAND]
    done = subprocess.run(command, env=environment(place), cwd=place, capture_output=True, text=True, check=False)
    assert_all_passed(done)
    assert "without root" in done.stdout
    assert_nothing_left(place)
