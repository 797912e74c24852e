"""The numbers of a whole enid are those of what has happened in it."""

from __future__ import annotations

import json
import urllib.request
from typing import Any

import pytest
from botocore.exceptions import ClientError
from prometheus_client.parser import text_string_to_metric_families

from whole_enid import until

pytestmark = [pytest.mark.root, pytest.mark.timeout(120)]


def numbers(enid: Any) -> dict[tuple[str, ...], float]:
    """Samples by their name and their labels' values, sorted by label."""
    with urllib.request.urlopen(f"{enid.endpoint}/metrics") as page:
        families = list(text_string_to_metric_families(page.read().decode()))
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


def test_calls_instances_and_a_dropped_packet_are_counted(enid: Any) -> None:
    vpc = enid.ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnet = enid.ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.1.0/24")["Subnet"]["SubnetId"]
    (one,) = enid.launch(subnet)
    with pytest.raises(ClientError):
        enid.ec2.delete_vpc(VpcId=vpc)
    until("the instance can be entered", lambda: enid.is_up(one["InstanceId"]))
    enid.run(one["InstanceId"], "sh", "-c", "ping -c 3 -i 0.2 -W 0.2 192.0.2.1 || true")  # no route leads there
    drops = ("enid_dropped_packets_total", "no_route", vpc)
    found = until("the agent has told of all drops", lambda: (now := numbers(enid)).get(drops) == 3 and now)
    assert found[("enid_call_seconds_count", "CreateVpc")] == 1
    assert found[("enid_errors_total", "DependencyViolation", "DeleteVpc")] == 1
    assert found[("enid_agent_instances",)] == found[("enid_agent_interfaces",)] == 1
    assert found[("enid_agent_lag_seconds_count",)] >= 2
    assert found[("enid_conntrack_entries_limit",)] > 0
    assert ("enid_conntrack_entries", vpc) in found
    for process in ("process", "enid_agent_process"):
        assert found[(f"{process}_resident_memory_bytes",)] > 1_000_000
    page = urllib.request.urlopen(f"{enid.endpoint}/metrics").read().decode()
    for secret in (enid.key.id, enid.key.secret, one["InstanceId"], subnet, "10.0.1."):
        assert secret not in page


def test_top_shows_them(enid: Any) -> None:
    enid.ec2.create_vpc(CidrBlock="10.0.0.0/16")
    until("the agent has told of the VPC", lambda: "enid_conntrack_entries" in {name for name, *_ in numbers(enid)})
    seen = enid.command("top", "--json")
    found = json.loads(seen.communicate(timeout=20)[0])
    assert seen.returncode == 0
    assert [(row["operation"], row["calls"]) for row in found["operations"]] == [("CreateVpc", 1)]
    assert len(found["conntrack"]["entries"]) == 1
    assert all(row["memory"] > 1_000_000 and row["cpu"] > 0 for row in found["processes"])
    printed, _ = enid.command("top", "--once").communicate(timeout=20)
    assert "CreateVpc" in printed
    assert "calls/s" in printed


def test_a_restart_is_counted(enid: Any) -> None:
    assert numbers(enid)[("enid_restarts_total", "agent")] == 0
    before = enid.kill("agent")
    until("the agent is started again", lambda: enid.pid("agent") != before)
    assert numbers(enid)[("enid_restarts_total", "agent")] == 1
    assert numbers(enid)[("enid_restarts_total", "api")] == 0
