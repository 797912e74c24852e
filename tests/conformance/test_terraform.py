"""Terraform, unmodified: it builds the dual-homed network, sees no difference afterwards, changes it, takes it down.

The provider comes from a file system mirror: ``ENID_TEST_TERRAFORM_PLUGINS``, or the first that is found where
Terraform itself looks for one, or in a directory of ``/opt``; else ``terraform init`` installs it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from leftovers import left_over

from enid.settings import Quotas
from whole_enid import Enid, running_enid

CONFIGURATION = Path(__file__).with_name("terraform")
PROGRAM = shutil.which("terraform")
PROVIDER = "registry.terraform.io/hashicorp/aws"
"""Where a mirror has it."""

NOTHING_TO_DO, SOMETHING_TO_DO = 0, 2
"""What ``plan -detailed-exitcode`` answers."""


def mirror() -> str | None:
    """A directory with the provider in a mirror's layout. Terraform's own places are those of "Implied Mirrors" in its
    documentation."""
    given = os.environ.get("ENID_TEST_TERRAFORM_PLUGINS")
    data = [os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share"]
    data += (os.environ.get("XDG_DATA_DIRS") or "/usr/local/share:/usr/share").split(":")
    implied = [Path.home() / ".terraform.d/plugins", *(Path(place, "terraform/plugins") for place in data)]
    places = [Path(given)] if given else [*implied, *sorted(Path("/opt").glob("*"))]
    return next((str(place) for place in places if (place / PROVIDER).is_dir()), given)


class Terraform:
    """A working directory of Terraform's, and an enid to work on."""

    def __init__(self, directory: Path, enid: Enid) -> None:
        self._directory = directory
        shutil.copytree(CONFIGURATION, directory, dirs_exist_ok=True)
        key = directory / "key"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
        variables = {"endpoint": enid.endpoint, "public_key": key.with_suffix(".pub").read_text()}
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "TF_VAR_"))},
            **enid.environment,
            **{f"TF_VAR_{name}": value for name, value in variables.items()},
            "AWS_CONFIG_FILE": "/dev/null",
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
            "TF_IN_AUTOMATION": "1",
            "CHECKPOINT_DISABLE": "1",
            "GOGC": "800",  # the provider spends half of its time collecting garbage
        }

    def run(self, *arguments: str, codes: tuple[int, ...] = (0,)) -> str:
        """Answers the output; the exit status must be one of ``codes``."""
        assert PROGRAM
        done = subprocess.run(
            [PROGRAM, *arguments, "-no-color"],
            cwd=self._directory,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=180,
        )
        assert done.returncode in codes, f"terraform {arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def init(self) -> None:
        try:
            found = mirror()
            self.run("init", *([f"-plugin-dir={found}"] if found else []))
        except AssertionError as error:
            pytest.skip(f"the AWS provider cannot be installed: {error}")

    def apply(self, *arguments: str) -> dict[str, Any]:
        """Answers the outputs."""
        self.run("apply", "-auto-approve", "-parallelism=20", *arguments)
        return {name: output["value"] for name, output in json.loads(self.run("output", "-json")).items()}

    def plan(self, *arguments: str, expected: int = NOTHING_TO_DO) -> str:
        return self.run("plan", "-detailed-exitcode", *arguments, codes=(expected,))

    def destroy(self) -> None:
        self.run("destroy", "-auto-approve", "-parallelism=20")


@pytest.fixture
def enid() -> Iterator[Enid]:
    with running_enid(quotas=Quotas(addresses=20)) as enid:  # it makes new ones before it has released others
        yield enid


@pytest.fixture
def terraform(tmp_path: Path, enid: Enid) -> Terraform:
    terraform = Terraform(tmp_path, enid)
    terraform.init()
    return terraform


def detach_behind_its_back(enid: Enid, attachment: str) -> None:
    """As a failover would. Left to itself the provider waits 2.5 minutes, also on AWS: see docs/terraform.md."""
    enid.ec2.detach_network_interface(AttachmentId=attachment)


@pytest.mark.root
@pytest.mark.skipif(PROGRAM is None, reason="terraform is not installed")
def test_build_change_and_take_down(enid: Enid, terraform: Terraform) -> None:
    built = terraform.apply()
    terraform.plan()
    web = built["web"]["id"]
    addresses = enid.run(web, "ip", "-o", "-4", "address")
    assert all(f"inet {ip}/" in addresses for ip in ("10.0.1.10", "10.0.1.11", "10.0.2.10", "10.0.2.11"))
    assert set(built["addresses"]) == {"10.0.1.10", "10.0.1.11"}
    assert built["reachable"] is True
    assert built["peering"] == {"status": "active", "block": "10.9.0.0/16"}

    detach_behind_its_back(enid, built["web"]["attachment"])
    change = ("-var=web_ports=[80,443]", '-var=service_addresses=["10.0.1.10","10.0.1.12","10.0.1.13"]')
    changed = terraform.apply(*change)
    terraform.plan(*change)
    assert changed["web"]["id"] == web
    assert changed["web"]["attachment"] != built["web"]["attachment"]
    assert changed["addresses"].keys() == {"10.0.1.10", "10.0.1.12", "10.0.1.13"}
    assert changed["addresses"]["10.0.1.10"] == built["addresses"]["10.0.1.10"]
    addresses = enid.run(web, "ip", "-o", "-4", "address")
    assert all(f"inet {ip}/" in addresses for ip in ("10.0.1.10", "10.0.1.12", "10.0.1.13", "10.0.2.10"))
    assert "inet 10.0.1.11/" not in addresses

    detach_behind_its_back(enid, changed["web"]["attachment"])
    terraform.destroy()
    assert left_over(enid) == {}
    assert len(enid.ec2.describe_dhcp_options()["DhcpOptions"]) == 1, "the account's default set stays"
