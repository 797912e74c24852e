"""``GET /metrics``: unsigned, of operations that are there, with what the agent last wrote; no other path is so."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from botocore.exceptions import ClientError
from prometheus_client.parser import text_string_to_metric_families
from toy_operations import TOYS
from wire_signing import KEY_ID, SECRET, ec2

from enid.settings import Settings
from enid.store.database import Database
from enid.wire.app import create_app
from enid.wire.dispatch import UNKNOWN, Dispatcher
from enid.wire.request import Request

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def samples(text: str) -> Samples:
    """Every sample by its name and labels; none may be there twice."""
    found: Samples = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            key = sample.name, frozenset(sample.labels.items())
            assert key not in found, key
            found[key] = sample.value
    return found


def shown(endpoint: str) -> Samples:
    answer = httpx.get(f"{endpoint}/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    return samples(answer.text)


def of(found: Samples, name: str, **labels: str) -> float:
    return found.get((name, frozenset(labels.items())), 0.0)


def test_calls_are_counted_by_operation_and_errors_by_code(endpoint: str, client: Any) -> None:
    for _ in range(3):
        client.create_vpc(CidrBlock="10.0.0.0/16")
    with pytest.raises(ClientError):
        client.create_vpc(CidrBlock="1.2.3.4/33")
    found = shown(endpoint)
    assert of(found, "enid_call_seconds_count", operation="CreateVpc") == 4
    assert of(found, "enid_call_seconds_bucket", operation="CreateVpc", le="+Inf") == 4
    assert 0 < of(found, "enid_call_seconds_sum", operation="CreateVpc") < 20
    assert of(found, "enid_errors_total", operation="CreateVpc", code="InvalidParameterValue") == 1
    assert of(found, "enid_calls_in_progress") == 0
    assert of(found, "enid_committed_writes_total") >= 3
    assert of(found, "enid_commits_total") >= 1


def test_what_a_client_sends_is_never_shown(endpoint: str, client: Any) -> None:
    client.create_vpc(CidrBlock="10.99.0.0/16")
    httpx.post(endpoint, data={"Action": "IntroducedByAStranger", "Version": "2016-11-15"})
    httpx.post(endpoint, content=b"Action=A&Action=B")
    httpx.post(endpoint, content=b"x" * 2_000_000)
    page = httpx.get(f"{endpoint}/metrics").text
    for secret in ("IntroducedByAStranger", "10.99", KEY_ID, SECRET, "vpc-"):
        assert secret not in page
    assert of(samples(page), "enid_call_seconds_count", operation=UNKNOWN) == 3


@pytest.mark.parametrize(
    ("signed_now", "operation", "code"),
    [
        (lambda: ec2("DescribeVpcs"), "DescribeVpcs", ""),
        (lambda: ec2("DeleteVpc", VpcId="vpc-1"), "DeleteVpc", "InternalError"),
        (lambda: ec2("DescribeHosts"), UNKNOWN, "UnsupportedOperation"),
        (lambda: ec2("Nonsense"), UNKNOWN, "InvalidAction"),
        (lambda: Request("POST", b"", [], b"Action=DescribeVpcs"), "DescribeVpcs", "MissingAuthenticationToken"),
        (lambda: Request("POST", b"", [], b"Action=DescribeVpcs&Action=x"), UNKNOWN, None),
    ],
)
def test_an_answer_says_for_which_operation_it_is(
    dispatcher: Dispatcher, signed_now: Callable[[], Request], operation: str, code: str | None
) -> None:
    answer = dispatcher.answer(signed_now())
    assert answer.operation == operation
    assert code is None or answer.code == code


def test_waiting_for_the_agent_is_measured(endpoint: str, client: Any, settings: Settings) -> None:
    client.detach_network_interface(AttachmentId="eni-attach-1")  # nobody is there who would do it
    found = shown(endpoint)
    assert of(found, "enid_settling_seconds_count", settled="no") == 1
    assert of(found, "enid_settling_seconds_sum", settled="no") >= settings.settle_timeout * 0.9
    assert of(found, "enid_call_seconds_sum", operation="DetachNetworkInterface") >= settings.settle_timeout * 0.9


def test_the_agents_numbers_follow_with_their_age(endpoint: str, settings: Settings) -> None:
    assert ("enid_agent_metrics_age_seconds", frozenset()) not in shown(endpoint)
    settings.agent_metrics.write_text("# TYPE enid_agent_instances gauge\nenid_agent_instances 7\n")
    settings.restarts("agent").write_text("3\n")
    os.utime(settings.agent_metrics, (time.time() - 60, time.time() - 60))
    found = shown(endpoint)
    assert of(found, "enid_agent_instances") == 7
    assert 59 < of(found, "enid_agent_metrics_age_seconds") < 120
    assert of(found, "enid_restarts_total", process="agent") == 3


def test_no_other_path_answers_unsigned(endpoint: str) -> None:
    assert "MissingAuthenticationToken" in httpx.get(endpoint).text
    for path in ("/metrics/", "/metrics/x", "/Metrics", "/agent.prom", "/health"):
        assert httpx.get(endpoint + path, follow_redirects=False).status_code in (307, 404), path
    assert httpx.post(f"{endpoint}/metrics").status_code == 405


def test_it_can_be_switched_off(tmp_path: Path, database: Database) -> None:
    off = Settings(state_dir=tmp_path / "state", run_dir=tmp_path / "run", metrics=False)
    transport = httpx.ASGITransport(create_app(off, database, operations=TOYS))

    async def ask() -> list[httpx.Response]:
        async with httpx.AsyncClient(transport=transport, base_url="http://enid") as client:
            return [await client.get("/metrics"), await client.get("/")]

    page, call = asyncio.run(ask())
    assert page.status_code == 404
    assert "MissingAuthenticationToken" in call.text
