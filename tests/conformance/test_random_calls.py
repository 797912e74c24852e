"""Whatever two accounts ask, one call after the other: never an internal error, every refusal in AWS's envelope, and
nothing is changed by a call that was refused, that only read, or that only asked whether it might (``DryRun``).

A walk begins in a store with something of everything and goes wherever its calls lead; now and then what the agent does
is done. ``SEED=n`` walks the same way again.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import urlencode
from xml.etree import ElementTree

import pytest
from api_server import Api, serve
from botocore.parsers import create_parser
from botocore.serialize import create_serializer
from populated import populate
from random_requests import Flat, Known, Requests
from scale import amount, first_seed
from world import World

import enid.ec2.catalogue  # noqa: F401  (registers every operation)
from accounts import model
from enid.ec2.registry import OPERATIONS
from enid.settings import Quotas
from enid.store import tallies
from enid.store.tables import metadata
from enid.wire.dispatch import Answer, Dispatcher
from enid.wire.keys import AccessKey
from enid.wire.request import Request
from enid.wire.sigv4 import Claim

CALLS = amount(2_000, 100_000)
STEPS = 250
"""Calls of one walk."""
QUOTAS = Quotas(network_interfaces=60, vpcs=9, addresses=9, internet_gateways=9, network_acls_per_vpc=4)
CHANGING = sorted(name for name, operation in OPERATIONS.items() if not operation.reads)
READING = sorted(name for name, operation in OPERATIONS.items() if operation.reads)
KINDS = (
    *("Addresses", "CustomerGateways", "DhcpOptions", "EgressOnlyInternetGateways", "FlowLogs", "Instances"),
    *("InternetGateways", "KeyPairs", "ManagedPrefixLists", "NatGateways", "NetworkAcls", "NetworkInsightsPaths"),
    *("NetworkInterfacePermissions", "NetworkInterfaces", "RouteTables", "SecurityGroupRules", "SecurityGroups"),
    *("Subnets", "Tags", "VpcEndpoints", "VpcPeeringConnections", "Vpcs", "VpnConnections", "VpnGateways"),
)
LISTING = [f"Describe{kind}" for kind in KINDS]


class Trusting(Dispatcher):
    """Takes callers at their word: signatures have tests of their own, and cost as much as a call."""

    def _authenticate(self, request: Request, claim: Claim) -> AccessKey:
        return AccessKey("", "", claim.access_key_id)


class Walk:
    """One way through the store, by one seed."""

    def __init__(self, place: Place, seed: int) -> None:
        self.place, self.seed, self.rng = place, seed, Random(seed)
        self.known = Known(self.rng, place.accounts)
        self.requests = Requests(self.rng, self.known)
        self.trail: list[str] = []

    def run(self, calls: int) -> None:
        self.place.rewind()
        for account in self.place.accounts:
            self.look(account)
        for _ in range(calls):
            if self.rng.random() < 0.06:
                self.trail.append("(the agent)")
                self.place.api.agent()
            self.step()
        self.look(self.rng.choice(self.place.accounts))
        self.place.check()

    def step(self) -> None:
        rng = self.rng
        account = self.place.accounts[rng.random() < 0.1]
        action = rng.choice(READING if rng.random() < 0.15 else CHANGING)
        flat = written(action, self.requests.of(model(OPERATIONS[action].service).operation_model(action)))
        if rng.random() < 0.05:
            flat["ClientToken"] = rng.choice(("a", "b", "ü" * 64, "x" * 129))
        if rng.random() < 0.12:
            flat = self.requests.spoilt(flat)
        if rng.random() < 0.15 and OPERATIONS[action].service == "ec2":
            self.ask_and_do(account, action, flat)
        else:
            self.call(account, action, flat)

    def ask_and_do(self, account: str, action: str, flat: Flat) -> None:
        """With ``DryRun`` it says what it does without, and does nothing."""
        asked = self.call(account, action, {**flat, "DryRun": "true"})
        assert asked.status != 200, self.told("DryRun was ignored", asked)
        done = self.call(account, action, {**flat, "DryRun": "false"})
        expected = "DryRunOperation" if done.status == 200 else done.code
        assert asked.code == expected, self.told(f"DryRun said {asked.code}, then it was {done.code or 'done'}", done)

    def call(self, account: str, action: str, flat: Flat) -> Answer:
        self.trail.append(f"{account} {flat}"[:1500])
        before = self.place.version()
        answer = self.place.call(account, action, flat)
        self.place.seen[action, answer.code] += 1
        assert answer.status < 500, self.told("internal error", answer)
        if answer.status == 200:
            if self.rng.random() < 0.1:
                parsed_by_botocore(action, answer)
            self.known.learn(answer.body)
        else:
            assert is_envelope(answer.body), self.told("no envelope of AWS's", answer)
        if answer.status != 200 or action in READING:
            assert self.place.version() == before, self.told("it changed the store", answer)
        return answer

    def look(self, account: str) -> None:
        """Everything can be listed."""
        for action in LISTING:
            answer = self.call(account, action, written(action, {}))
            assert answer.status == 200, self.told("it cannot be listed", answer)

    def told(self, what: str, answer: Answer) -> str:
        last = "\n".join(self.trail[-12:])
        return f"SEED={self.seed}: {what}\n{answer.status} {answer.body.decode()[:600]}\n{last}"


class Place:
    """The store, as it was at the beginning whenever that is wanted."""

    def __init__(self, served: Any, directory: Path) -> None:
        self.api, other = Api(*served), Api(*served)
        populate(self.api)
        neighbour = World(other)
        neighbour.eni()
        neighbour.elastic()
        self.accounts = (self.api.account_id, other.account_id)
        self.seen: Counter[tuple[str, str]] = Counter()
        self._dispatcher = Trusting(self.api.settings, self.api.database, OPERATIONS, strict=True)
        self._watch = sqlite3.connect(self.api.settings.url.removeprefix("sqlite:///"))
        self._pristine = sqlite3.connect(directory / "pristine.db")
        self._watch.backup(self._pristine)

    def close(self) -> None:
        self._watch.close()
        self._pristine.close()

    def rewind(self) -> None:
        self._pristine.backup(self._watch)

    def version(self) -> int:
        """Another one after every commit that wrote a byte."""
        return int(self._watch.execute("PRAGMA data_version").fetchone()[0])

    def call(self, account: str, action: str, flat: Flat) -> Answer:
        service = OPERATIONS[action].service
        authorization = (
            f"AWS4-HMAC-SHA256 Credential={account}/20260101/us-east-1/{service}/aws4_request, "
            "SignedHeaders=host, Signature=0"
        )
        headers = {"host": "127.0.0.1", "authorization": authorization, "x-amz-date": "20260101T000000Z"}
        written_headers = [(name.encode(), value.encode()) for name, value in headers.items()]
        return self._dispatcher.answer(Request("POST", b"", written_headers, urlencode(flat).encode()))

    def check(self) -> None:
        """The store is whole: nothing points to what is gone, and counts that are kept are right."""
        assert self._watch.execute("PRAGMA foreign_key_check").fetchall() == []
        kept = self._tallies()
        with self.api.database.write() as db:
            tallies.keep(db)
        assert kept == self._tallies()

    def _tallies(self) -> dict[tuple[str, str], int]:
        rows = self._watch.execute(f"SELECT kind, owner, number FROM {metadata.tables['tallies'].name}")
        return {(kind, owner): number for kind, owner, number in rows if number}


def written(action: str, params: dict[str, Any]) -> Flat:
    """As botocore writes it."""
    service = model(OPERATIONS[action].service)
    serializer = create_serializer(service.metadata["protocol"], False)
    request = serializer.serialize_to_request(params, service.operation_model(action))
    return {name: str(value) for name, value in request["body"].items()}


def parsed_by_botocore(action: str, answer: Answer) -> dict[str, Any]:
    service = model(OPERATIONS[action].service)
    response = {"status_code": answer.status, "headers": {}, "body": answer.body}
    return create_parser(service.metadata["protocol"]).parse(response, service.operation_model(action).output_shape)


def is_envelope(body: bytes) -> bool:
    root = ElementTree.fromstring(body)
    if root.tag.endswith("ErrorResponse"):  # STS
        return True
    (error,) = root.findall("Errors/Error")
    return bool(error.findtext("Code") and error.findtext("Message") and root.findtext("RequestID"))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    directory = tmp_path_factory.mktemp("calls")
    with serve(directory, quotas=QUOTAS) as served:
        place = Place(served, directory)
        yield place
        place.close()


def test_no_call_breaks_anything(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    seed, left = first_seed(), CALLS
    while left > 0:
        print(f"SEED={seed}")
        rng = Random(-seed - 1)  # ids and choices of enid's own, so that a walk can be walked again
        monkeypatch.setattr(secrets, "token_hex", lambda size, rng=rng: rng.randbytes(size).hex())
        monkeypatch.setattr(secrets, "token_bytes", rng.randbytes)
        monkeypatch.setattr(secrets, "randbelow", rng.randrange)
        monkeypatch.setattr(secrets, "randbits", rng.getrandbits)
        monkeypatch.setattr(secrets, "choice", rng.choice)
        Walk(place, seed).run(min(left, STEPS))
        seed, left = seed + 1, left - STEPS
    done = {action for action, code in place.seen if not code}
    codes = {code for _, code in place.seen}
    print(f"{place.seen.total()} calls, {len(done)} of {len(OPERATIONS)} operations succeeded, {len(codes)} codes")
    assert len(done.intersection(CHANGING)) > len(CHANGING) / 2, "the walks lead nowhere"
