"""A whole enid of the test's own: supervisor, agent, API, sandboxes, packets. Gone after the test, whatever happens."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from sqlalchemy import select

from enid import supervisor
from enid.settings import Settings
from enid.store.database import Database
from enid.store.tables import access_keys
from entering import inside

DEADLINE = 20.0
ENID = (sys.executable, "-c", "from enid.cli import main; main()")


def until(what: str, probe: Callable[[], Any], deadline: float = DEADLINE) -> Any:
    """Poll until ``probe`` answers something true."""
    end = time.monotonic() + deadline
    while not (value := probe()):
        assert time.monotonic() < end, f"{what}: not within {deadline} seconds"
        time.sleep(0.01)
    return value


class Enid:
    """A running enid and a client of it."""

    def __init__(self, directory: Path, **settings: Any) -> None:
        """:param settings: those that differ from a test's usual ones."""
        given = {"port": _free_port(), "host_route": False, **settings}
        self.settings = Settings(state_dir=directory / "state", run_dir=directory / "run", **given)
        self.endpoint = f"http://127.0.0.1:{self.settings.port}"
        self.up()
        database = Database(self.settings.url)
        with database.read() as db:
            self.key: Any = db.execute(select(access_keys)).one()
        database.close()
        self.ec2 = self.client(self.key.id, self.key.secret)

    def client(self, key: str, secret: str) -> Any:
        """A client that speaks for the key's account."""
        return boto3.client(
            "ec2",
            endpoint_url=self.endpoint,
            region_name=self.settings.region,
            aws_access_key_id=key,
            aws_secret_access_key=secret,
            config=Config(retries={"max_attempts": 10, "mode": "standard"}),
        )

    @property
    def environment(self) -> dict[str, str]:
        """What ``enid env`` exports: a client started with it talks to this enid."""
        return {
            "AWS_ENDPOINT_URL_EC2": self.endpoint,
            "AWS_ENDPOINT_URL_STS": self.endpoint,
            "AWS_ACCESS_KEY_ID": self.key.id,
            "AWS_SECRET_ACCESS_KEY": self.key.secret,
            "AWS_DEFAULT_REGION": self.settings.region,
        }

    def up(self) -> None:
        assert supervisor.up(self.settings, detach=True) == 0

    def down(self) -> None:
        supervisor.down(self.settings)

    def pid(self, role: str) -> int:
        return int((self.settings.run_dir / f"{role}.pid").read_text())

    def kill(self, role: str) -> int:
        """``kill -9``; answers the pid that was."""
        pid = self.pid(role)
        os.kill(pid, signal.SIGKILL)
        return pid

    def command(self, *arguments: str, **options: Any) -> subprocess.Popen[str]:
        """The ``enid`` command line against this enid."""
        environment = {
            **os.environ,
            "ENID_STATE_DIR": str(self.settings.state_dir),
            "ENID_RUN_DIR": str(self.settings.run_dir),
            "ENID_DATABASE_URL": self.settings.database_url,
            "ENID_PORT": str(self.settings.port),
        }
        return subprocess.Popen(
            [*ENID, *arguments], env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options
        )

    def run(self, where: str, *argv: str) -> str:
        """Run a command inside an instance or a site; answers its output."""
        process = self._inside(where, *argv)
        out, err = process.communicate(timeout=3 * DEADLINE)
        assert process.returncode == 0, f"{argv} in {where}: {process.returncode}\n{out}{err}"
        return out

    def is_up(self, instance: str) -> bool:
        process = self._inside(instance, "true")
        process.communicate(timeout=DEADLINE)
        return process.returncode == 0

    def _inside(self, where: str, *argv: str) -> subprocess.Popen[str]:
        if not where.startswith("i-"):
            return self.command("exec", where, "--", *argv)
        return subprocess.Popen(
            inside(self.settings.run_dir, where, *argv),
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    # --- the few resources the tests need -----------------------------------------------------------------------------

    def subnet(self) -> str:
        """A VPC whose default group lets everything in, and a subnet of it."""
        vpc = self.ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        groups = self.ec2.describe_security_groups(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["SecurityGroups"]
        self.ec2.authorize_security_group_ingress(
            GroupId=groups[0]["GroupId"],
            IpPermissions=[{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}],
        )
        return str(self.ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.1.0/24")["Subnet"]["SubnetId"])

    def launch(self, subnet: str, count: int = 1, **options: Any) -> list[dict[str, Any]]:
        """Running instances."""
        image = self.ec2.describe_images()["Images"][0]["ImageId"]
        launched = self.ec2.run_instances(
            ImageId=image, MinCount=count, MaxCount=count, SubnetId=subnet, InstanceType="t3.large", **options
        )["Instances"]
        ids = [instance["InstanceId"] for instance in launched]
        until("instances run", lambda: set(self.states(ids)) == {"running"})
        return list(launched)

    def states(self, ids: list[str]) -> list[str]:
        reservations = self.ec2.describe_instances(InstanceIds=ids)["Reservations"]
        return [instance["State"]["Name"] for found in reservations for instance in found["Instances"]]


@contextmanager
def running_enid(**settings: Any) -> Iterator[Enid]:
    """A whole enid, gone afterwards, whatever happens."""
    # Not tmp_path: pytest's directories are for root's eyes only, and the API runs as another user.
    directory = Path(tempfile.mkdtemp(prefix="enid-test-"))
    directory.chmod(0o755)
    try:
        yield Enid(directory, **settings)
    finally:
        supervisor.down(Settings(state_dir=directory / "state", run_dir=directory / "run"))
        shutil.rmtree(directory)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])
