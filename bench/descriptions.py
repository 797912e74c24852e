"""What a filtered Describe takes among ten thousand interfaces, beside a hundred: two APIs, each with a store of its
own, asked the same in turns. Of each operation the question that fares worst is the figure.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import cache
from itertools import groupby
from pathlib import Path
from statistics import median
from time import perf_counter

from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.serialize import create_serializer
from sqlalchemy import select

from bench.client import Client
from bench.crowd import Crowd
from bench.figures import Figure
from bench.measure import interleave, ratio
from bench.moto import answering, free_port
from bench.plan import Bench, Plan
from bench.questions import Question, questions
from enid.settings import Settings
from enid.store import tables as t
from enid.store.database import Database
from enid.supervisor.bootstrap import prepare
from enid.supervisor.control import SETTINGS

FEW, MANY = 100, 10_000
GOAL = 2.0
ASKED = 4
"""Calls in one round of a question."""


def run(plan: Plan) -> Iterable[Figure]:
    with ExitStack() as stack:
        (few, here), (many, there) = (stack.enter_context(_crowded(number)) for number in (FEW, MANY))
        pairs = sorted(zip(questions(few), questions(many), strict=True), key=_action)
        for action, asked in groupby(pairs, key=_action):
            if plan.wants(_name(action)):
                yield max((_figure(plan, (here, there), pair) for pair in asked), key=lambda figure: figure.ratio or 0)


def _action(pair: tuple[Question, Question]) -> str:
    return pair[0].action


def _name(action: str) -> str:
    """``DescribeRouteTables`` → ``flat_DescribeRouteTables``."""
    return f"flat_{action}"


def _figure(plan: Plan, clients: tuple[Client, Client], asked: tuple[Question, Question]) -> Figure:
    few, many = (_asking(*pair) for pair in zip(clients, asked, strict=True))
    samples = interleave({"few": few, "many": many}, plan.rounds(40))
    return Figure(
        _name(asked[0].action),
        median(samples["many"]),
        "ms",
        GOAL,
        at_least=False,
        baseline=median(samples["few"]),
        ratio=ratio(samples["many"], samples["few"]),
    )


def _asking(client: Client, question: Question) -> Callable[[], float]:
    """A round: milliseconds of the quickest of a few calls, which had the processor to itself if any had."""
    parameters = _written(question)
    action, _ = parameters.pop("Action"), parameters.pop("Version")

    def ask() -> float:
        taken = []
        for _ in range(ASKED):
            begun = perf_counter()
            client.call(action, **parameters)
            taken.append(perf_counter() - begun)
        return min(taken) * 1000

    return ask


def _written(question: Question) -> dict[str, str]:
    """The parameters as the query protocol writes them."""
    request = create_serializer("ec2", False).serialize_to_request(
        question.params, _model().operation_model(question.action)
    )
    return dict(request["body"])


@cache
def _model() -> ServiceModel:
    return ServiceModel(Loader().load_service_model("ec2", "service-2"), "ec2")


@contextmanager
def _crowded(interfaces: int) -> Iterator[tuple[Crowd, Client]]:
    """An API alone, on a store with so many interfaces."""
    directory = Path(tempfile.mkdtemp(prefix="enid-bench-", dir="/var/tmp"))
    directory.chmod(0o711)  # the API has a user of its own
    settings = Settings(state_dir=directory / "state", run_dir=directory / "run", port=free_port())
    try:
        prepare(settings)
        crowd, key = _fill(settings, interfaces)
        with _serving(settings):
            client = Client(settings.port, key["id"], key["secret"])
            yield crowd, client
            client.close()
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _fill(settings: Settings, interfaces: int) -> tuple[Crowd, Mapping[str, str]]:
    database = Database(settings.url)
    try:
        with database.read() as db:
            key = db.execute(select(t.access_keys)).mappings().one()
        crowd = Crowd(key["account_id"], interfaces)
        crowd.write(database)
        return crowd, dict(key)
    finally:
        database.close()


@contextmanager
def _serving(settings: Settings) -> Iterator[None]:
    environment = {**os.environ, SETTINGS: settings.model_dump_json()}
    server = subprocess.Popen([sys.executable, "-m", "enid.supervisor", "api"], env=environment)
    try:
        answering(settings.port)
        yield
    finally:
        server.terminate()
        server.wait()


BENCH = Bench("descriptions", tuple(sorted({_name(one.action) for one in questions(Crowd("", FEW))})), run)
