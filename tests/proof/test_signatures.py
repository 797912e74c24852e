"""No request but the one its holder of a key has signed is accepted, however like it may be. No root, no sockets."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
import scale
from signature_mutants import REGIONS, blind, crafted, rewritten
from signed_requests import accepted, meaning, parsed, signed

MUTANTS = scale.amount(100_000, 1_000_000)
CALL = {"Action": "CreateVpc", "Version": "2016-11-15", "CidrBlock": "10.0.0.0/16", "Tag.1.Value": "é &="}
WHO = {"Action": "GetCallerIdentity", "Version": "2011-06-15"}


def originals() -> list[bytes]:
    return [
        signed(CALL),
        signed(CALL, query="Beside=a%20b&Other=%E1%88%B4"),
        signed(CALL, **{"X-Amz-Target": "two  words"}),
        signed(WHO, service="sts"),
        signed(CALL, presigned=60),
        signed(WHO, service="sts", presigned=604_800),
    ]


def is_accepted(request: bytes, now: datetime | None = None) -> bool:
    read = parsed(request)
    return read is not None and accepted(read, now or datetime.now(UTC))


@pytest.mark.parametrize("name", rewritten(CALL))
def test_the_same_in_other_bytes_is_accepted(name: str) -> None:
    request = rewritten(CALL)[name]
    assert is_accepted(request)
    first, second = parsed(signed(CALL)), parsed(request)
    assert first is not None
    assert second is not None
    assert meaning(second) is not None


@pytest.mark.parametrize("name", crafted(CALL))
def test_what_an_attacker_would_try_is_refused(name: str) -> None:
    assert not is_accepted(crafted(CALL)[name])


@pytest.mark.parametrize("hours", [-24 * 365, -1, -0.1, 0.1, 1, 24 * 365])
def test_not_at_another_time(hours: float) -> None:
    later = datetime.now(UTC) + timedelta(hours=hours)
    assert not is_accepted(signed(CALL), later)
    assert not is_accepted(signed(CALL, presigned=300), later)
    assert is_accepted(signed(CALL, presigned=604_800), later) is (0 < hours < 168)


def test_no_mutant_is_accepted() -> None:
    seed = scale.first_seed()
    random, now = Random(seed), datetime.now(UTC)
    base = [(request, meaning(read)) for request in originals() if (read := parsed(request))]
    assert all(is_accepted(request, now) for request, _ in base)
    outcomes: Counter[str] = Counter()
    regions: Counter[str] = Counter()
    while sum(regions.values()) < MUTANTS:
        request, meant = random.choice(base)
        region, mutant = blind(random, request)
        read = parsed(mutant)
        good = read is not None and accepted(read, now)
        same = mutant == request or (good and read is not None and meaning(read) == meant)
        assert same or not good, f"seed {seed} (SEED={seed}): accepted {mutant!r}\nfor {request!r}"
        outcomes["the same" if same else "no request" if read is None else "refused"] += 1
        regions[region] += not same
    assert set(regions) == set(REGIONS)
    assert outcomes["refused"] > MUTANTS // 2
    print(f"{MUTANTS} mutants from seed {seed}: {dict(outcomes)}; by region: {dict(regions)}")
