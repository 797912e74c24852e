"""The metadata service's answers: who may ask how (version 1 and 2), and what comes back. No sockets.

As the EC2 User Guide has it ("Use the Instance Metadata Service"): version 2 asks for a token first, by PUT and not
through a proxy, and the answer to that does not travel further than the instance's hop limit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from http import HTTPStatus
from typing import Any

from sqlalchemy import Connection

from enid.ec2 import instance_metadata_options
from enid.services import callers
from enid.services.http import Request, Response
from enid.services.imds import facts, tree
from enid.services.imds.tokens import LONGEST, Tokens
from enid.topology.records import Address

_TOKEN = "x-aws-ec2-metadata-token"
_TTL = "x-aws-ec2-metadata-token-ttl-seconds"
_TOKEN_PATH = ["api", "token"]

_PAGE = """<?xml version="1.0" encoding="iso-8859-1"?>
<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN"
\t"http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd">
<html xmlns="http://www.w3.org/1999/xhtml" xml:lang="en" lang="en">
 <head>
  <title>{0}</title>
 </head>
 <body>
  <h1>{0}</h1>
 </body>
</html>
"""
"""What AWS sends with an error."""


def _refusal(status: HTTPStatus, **headers: str) -> Response:
    body = _PAGE.format(f"{status.value} - {status.phrase}").encode()
    return Response(status.value, body, {"Content-Type": "text/html", **headers})


class Metadata:
    """The service of all VPCs. Thread-safe.

    :param read: a transaction in which the store is seen as it shall be told.
    """

    def __init__(self, read: Callable[[], AbstractContextManager[Connection]], region: str, tokens: Tokens) -> None:
        self._read = read
        self._region = region
        self._tokens = tokens

    def answer(self, vpc_id: str, caller: Address, request: Request) -> Response | None:
        """None when nobody in the VPC has the address the request came from."""
        with self._read() as db:
            instance_id = callers.instance(db, vpc_id, caller)
            found = facts.read(db, instance_id) if instance_id else None
        if found is None:
            return None
        options = instance_metadata_options.shown(found.instance.metadata_options)
        if options["HttpEndpoint"] == "disabled" or (caller.version == 6 and options["HttpProtocolIpv6"] == "disabled"):
            return _refusal(HTTPStatus.FORBIDDEN)
        if [name for name in request.path.split("/") if name][1:] == _TOKEN_PATH:
            return self._token(found.instance.id, request, options)
        return self._data(found, request, options)

    def _token(self, instance_id: str, request: Request, options: Mapping[str, Any]) -> Response:
        if request.method != "PUT":
            return _refusal(HTTPStatus.METHOD_NOT_ALLOWED, Allow="OPTIONS, PUT")
        if "x-forwarded-for" in request.headers:
            return _refusal(HTTPStatus.FORBIDDEN)
        asked = request.headers.get(_TTL, "")
        if not (asked.isascii() and asked.isdecimal() and len(asked) < 6 and 1 <= int(asked) <= LONGEST):
            return _refusal(HTTPStatus.BAD_REQUEST)
        token = self._tokens.issue(instance_id, int(asked))
        headers = {"Content-Type": "text/plain", _TTL.title(): asked}
        return Response(200, token.encode(), headers, hop_limit=options["HttpPutResponseHopLimit"])

    def _data(self, found: facts.Facts, request: Request, options: Mapping[str, Any]) -> Response:
        if request.method not in ("GET", "HEAD"):
            return _refusal(HTTPStatus.METHOD_NOT_ALLOWED, Allow="OPTIONS, GET, HEAD")
        headers = {"Content-Type": "text/plain"}
        token = request.headers.get(_TOKEN)
        if token is not None:
            left = self._tokens.seconds_left(found.instance.id, token)
            if not left:
                return _refusal(HTTPStatus.UNAUTHORIZED)
            headers[_TTL.title()] = str(left)
        elif options["HttpTokens"] == "required":
            return _refusal(HTTPStatus.UNAUTHORIZED)
        body = tree.find(tree.build(found, self._region), request.path)
        if body is None:
            return _refusal(HTTPStatus.NOT_FOUND)
        if "user-data" in request.path:
            headers["Content-Type"] = "application/octet-stream"
        return Response(200, body, headers)
