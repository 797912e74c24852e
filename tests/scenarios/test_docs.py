"""What the documentation tells people to type exists, and the first session of the README runs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from botocore import xform_name
from prometheus_client.parser import text_string_to_metric_families

import enid.ec2.catalogue  # noqa: F401  registers the operations
from enid.cli.app import app
from enid.ec2.registry import OPERATIONS
from enid.fabric.linux.ruleset import DROPS
from enid.reconcile import metrics as agent_metrics
from enid.scenarios.lab import free_port
from enid.settings import Settings
from enid.store.database import Database
from enid.wire import metrics as wire_metrics

ROOT = Path(__file__).parents[2]
SCENARIOS = ROOT / "docs/scenarios"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`([^`\n]+)`")


def code(page: Path) -> Iterator[str]:
    """Every line of code on a page, in blocks or in running text."""
    text = page.read_text()
    for _, block in FENCE.findall(text):
        yield from block.splitlines()
    yield from SPAN.findall(FENCE.sub("", text))


def commands(program: str) -> list[list[str]]:
    """Every ``program …`` in the documentation, as its words up to a quote or a comment."""
    found = []
    for page in PAGES:
        for line in code(page):
            for match in re.finditer(rf"(?:^|[\s\"(=]){program}\s+([^\"#)|;]*)", line):
                found.append(match[1].split())
    return found


def resolve(words: list[str]) -> tuple[Any, list[str]]:
    """The typer command that ``enid <words>`` runs, and what is left for it."""
    command: Any = typer.main.get_command(app)
    while words and hasattr(command, "commands"):
        word, *words = words
        assert word in command.commands, f"`enid {word}` is documented and does not exist"
        command = command.commands[word]
    return command, words


def test_every_documented_command_exists() -> None:
    documented = [words for words in commands("enid") if words and re.fullmatch(r"[a-z]+,?", words[0])]
    assert len(documented) > 10
    for words in documented:
        command, arguments = resolve([words[0].rstrip(","), *words[1:]])
        known = {option for parameter in command.params for option in parameter.opts}
        given = [word for word in arguments[: arguments.index("--") if "--" in arguments else None] if word[:2] == "--"]
        assert set(given) <= known, f"enid {' '.join(words)}"


def test_every_command_is_in_the_readme() -> None:
    root: Any = typer.main.get_command(app)
    text = (ROOT / "README.md").read_text()
    assert [name for name in root.commands if f"`enid {name}" not in text and name != "version"] == []


def test_every_verb_of_make_is_documented_and_every_documented_one_exists() -> None:
    verbs = set(re.findall(r"^([a-z]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE)) - {"help"}
    documented = {words[0] for words in commands("make") if words}
    assert documented <= verbs
    readme = (ROOT / "README.md").read_text()
    assert [verb for verb in sorted(verbs) if f"`{verb}`" not in readme] == []


def test_every_documented_call_is_there() -> None:
    names = {xform_name(name).replace("_", "-") for name in OPERATIONS}
    called = {words[0] for words in commands("aws ec2") if words and re.fullmatch(r"[a-z-]+", words[0])}
    assert len(called) > 5
    assert called - {"wait"} <= names


def test_the_coverage_is_that_of_the_operations() -> None:
    assert subprocess.run([sys.executable, ROOT / "scripts/coverage", "--check"], check=False).returncode == 0


def test_every_documented_setting_exists() -> None:
    for page in PAGES:
        for name in re.findall(r"\bENID_([A-Z_]+)", page.read_text()):
            field = name.split("__")[0].rstrip("_").lower()
            assert field in Settings.model_fields, f"{page.name}: ENID_{name}"


def test_the_documented_metrics_are_those_of_the_code(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/enid.db")
    api = wire_metrics.Metrics(Settings(run_dir=tmp_path), database)
    agent = agent_metrics.Metrics()
    report = agent_metrics.Report(agent, tmp_path / "agent.prom", lambda: agent_metrics.Holdings(0, 0, 0), dict)
    report.write_if_due()
    there = {(family.name, family.type) for family in text_string_to_metric_families(api.page().decode())}
    text = (ROOT / "docs/metrics.md").read_text()
    assert set(re.findall(r"^\| `(\w+)` \| (histogram|counter|gauge) \|", text, re.MULTILINE)) == there
    assert set(re.findall(r"^\| `(\w+)` \| [^|]+ \|$", text, re.MULTILINE)) == set(DROPS)
    database.close()


def test_links_lead_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
            assert "://" in target or (page.parent / target).exists(), f"{page.name}: {target}"


def test_documented_source_files_exist() -> None:
    for page in PAGES:
        for line in code(page):
            for path in re.findall(r"^((?:src|tests|docs|scripts)/[\w/.-]+)$", line):
                assert (ROOT / path).exists(), f"{page.name}: {path}"


def test_python_examples_are_python() -> None:
    blocks = [(page, block) for page in PAGES for kind, block in FENCE.findall(page.read_text()) if kind == "python"]
    assert blocks
    for page, block in blocks:
        compile(block, str(page), "exec")


def run(lines: list[str]) -> str:
    """What a session says that is typed line by line, in an empty directory and on an enid of its own."""
    with tempfile.TemporaryDirectory(prefix="enid-readme-") as directory:
        os.chmod(directory, 0o711)
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "ENID_STATE_DIR": f"{directory}/state",
            "ENID_RUN_DIR": f"{directory}/run",
            "ENID_PORT": str(free_port()),
            "ENID_HOST_ROUTE": "false",
        }
        (Path(directory) / "watchdog.py").write_text("\n".join(python(SCENARIOS / "failover.md")))
        try:
            done = subprocess.run(
                ["sh", "-ec", "\n".join(lines)],
                env=environment,
                cwd=directory,
                capture_output=True,
                text=True,
                check=False,
            )
        finally:
            subprocess.run([sys.executable, "-m", "enid", "down"], env=environment, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def python(page: Path) -> list[str]:
    return [block for kind, block in FENCE.findall(page.read_text()) if kind == "python"]


def session(page: Path) -> list[str]:
    blocks = [block for kind, block in FENCE.findall(page.read_text()) if kind == "sh"]
    return "\n".join(blocks).splitlines()


@pytest.mark.root
@pytest.mark.timeout(120)
def test_the_first_session_runs() -> None:
    block = next(block for _, block in FENCE.findall((ROOT / "README.md").read_text()) if "enid up" in block)
    lines = [line for line in block.splitlines() if "make setup" not in line and "activate" not in line]
    lines.insert(lines.index(next(line for line in lines if "enid exec" in line)), WAIT)
    said = run(lines)
    assert "10.0.1.100" in said
    assert "1 received" in said
    assert "reachable" in said


@pytest.mark.root
@pytest.mark.timeout(180)
def test_the_interface_of_a_crashed_server_goes_to_the_standby() -> None:
    said = run(session(SCENARIOS / "failover.md")).splitlines()
    names = [line for line in said if line.startswith("ip-10-0-1-")]
    assert len(set(names)) == len(names) == 2, said
    assert any(re.fullmatch(r"eni-\w+ is at i-\w+", line) for line in said)


@pytest.mark.root
@pytest.mark.timeout(180)
def test_each_application_answers_at_its_own_address() -> None:
    said = run(session(SCENARIOS / "many-addresses.md"))
    assert [line for line in said.splitlines() if line in ("shop", "blog", "mail")] == ["shop", "blog", "mail"]
    assert "inet 10.0.1.14/32" in said
    assert re.search(r"10\.0\.1\.13\b.*198\.1[89]\.", said), said


WAIT = "aws ec2 wait instance-running --instance-ids $one $two"
"""A person is slower than an instance boots; a script is not."""
