"""The resolver of all VPCs: bytes to bytes, by the store, and by the host's resolver if that is wanted."""

from __future__ import annotations

import asyncio
from concurrent.futures import Executor
from functools import partial

import dns.asyncquery
import dns.exception
import dns.message
import dns.resolver
import structlog

from enid.services.dns import answers
from enid.services.dns.names import Names
from enid.store.database import Database

log = structlog.get_logger()

_PATIENCE = 3.0
"""Seconds for the host's resolver."""


class Resolver:
    """:param upstream: the address of a resolver for names outside; empty: there are none."""

    def __init__(self, database: Database, region: str, threads: Executor, upstream: str = "") -> None:
        self._database = database
        self._region = region
        self._threads = threads
        self._upstream = upstream

    async def answer(self, vpc_id: str, wire: bytes, *, datagram: bool) -> bytes | None:
        """The answer to a query from within the VPC; None for silence."""
        try:
            query = answers.parse(wire)
        except dns.exception.DNSException:
            return answers.malformed(wire)
        if query is None:
            return None
        ask = partial(self._ask, vpc_id, query)
        response, forward = await asyncio.get_running_loop().run_in_executor(self._threads, ask)
        if forward:
            response = await self._forward(query)
        return None if response is None else answers.encode(response, query, datagram)

    def _ask(self, vpc_id: str, query: dns.message.Message) -> tuple[dns.message.Message | None, bool]:
        """The answer, and whether somebody else shall give it."""
        try:
            with self._database.read() as db:
                names = Names(db, vpc_id)
                return (answers.answer(query, names, self._region) if names.served() else None), False
        except answers.Elsewhere:
            return answers.nowhere(query), bool(self._upstream)
        except Exception:  # the store is out of reach, or a bug: neither may end the service
            log.exception("name not resolved")
            return answers.failed(query), False

    async def _forward(self, query: dns.message.Message) -> dns.message.Message:
        """What the host's resolver says, under the caller's own question and EDNS."""
        (question,) = query.question
        asked = dns.message.make_query(question.name, question.rdtype, use_edns=0, payload=answers.PAYLOAD)
        try:
            said, _ = await dns.asyncquery.udp_with_fallback(asked, self._upstream, timeout=_PATIENCE)
        except (dns.exception.DNSException, OSError, EOFError):
            return answers.failed(query)
        response = dns.message.make_response(query, recursion_available=True, our_payload=answers.PAYLOAD)
        response.set_rcode(said.rcode())
        response.answer, response.authority = said.answer, said.authority
        return response


def of_host() -> str:
    """The first resolver this host is told to ask; empty when there is none."""
    try:
        found = dns.resolver.Resolver().nameservers
    except dns.exception.DNSException:
        return ""
    return next((server for server in found if isinstance(server, str)), "")
