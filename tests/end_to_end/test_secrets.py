"""No secret is told where it does not belong: logs, metrics, command lines, files that others may read."""

from __future__ import annotations

import base64
import json
import os
import re
import stat
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from whole_enid import Enid, running_enid, until

pytestmark = [pytest.mark.root, pytest.mark.timeout(300)]

USER_DATA = "#!/bin/sh\n# hunter2-of-the-user-data\ntrue\n"
SHARED = "hunter2_of_the_tunnel"
TOKEN = ("-X", "PUT", "-H", "X-aws-ec2-metadata-token-ttl-seconds: 60", "http://169.254.169.254/latest/api/token")


@pytest.fixture(scope="module")
def told() -> Iterator[tuple[Enid, dict[str, str]]]:
    """An enid that has lived, with what it must keep to itself, by what it is."""
    with running_enid() as enid:
        yield enid, live(enid)


def live(enid: Enid) -> dict[str, str]:
    secrets = {"the access key": enid.key.secret, "user data": "hunter2-of-the-user-data", "the pre-shared key": SHARED}
    secrets["user data, encoded"] = base64.b64encode(USER_DATA.encode()).decode()[:40]
    other = json.loads(enid.command("account", "create", "222222222222", "--json").communicate(timeout=60)[0])
    secrets["another account's key"] = other["secret"]
    pair = enid.ec2.create_key_pair(KeyName="pair")["KeyMaterial"]
    secrets["the key pair"] = max(pair.splitlines(), key=len)
    subnet = enid.subnet()
    (instance,) = enid.launch(subnet, UserData=USER_DATA, KeyName="pair")
    id_ = instance["InstanceId"]
    secrets["a metadata token"] = enid.run(id_, "curl", "-sS", "-m", "5", *TOKEN)
    enid.run(id_, "curl", "-sS", "-m", "5", "http://169.254.169.254/latest/user-data")
    enid.run(
        id_, "curl", "-sS", "-m", "5", "-H", f"X-aws-ec2-metadata-token: {SHARED}", "http://169.254.169.254/latest/"
    )
    connect(enid)
    fail(enid, subnet)
    for role in ("api", "services", "agent"):
        before = enid.kill(role)
        until(f"the {role} is back", lambda role=role, before=before: enid.pid(role) != before, 60)
    until("calls are answered again", lambda: answers(enid), 60)
    enid.ec2.terminate_instances(InstanceIds=[id_])
    until("it is gone", lambda: enid.states([id_]) == ["terminated"], 60)
    assert all(len(secret) > 15 for secret in secrets.values()), secrets
    return secrets


def connect(enid: Enid) -> None:
    """A VPN connection with a key of the client's."""
    gateway = enid.ec2.create_vpn_gateway(Type="ipsec.1")["VpnGateway"]["VpnGatewayId"]
    customer = enid.ec2.create_customer_gateway(Type="ipsec.1", BgpAsn=65000, IpAddress="198.19.0.2")
    options: dict[str, Any] = {"StaticRoutesOnly": True, "TunnelOptions": [{"PreSharedKey": SHARED}]}
    enid.ec2.create_vpn_connection(
        Type="ipsec.1",
        VpnGatewayId=gateway,
        CustomerGatewayId=customer["CustomerGateway"]["CustomerGatewayId"],
        Options=options,
    )


def fail(enid: Enid, subnet: str) -> None:
    """Calls that are refused, each with a secret in it."""
    image = enid.ec2.describe_images()["Images"][0]["ImageId"]
    launch: dict[str, Any] = {"MinCount": 1, "MaxCount": 1, "UserData": USER_DATA, "InstanceType": "t3.large"}
    refused = 0
    for given in ({"ImageId": "ami-00000000000000000"}, {"ImageId": image, "SubnetId": "subnet-00000000000000000"}):
        with suppress(ClientError):
            enid.ec2.run_instances(**launch, **given)
            refused -= 1
        refused += 1
    with suppress(ClientError):
        enid.ec2.run_instances(ImageId=image, SubnetId=subnet, IamInstanceProfile={"Name": SHARED}, **launch)
        refused -= 1
    refused += 1
    with suppress(ClientError):
        enid.client(enid.key.secret, SHARED).describe_vpcs()  # somebody mixed up his key's id and its secret
        refused -= 1
    assert refused + 1 == 4
    for body in (f"Action={SHARED}&UserData={SHARED}", f"%zz{SHARED}=\x00", f"Action=RunInstances&{enid.key.secret}"):
        with suppress(urllib.error.HTTPError):
            urllib.request.urlopen(enid.endpoint, data=body.encode(), timeout=10).close()


def answers(enid: Enid) -> bool:
    with suppress(Exception):
        return bool(enid.ec2.describe_vpcs())
    return False


def public(enid: Enid) -> dict[str, str]:
    """Texts that may be read by whoever looks at logs, scrapes numbers, or has an account on the host."""
    found = {}
    for root in (enid.settings.state_dir, enid.settings.run_dir):
        for directory, names, files in os.walk(root):
            names[:] = [name for name in names if (Path(directory) / name).lstat().st_mode & stat.S_IXOTH]
            for path in (Path(directory) / name for name in files):
                mode = path.lstat().st_mode
                if stat.S_ISREG(mode) and (mode & stat.S_IROTH or path.suffix == ".log"):
                    found[str(path)] = path.read_text(errors="replace")
    with urllib.request.urlopen(f"{enid.endpoint}/metrics", timeout=10) as answer:
        found["metrics"] = answer.read().decode()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            found[str(path)] = path.read_text(errors="replace")
    return found


def test_no_secret_is_told(told: tuple[Enid, dict[str, str]]) -> None:
    enid, secrets = told
    texts = public(enid)
    leaks = [(what, where) for what, secret in secrets.items() for where, text in texts.items() if secret in text]
    assert leaks == []


def test_what_is_looked_at_would_tell(told: tuple[Enid, dict[str, str]]) -> None:
    """The control: there is a log of some length, numbers of the calls, the command lines of enid's processes."""
    enid, secrets = told
    texts = public(enid)
    log = texts[str(enid.settings.state_dir / "log/enid.log")]
    assert "process=api code=-9" in log
    assert len(log.splitlines()) > 5
    assert re.search(r'operation="TerminateInstances"', texts["metrics"])
    assert any("enid.supervisor" in text for where, text in texts.items() if where.startswith("/proc"))
    store = b"".join(path.read_bytes() for path in (enid.settings.state_dir / "store").iterdir())
    assert secrets["the access key"].encode() in store, "as it is written where it is kept"
    assert SHARED.encode() in store
