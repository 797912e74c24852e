"""Requests signed by botocore, as every client signs them, in the form the wire takes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

import boto3
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials

from enid.wire.request import Request

ACCOUNT = "111122223333"
KEY_ID = "AKIAENIDEXAMPLE00001"
SECRET = "secret/with+signs"
HOST = "127.0.0.1:8773"
FORM = "application/x-www-form-urlencoded; charset=utf-8"
_HEADERS = {"Content-Type": FORM, "X-Amz-Target-Of-Test": "  two   words "}


def signed(
    parameters: Mapping[str, str] | bytes,
    *,
    service: str = "ec2",
    region: str = "us-east-1",
    key_id: str = KEY_ID,
    secret: str = SECRET,
    token: str | None = None,
    query: str = "",
    method: str = "POST",
) -> Request:
    """A POST with the parameters in its body, signed in its header."""
    body = parameters if isinstance(parameters, bytes) else urlencode(parameters).encode()
    aws = AWSRequest(method, f"http://{HOST}/{query and '?'}{query}", data=body, headers=_HEADERS)
    SigV4Auth(Credentials(key_id, secret, token), service, region).add_auth(aws)
    return _request(aws, body)


def presigned(
    parameters: Mapping[str, str], *, service: str = "ec2", secret: str = SECRET, expires: int = 60
) -> Request:
    """A GET with everything in its query string."""
    aws = AWSRequest("GET", f"http://{HOST}/?{urlencode(parameters)}")
    SigV4QueryAuth(Credentials(KEY_ID, secret), service, "us-east-1", expires).add_auth(aws)
    return _request(aws, b"")


def ec2(action: str, **parameters: str) -> Request:
    """A signed call; ``__`` in a name stands for a dot."""
    return signed(call(action, **parameters))


def call(action: str, **parameters: str) -> dict[str, str]:
    """The parameters of a call."""
    dotted = {name.replace("__", "."): value for name, value in parameters.items()}
    return {"Action": action, "Version": "2016-11-15", **dotted}


def boto_client(service: str, endpoint: str, *, secret: str = SECRET) -> Any:
    return boto3.client(
        service,
        region_name="us-east-1",
        endpoint_url=endpoint,
        aws_access_key_id=KEY_ID,
        aws_secret_access_key=secret,
        config=Config(retries={"total_max_attempts": 1}, ignore_configured_endpoint_urls=True),
    )


def _request(aws: AWSRequest, body: bytes) -> Request:
    headers = [(name.lower().encode(), value.encode()) for name, value in aws.headers.items()]
    return Request(
        aws.method,
        urlsplit(aws.url).query.encode(),
        [(b"host", HOST.encode()), (b"user-agent", b"test"), *headers],
        body,
    )
