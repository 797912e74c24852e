"""Ansible's ``amazon.aws`` modules, unmodified: apply, apply again without a change, change, take down."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from leftovers import left_over

from whole_enid import Enid, running_enid

PLAYBOOKS = Path(__file__).with_name("ansible")


class Ansible:
    """Plays playbooks against an enid."""

    def __init__(self, directory: Path, enid: Enid) -> None:
        key = directory / "key"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
        image = enid.ec2.describe_images()["Images"][0]["ImageId"]
        self._variables = {"image": image, "key": key.with_suffix(".pub").read_text()}
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "ANSIBLE_"))},
            **enid.environment,
            "AWS_REGION": enid.settings.region,
            "ANSIBLE_HOME": str(directory / "home"),
            "ANSIBLE_LOCALHOST_WARNING": "false",
            "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false",
            "ANSIBLE_PIPELINING": "true",  # a third faster
            "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
            "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.json",
        }

    def play(self, playbook: str, **variables: Any) -> list[str]:
        """Answers the names of the tasks that changed something."""
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "ansible",
                "playbook",
                str(PLAYBOOKS / playbook),
                "-e",
                json.dumps(self._variables | variables),
            ],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=240,
        )
        assert done.returncode == 0, f"{playbook}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        (play,) = json.loads(done.stdout[done.stdout.index("{") :])["plays"]
        return [task["task"]["name"] for task in play["tasks"] if task["hosts"]["localhost"].get("changed")]


@pytest.fixture
def enid() -> Iterator[Enid]:
    with running_enid() as enid:
        yield enid


@pytest.mark.root
@pytest.mark.timeout(600)
def test_build_change_and_take_down(enid: Enid, tmp_path: Path) -> None:
    ansible = Ansible(tmp_path, enid)
    assert len(ansible.play("network.yml")) == 15
    assert ansible.play("network.yml") == []
    (interface,) = enid.ec2.describe_network_interfaces(Filters=[{"Name": "tag:Name", "Values": ["floating"]}])[
        "NetworkInterfaces"
    ]
    addresses = enid.run(interface["Attachment"]["InstanceId"], "ip", "-o", "-4", "address")
    assert all(f"inet {ip}/" in addresses for ip in ("10.20.2.50", "10.20.2.51", "10.20.2.52"))

    change = {"stage": "production", "secondary": ["10.20.2.51", "10.20.2.53"], "ports": [80]}
    assert ansible.play("network.yml", **change) == ["VPC", "web security group", "floating interface"]
    assert ansible.play("network.yml", **change) == []
    addresses = enid.run(interface["Attachment"]["InstanceId"], "ip", "-o", "-4", "address")
    assert all(f"inet {ip}/" in addresses for ip in ("10.20.2.50", "10.20.2.51", "10.20.2.53"))
    assert "inet 10.20.2.52/" not in addresses

    ansible.play("destroy.yml")
    assert left_over(enid) == {}
