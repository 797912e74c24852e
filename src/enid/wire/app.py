"""The HTTP application: reads a request, hands it to a thread, waits for what is settling, answers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Route

from enid.ec2.errors import AwsError
from enid.ec2.registry import OPERATIONS, Operation
from enid.settings import Settings
from enid.store.database import Database
from enid.wire.admission import Admission
from enid.wire.dispatch import Answer, Dispatcher, refuse
from enid.wire.housekeeping import housekeeping
from enid.wire.metrics import CONTENT_TYPE, Metrics
from enid.wire.request import BODY_LIMIT, Request
from enid.wire.settling import Settling

_THREADS, _CHORES = 24, 4  # below the store's 30 connections, so that no thread waits for one


def create_app(
    settings: Settings,
    database: Database,
    *,
    operations: Mapping[str, Operation] | None = None,
    strict: bool = False,
) -> Starlette:
    """The API: ``POST /`` and ``GET /``, and ``GET /metrics`` unless it is switched off.

    :param operations: what is supported, by name; all of enid's unless told otherwise
    :param strict: a result that does not fit AWS's model is an internal error instead of being trimmed; for tests
    """
    dispatcher = Dispatcher(settings, database, _catalogue() if operations is None else operations, strict=strict)
    threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="call")
    admission = Admission(threads, settings.calls_at_once)
    chores = ThreadPoolExecutor(_CHORES, thread_name_prefix="chore")  # these do not stand behind calls
    settling = Settling(database, settings.api_sockets, chores)
    metrics = Metrics(settings, database)

    async def call(http: HttpRequest) -> Response:
        with metrics.call() as begun:
            body = await _body(http)
            if body is None:
                answer, close = _too_large(), True  # the rest of the body is not worth reading
            else:
                request = Request(http.method, http.scope["query_string"], http.scope["headers"], body)
                answer, close = await answered(request), False
            metrics.answered(answer.operation, answer.code, begun)
            return _response(answer, close=close)

    async def answered(request: Request) -> Answer:
        news = settling.next_news
        answer = await admission.answer(partial(dispatcher.answer, request))
        if answer.settling:
            begun = time.perf_counter()
            metrics.settled(await settling.wait(answer.settling, news, settings.patience), begun)
        return answer

    async def show_metrics(_http: HttpRequest) -> Response:
        page = await asyncio.get_running_loop().run_in_executor(chores, metrics.page)
        return Response(page, headers={"content-type": CONTENT_TYPE})

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        settling.open()
        house = asyncio.create_task(housekeeping(database, chores))
        try:
            yield
        finally:
            house.cancel()
            settling.close()
            threads.shutdown()
            chores.shutdown()

    routes = [Route("/", call, methods=["GET", "POST"])]
    if settings.metrics:
        routes.append(Route("/metrics", show_metrics, methods=["GET"]))
    return Starlette(routes=routes, lifespan=lifespan)


def _catalogue() -> Mapping[str, Operation]:
    import enid.ec2.catalogue  # noqa: F401  # registers the operations; late, since the wire does not depend on them

    return OPERATIONS


async def _body(http: HttpRequest) -> bytes | None:
    """The body; ``None`` when it is larger than the limit or never came whole."""
    parts, size = [], 0
    try:
        async for part in http.stream():
            size += len(part)
            if size > BODY_LIMIT:
                return None
            parts.append(part)
    except ClientDisconnect:
        return None
    return b"".join(parts)


def _too_large() -> Answer:
    message = f"The request's body may have up to {BODY_LIMIT} bytes."
    return refuse(AwsError("RequestEntityTooLarge", message, 413))


def _response(answer: Answer, *, close: bool) -> Response:
    headers = {"x-amzn-requestid": answer.request_id}
    if close:
        headers["connection"] = "close"
    return Response(answer.body, answer.status, headers, media_type="text/xml;charset=UTF-8")
