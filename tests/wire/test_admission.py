"""What is too much is refused at once, in AWS's words, and not begun."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from enid.ec2.errors import AwsError
from enid.settings import Throttle
from enid.wire import admission
from enid.wire.admission import Admission
from enid.wire.dispatch import Answer
from enid.wire.throttle import Buckets


def test_more_than_fit_are_refused_while_the_others_are_answered() -> None:
    gate, begun = threading.Event(), []

    def work() -> Answer:
        begun.append(1)
        gate.wait(10)
        return Answer(200, b"", "r")

    async def flood() -> list[Answer]:
        with ThreadPoolExecutor(1) as threads:
            queue = Admission(threads, 3)
            waiting = [asyncio.create_task(queue.answer(work)) for _ in range(3)]
            await asyncio.sleep(0)
            refused = [await queue.answer(work) for _ in range(2)]
            gate.set()
            return [*await asyncio.gather(*waiting), *refused, await queue.answer(work)]

    answers = asyncio.run(flood())
    assert [answer.status for answer in answers] == [200, 200, 200, 503, 503, 200]
    assert b"<Code>RequestLimitExceeded</Code>" in answers[3].body
    assert len(begun) == 4


def test_who_waited_too_long_is_refused_and_not_carried_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission, "LONGEST_WAIT", -1.0)
    begun: list[int] = []

    async def ask() -> Answer:
        with ThreadPoolExecutor(1) as threads:
            return await Admission(threads, 1).answer(lambda: Answer(200, bytes(begun.append(1) or 0), "r"))

    assert asyncio.run(ask()).code == "RequestLimitExceeded"
    assert begun == []


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def taken(buckets: Buckets, account: str, reads: bool) -> int:
    """How many calls are let through now."""
    for count in range(100):
        try:
            buckets.take(account, reads)
        except AwsError:
            return count
    return 100


def test_a_bucket_empties_and_fills_for_each_account_by_itself() -> None:
    clock = Clock()
    buckets = Buckets(Throttle(writes_per_second=5, writes_burst=10), clock)
    assert taken(buckets, "1", reads=False) == 10
    with pytest.raises(AwsError, match="RequestLimitExceeded"):
        buckets.take("1", reads=False)
    clock.now = 1.0
    assert taken(buckets, "1", reads=False) == 5
    assert taken(buckets, "2", reads=False) == 10
    clock.now = 100.0
    assert taken(buckets, "1", reads=False) == 10
    assert taken(buckets, "1", reads=True) == 100, "a rate of 0 is no limit"
