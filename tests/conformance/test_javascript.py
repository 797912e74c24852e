"""AWS's JavaScript SDK understands every answer as boto3 does, and says nothing on its standard error."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from api_server import Api
from world import World

PROGRAM = Path(__file__).with_name("javascript")
NODE, NPM = shutil.which("node"), shutil.which("npm")


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program, with the SDK installed beside it."""
    if not NODE or not NPM:
        pytest.skip("node and npm are not installed")
    directory = tmp_path_factory.mktemp("javascript") / "program"
    shutil.copytree(PROGRAM, directory)
    install = [NPM, "install", "--no-audit", "--no-fund", "--ignore-scripts", "--fetch-retries=1", "--prefer-offline"]
    done = subprocess.run(install, cwd=directory, capture_output=True, text=True, timeout=400)
    if done.returncode:
        reason = done.stderr.strip().splitlines()
        pytest.skip(f"the SDK cannot be installed: {reason[0] if reason else done.returncode}")
    return directory


@pytest.fixture
def said(program: Path, api: Api) -> dict[str, Any]:
    """What the program printed."""
    instance, _ = World(api).running()
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(program),
        "AWS_ENDPOINT_URL_EC2": api.endpoint,
        "AWS_ENDPOINT_URL_STS": api.endpoint,
        "AWS_REGION": api.settings.region,
        "AWS_ACCESS_KEY_ID": api.key_id,
        "AWS_SECRET_ACCESS_KEY": api.secret,
        "AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED": "true",  # about this Node, not about us
        "INSTANCE": instance,
    }
    assert NODE
    command = [NODE, "calls.js"]
    done = subprocess.run(command, cwd=program, env=environment, capture_output=True, text=True, timeout=240)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return dict(json.loads(done.stdout))


def plain(value: Any) -> Any:
    """As JavaScript writes JSON: times in UTC with milliseconds, and no difference between absent and empty lists."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items() if item != []}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%S.") + f"{value.microsecond // 1000:03d}Z"
    return value


def test_answers_refusals_pages_and_waiters(api: Api, said: dict[str, Any]) -> None:
    for action, calls in said["described"].items():
        for call in calls:
            seen = api.ec2._make_api_call(action, call["input"])
            del seen["ResponseMetadata"]
            assert plain(call["answer"]) == plain(seen), action

    assert said["identity"]["Account"] == api.account_id
    assert [len(page) for page in said["pages"]] == [5, 1]
    assert set(said["interfaces"]) == {id_ for page in said["pages"] for id_ in page}

    not_found, dry_run = said["refusals"]["notFound"], said["refusals"]["dryRun"]
    assert not_found.pop("requestId")
    assert not_found == {
        "name": "InvalidNetworkInterfaceID.NotFound",
        "message": "The networkInterface ID 'eni-0123456789abcdef0' does not exist",
        "fault": "client",
        "status": 400,
    }
    assert (dry_run["name"], dry_run["status"]) == ("DryRunOperation", 412)
