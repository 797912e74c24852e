"""An answer waits until the agent has carried out the move, and no longer than it is told to."""

from __future__ import annotations

import asyncio
import socket
import stat
import time
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, delete, insert, update
from wire_signing import ACCOUNT, boto_client

from enid.settings import Settings
from enid.store import journal
from enid.store.database import Database
from enid.store.tables import attachments, instances, network_interfaces, subnets, vpcs
from enid.wire.settling import Settling

ENI = "eni-1"


@pytest.fixture
def attached(database: Database) -> None:
    """``ENI``, attached."""
    owner = {"account_id": ACCOUNT}
    with database.write() as db:
        db.execute(insert(vpcs), {"id": "vpc-1", "cidr_block": "10.0.0.0/16", **owner})
        subnet = {"availability_zone": "us-east-1a", "availability_zone_id": "use1-az1", "cidr_block": "10.0.0.0/24"}
        db.execute(insert(subnets), {"id": "subnet-1", "vpc_id": "vpc-1", **subnet, **owner})
        db.execute(insert(instances), {"id": "i-1", "image_id": "ami-1", "instance_type": "t3.micro", **owner})
        db.execute(
            insert(network_interfaces),
            {"id": ENI, "vpc_id": "vpc-1", "subnet_id": "subnet-1", "mac_address": "02:00:00:00:00:01", **owner},
        )
        row = {"id": "eni-attach-1", "network_interface_id": ENI, "instance_id": "i-1", "device_index": 1}
        db.execute(insert(attachments), {**row, "status": "attached"})


@asynccontextmanager
async def waiting_room(settings: Settings, database: Database) -> AsyncIterator[Settling]:
    with ThreadPoolExecutor(2) as threads:
        settling = Settling(database, settings.api_sockets, threads)
        settling.open()
        try:
            yield settling
        finally:
            settling.close()


def set_status(database: Database, status: str) -> None:
    with database.write() as db:
        db.execute(update(attachments).values(status=status))


async def heard(settings: Settings, settling: Settling) -> asyncio.Event:
    """News that came during a call."""
    news = settling.next_news
    journal.wake_all(settings.api_sockets)
    await asyncio.wait_for(news.wait(), 10)
    return news


def test_what_came_during_the_call_is_not_missed(settings: Settings, database: Database, attached: None) -> None:
    async def main() -> None:
        async with waiting_room(settings, database) as settling:
            assert await settling.wait({ENI, "eni-unknown"}, await heard(settings, settling), 5)

    started = time.monotonic()
    asyncio.run(main())
    assert time.monotonic() - started < 2


def test_nobody_looks_before_there_is_news(
    settings: Settings, database: Database, attached: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        async with waiting_room(settings, database) as settling:
            monkeypatch.delattr(Database, "read")
            assert not await settling.wait({ENI}, settling.next_news, 0.1)

    asyncio.run(main())


@pytest.mark.parametrize("end", ["attached", "gone"])
def test_the_agents_word_ends_the_wait(settings: Settings, database: Database, attached: None, end: str) -> None:
    set_status(database, "attaching" if end == "attached" else "detaching")

    async def main() -> None:
        async with waiting_room(settings, database) as settling:
            waits = [asyncio.create_task(settling.wait({ENI}, settling.next_news, 20)) for _ in range(3)]
            journal.wake_all(settings.api_sockets)  # news, but not of this interface
            done, _ = await asyncio.wait(waits, timeout=0.1)
            assert not done
            if end == "attached":
                set_status(database, "attached")
            else:
                with database.write() as db:
                    db.execute(delete(attachments))
            journal.wake_all(settings.api_sockets)
            assert await asyncio.wait_for(asyncio.gather(*waits), 10) == [True] * 3

    asyncio.run(main())


def test_the_wait_is_bounded_and_holds_no_transaction(
    settings: Settings, database: Database, attached: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_status(database, "attaching")
    entered, left = [], []
    read = database.read

    @contextmanager
    def counted() -> Iterator[Connection]:
        entered.append(1)
        with read() as db:
            yield db
        left.append(1)

    def open_transactions() -> int:
        assert entered
        return len(entered) - len(left)

    monkeypatch.setattr(database, "read", counted)

    async def main() -> None:
        async with waiting_room(settings, database) as settling:
            assert not await settling.wait({ENI}, settling.next_news, 0.1)
            wait = asyncio.create_task(settling.wait({ENI}, await heard(settings, settling), 0.2))
            await asyncio.wait([wait], timeout=0.1)
            assert open_transactions() == 0
            assert not await wait

    asyncio.run(main())


def test_trouble_while_looking_ends_the_wait(
    settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> Any:
        raise OSError("the store is away")

    async def main() -> None:
        async with waiting_room(settings, database) as settling:
            monkeypatch.setattr(database, "read", broken)
            assert not await settling.wait({ENI}, await heard(settings, settling), 5)

    asyncio.run(main())


def test_a_dead_ones_socket_goes_and_only_the_agent_may_knock(settings: Settings, database: Database) -> None:
    settings.api_sockets.mkdir(parents=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as dead:
        dead.bind(str(settings.api_sockets / "dead.sock"))

    async def main() -> None:
        async with waiting_room(settings, database):
            (mine,) = settings.api_sockets.iterdir()
            assert mine.name != "dead.sock"
            assert stat.S_IMODE(mine.stat().st_mode) == 0o600, "the agent is root"

    asyncio.run(main())
    assert list(settings.api_sockets.iterdir()) == []


def test_every_process_hears_the_agent(settings: Settings, database: Database, attached: None) -> None:
    """Also the one that was there before the other came, and after that has gone."""

    async def main() -> None:
        async with waiting_room(settings, database) as first:
            async with waiting_room(settings, database) as second:
                news = first.next_news, second.next_news
                journal.wake_all(settings.api_sockets)
                await asyncio.wait_for(asyncio.gather(*(each.wait() for each in news)), 10)
            await heard(settings, first)

    asyncio.run(main())


class Agent:
    """Carries out a detachment when woken, as the real one would."""

    def __init__(self, settings: Settings, database: Database) -> None:
        settings.run_dir.mkdir(parents=True, exist_ok=True)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(settings.agent_socket))
        self._socket.settimeout(10)
        self._database = database
        self._apis: Path = settings.api_sockets

    def carry_out(self) -> None:
        self._socket.recv(1)
        with self._database.write() as db:
            db.execute(delete(attachments))
        journal.wake_all(self._apis)

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def agent(settings: Settings, database: Database) -> Iterator[Agent]:
    agent = Agent(settings, database)
    yield agent
    agent.close()


def test_a_call_answers_when_the_agent_is_done(agent: Agent, attached: None, database: Database, client: Any) -> None:
    with ThreadPoolExecutor(1) as pool:
        work = pool.submit(agent.carry_out)
        client.detach_network_interface(AttachmentId="eni-attach-1")
        with database.read() as db:
            assert db.execute(attachments.select()).all() == []  # it was so when we were told
        work.result(10)


def test_without_an_agent_the_call_answers_after_the_timeout(
    database: Database, attached: None, settings: Settings, endpoint: str
) -> None:
    client = boto_client("ec2", endpoint)
    started = time.monotonic()
    client.detach_network_interface(AttachmentId="eni-attach-1")
    assert time.monotonic() - started >= settings.settle_timeout
    client.close()
