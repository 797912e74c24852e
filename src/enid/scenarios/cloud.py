"""The two clients a scenario speaks through, both unmodified: boto3, and the AWS CLI where a person should see it.

The CLI starts in about a second, so only a few calls go through it; boto3 carries the rest.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import boto3  # type: ignore[import-untyped]
import botocore.session
from botocore.config import Config
from botocore.exceptions import ClientError

POLL = 0.02


class Timeout(Exception):
    """Something that should have become so did not."""


class Cloud:
    """An EC2 endpoint and the credentials to use it with."""

    def __init__(self, variables: dict[str, str], shown: Callable[[str], None] = lambda _: None) -> None:
        """:param variables: what ``enid env`` prints.
        :param shown: told of every AWS CLI command before it runs.
        """
        self.variables = variables
        self._shown = shown
        self.ec2: Any = _session().client(
            "ec2",
            endpoint_url=variables["AWS_ENDPOINT_URL_EC2"],
            region_name=variables["AWS_DEFAULT_REGION"],
            aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
            config=Config(retries={"total_max_attempts": 1}, read_timeout=30),
        )

    def aws(self, *words: str) -> Any:
        """Run ``aws ec2 …`` as a person would; its answer, parsed.

        :raises RuntimeError: it refused, with what it printed.
        """
        self._shown("aws ec2 " + " ".join(words))
        done = subprocess.run(
            [*aws_cli(), "--output", "json", "ec2", *words],
            env=self._environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"aws ec2 {words[0]}: {done.stderr.strip()}")
        return json.loads(done.stdout) if done.stdout.strip() else {}

    def _environment(self) -> dict[str, str]:
        """Nothing of the user's own AWS configuration: this must never reach the real AWS."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        nowhere = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull, "AWS_PAGER": ""}
        return {**kept, **nowhere, "AWS_EC2_METADATA_DISABLED": "true", **self.variables}

    def refusal(self, action: str, **parameters: Any) -> str:
        """The code and the sentence with which a call is refused; empty when it is not."""
        try:
            getattr(self.ec2, action)(**parameters)
        except ClientError as refused:
            return f"{refused.response['Error']['Code']}: {refused.response['Error']['Message']}"
        return ""

    def network_interface(self, id_: str) -> dict[str, Any]:
        """An interface as DescribeNetworkInterfaces shows it now."""
        answer: dict[str, Any] = self.ec2.describe_network_interfaces(NetworkInterfaceIds=[id_])
        return dict(answer["NetworkInterfaces"][0])

    def instance(self, id_: str) -> dict[str, Any]:
        """An instance as DescribeInstances shows it now."""
        answer: dict[str, Any] = self.ec2.describe_instances(InstanceIds=[id_])
        return dict(answer["Reservations"][0]["Instances"][0])

    def await_state(self, instance_id: str, state: str) -> None:
        """Wait until an instance is ``running``, ``stopped`` …"""
        until(lambda: self.instance(instance_id)["State"]["Name"] == state, f"{instance_id} to be {state}")


def _session() -> Any:
    """A boto3 session that does not look at the user's own AWS configuration: an unknown profile would end it."""
    variables = {
        "profile": (None, None, None, None),
        "config_file": (None, None, os.devnull, None),
        "credentials_file": (None, None, os.devnull, None),
    }
    return boto3.Session(botocore_session=botocore.session.Session(session_vars=variables))


def aws_cli() -> list[str]:
    """The AWS CLI of enid's own environment, or else the system's, as the beginning of a command line.

    :raises RuntimeError: there is none.
    """
    if importlib.util.find_spec("awscli"):
        return [sys.executable, "-m", "awscli"]
    found = shutil.which("aws")
    if not found:
        raise RuntimeError("the AWS CLI is missing: `make setup` installs it")
    return [found]


def until(condition: Callable[[], bool], what: str, seconds: float = 30.0) -> None:
    """Poll until ``condition`` holds.

    :raises Timeout: it does not, in that time.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise Timeout(f"waited {seconds:.0f} s for {what}")
        time.sleep(POLL)


def tagged(resource_type: str, name: str, **more: str) -> list[dict[str, Any]]:
    """A ``TagSpecifications`` with a Name."""
    tags = [{"Key": key, "Value": value} for key, value in {"Name": name, **more}.items()]
    return [{"ResourceType": resource_type, "Tags": tags}]
