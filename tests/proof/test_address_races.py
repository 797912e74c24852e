"""One subnet, 64 clients who want its addresses, servers that are killed: nobody gets what another one has.

Clients create and delete interfaces, assign, move and give back addresses, let Elastic IPs stand for them, and look;
which interface and which address, many of them want at once. In between they all stop, and what there is then is
compared with what they were told. Their histories must make sense (:mod:`address_history`).
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Iterator, Mapping

import pytest
import scale
from address_clients import FREE, RESERVED, Subnet, everybody_asks, mentioned
from address_history import Event, Histories, Shown
from api_processes import Apis, running_apis
from callers import BUSY, NEVER, Caller

from enid.settings import Quotas

CALLS = scale.amount(10_000, 100_000)
"""On each store."""
ROUND = 2_500
"""Calls before everybody stops."""
KILLS = 1
"""Servers killed in a round."""


@pytest.fixture
def apis(database_url: str) -> Iterator[Apis]:
    """As enid runs it on SQLite, two processes on PostgreSQL."""
    with running_apis(2 if database_url else 1, database_url, quotas=Quotas(addresses=100)) as made:
        yield made


def test_nobody_gets_what_another_one_has(apis: Apis) -> None:
    seed = scale.first_seed()
    print(f"\nseed {seed} (SEED={seed})")
    outcomes: Counter[str] = Counter()
    begun = time.monotonic()
    with Caller(apis.ports, apis.key, random.Random(seed)) as caller:
        subnet, there, done = Subnet.make(caller), {}, 0
        while done < CALLS:
            events = everybody_asks(apis, subnet, seed + done, min(ROUND, CALLS - done), KILLS)
            apis.quiet()
            there = judge(subnet, caller, there, events)
            outcomes.update(event.reply.code or ("done" if event.reply.answered else "unknown") for event in events)
            done += len(events)
    print(f"{done} calls in {time.monotonic() - begun:.0f} s: {dict(outcomes.most_common())}")
    assert not (NEVER | BUSY) & outcomes.keys()
    assert outcomes["done"] > done // 4, "too little happened to prove anything"


def judge(subnet: Subnet, caller: Caller, before: Mapping[str, Shown], events: list[Event]) -> dict[str, Shown]:
    """What there is, now that all is quiet; and whether it, and what clients saw, can be."""
    reply, there = subnet.shown(caller)
    held = [address for shown in there.values() for address in shown]
    assert len(held) == len(set(held)), "an address is held twice"
    assert not RESERVED & set(held)
    assert subnet.available(caller) == FREE - len(held)
    known = mentioned(events) | before.keys()
    assert there.keys() <= known, "an interface that nobody was told of"
    last = [Event("show", reply, interface=id_, shown=shown) for id_, shown in there.items()]
    free = [Event("show", reply, wanted=(f"10.0.1.{n}",)) for n in range(256) if f"10.0.1.{n}" not in held]
    gone = [Event("missing", reply, interface=id_) for id_ in known - there.keys()]
    found = Histories(before, [*events, *last, *free, *gone]).contradictions()
    assert not found, "\n".join(found[:5])
    subnet.interfaces = set(there)
    return there
