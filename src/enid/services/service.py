"""One VPC's services on the sockets of its router."""

from __future__ import annotations

import asyncio
import socket
from concurrent.futures import Executor
from functools import partial

from enid.services.crowd import Crowd
from enid.services.datagrams import Datagrams
from enid.services.dhcp.server import Leases
from enid.services.dns.resolver import Resolver, of_host
from enid.services.dns.server import datagrams as serve_datagrams
from enid.services.dns.server import streams as serve_streams
from enid.services.http import Connection, Request, Response
from enid.services.imds import tokens
from enid.services.imds.service import Metadata
from enid.services.ipv6.server import Router
from enid.settings import Settings
from enid.store.database import Database
from enid.store.staleness import StaleReads
from enid.topology.records import Address


class Workshop:
    """What all VPCs' services share: what answers, and the threads it runs in."""

    def __init__(self, settings: Settings, database: Database, threads: Executor) -> None:
        self.database = database
        self.threads = threads
        key = tokens.key(settings.metadata_key)
        staleness = settings.simulate.staleness
        read = StaleReads(database, staleness).read if staleness else database.read
        self.metadata = Metadata(read, settings.region, tokens.Tokens(key))
        upstream = of_host() if settings.dns_forward else ""
        self.resolver = Resolver(database, settings.region, threads, upstream)


class VpcService:
    """Close it to stop."""

    def __init__(self, workshop: Workshop, vpc_id: str) -> None:
        self._workshop = workshop
        self._vpc_id = vpc_id
        self._servers: list[asyncio.Server | Datagrams | Leases | Router] = []

    @classmethod
    async def start(cls, workshop: Workshop, vpc_id: str, sockets: list[socket.socket]) -> VpcService:
        """:param sockets: as the agent opens them: metadata, names by datagrams and by streams, leases, IPv6's."""
        made = cls(workshop, vpc_id)
        metadata, datagrams, streams, leases, *of_ipv6 = sockets
        crowd = Crowd()
        loop = asyncio.get_running_loop()
        made._servers.append(await loop.create_server(lambda: Connection(made._metadata, crowd), sock=metadata))
        made._servers.append(serve_datagrams(datagrams, made._name))
        made._servers.append(await serve_streams(streams, made._name))
        made._servers.append(Leases(leases, workshop.database, workshop.threads, vpc_id))
        made._servers.append(Router(workshop.database, workshop.threads, vpc_id, *of_ipv6))
        return made

    def close(self) -> None:
        for server in self._servers:
            server.close()

    async def _metadata(self, caller: Address, request: Request) -> Response | None:
        answer = partial(self._workshop.metadata.answer, self._vpc_id, caller, request)
        return await asyncio.get_running_loop().run_in_executor(self._workshop.threads, answer)

    async def _name(self, wire: bytes, datagram: bool) -> bytes | None:
        return await self._workshop.resolver.answer(self._vpc_id, wire, datagram=datagram)
