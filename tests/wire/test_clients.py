"""Unmodified clients against a running server: boto3, the AWS CLI, a browser's presigned URL."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError
from wire_signing import ACCOUNT, KEY_ID, SECRET, boto_client, call

from enid.wire.request import BODY_LIMIT


def test_boto3_creates_and_describes(client: Any) -> None:
    tags = [{"ResourceType": "vpc", "Tags": [{"Key": "Näme", "Value": "a & b"}]}]
    made = client.create_vpc(CidrBlock="10.3.0.0/16", TagSpecifications=tags)
    assert made["Vpc"]["IsDefault"] is False
    assert made["ResponseMetadata"]["HTTPHeaders"]["x-amzn-requestid"] == made["ResponseMetadata"]["RequestId"]
    pages = client.get_paginator("describe_vpcs").paginate(VpcIds=[made["Vpc"]["VpcId"]])
    assert [vpc["CidrBlock"] for page in pages for vpc in page["Vpcs"]] == ["10.3.0.0/16"]


def test_boto3_sees_errors(client: Any, endpoint: str) -> None:
    with pytest.raises(ClientError, match=r"\(DryRunOperation\)") as dry:
        client.create_vpc(CidrBlock="10.0.0.0/16", DryRun=True)
    assert dry.value.response["ResponseMetadata"]["HTTPStatusCode"] == 412
    stranger = boto_client("ec2", endpoint, secret="wrong")
    with pytest.raises(ClientError, match=r"\(AuthFailure\)"):
        stranger.describe_vpcs()
    stranger.close()


def test_boto3_asks_who_it_is(endpoint: str) -> None:
    sts = boto_client("sts", endpoint)
    assert sts.get_caller_identity()["Account"] == ACCOUNT
    with pytest.raises(ClientError, match=r"\(UnsupportedOperation\)"):
        sts.get_session_token()
    sts.close()


def test_a_presigned_url(client: Any) -> None:
    client.create_vpc(CidrBlock="10.4.0.0/16")
    url = client.generate_presigned_url("describe_vpcs", ExpiresIn=60, HttpMethod="GET")
    with urllib.request.urlopen(url, timeout=10) as answer:
        assert answer.headers["content-type"].startswith("text/xml")
        assert b"<cidrBlock>10.4.0.0/16</cidrBlock>" in answer.read()


def test_the_aws_cli(endpoint: str, tmp_path: Path) -> None:
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "AWS_ACCESS_KEY_ID": KEY_ID,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": endpoint,
    }

    def aws(*arguments: str) -> Any:
        command = [str(Path(sys.executable).parent / "aws"), *arguments]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
        assert (done.returncode, done.stderr) == (0, ""), "it says nothing but the answer"
        return json.loads(done.stdout)

    assert aws("sts", "get-caller-identity")["Arn"] == f"arn:aws:iam::{ACCOUNT}:root"
    made = aws("ec2", "create-vpc", "--cidr-block", "10.5.0.0/16")["Vpc"]["VpcId"]
    assert aws("ec2", "describe-vpcs", "--vpc-ids", made)["Vpcs"] == [{"VpcId": made, "CidrBlock": "10.5.0.0/16"}]


def test_a_body_too_large_is_refused(endpoint: str) -> None:
    connection = http.client.HTTPConnection(urlsplit(endpoint).netloc, timeout=10)
    connection.request("POST", "/", b"x" * (BODY_LIMIT + 1))
    answer = connection.getresponse()
    assert answer.status == 413
    assert b"RequestEntityTooLarge" in answer.read()
    connection.close()


def test_other_paths_and_methods_are_not_the_api(endpoint: str) -> None:
    connection = http.client.HTTPConnection(urlsplit(endpoint).netloc, timeout=10)
    for method, path, status in (("GET", "/nothing", 404), ("DELETE", "/", 405), ("GET", "/", 403)):
        connection.request(method, path)
        answer = connection.getresponse()
        answer.read()
        assert answer.status == status
    connection.close()


def test_two_calls_share_a_connection(endpoint: str) -> None:
    connection = http.client.HTTPConnection(urlsplit(endpoint).netloc, timeout=10)
    for _ in range(2):
        connection.request("POST", "/", "&".join(f"{k}={v}" for k, v in call("DescribeVpcs").items()))
        answer = connection.getresponse()
        assert answer.status == 403
        answer.read()
        assert connection.sock is not None
    connection.close()
