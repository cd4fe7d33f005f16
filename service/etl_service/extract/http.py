"""Sources that are asked over HTTP."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from http.cookiejar import DefaultCookiePolicy

import httpx

from etl_service import __version__
from etl_service.extract.auth import SecretReader, credentials
from etl_service.extract.body import ACCEPTED, Allowance
from etl_service.extract.client import Client
from etl_service.extract.envelope import Wanted
from etl_service.extract.errors import Place
from etl_service.extract.gate import Gate
from etl_service.extract.limiter import Limiter, Turns
from etl_service.extract.network import ways
from etl_service.extract.urls import Redactor
from etl_service.extract.window import Fetch
from etl_service.extract.wire import Wire
from etl_service.model import SourceStats
from etl_service.spec import Extract, Limits

# They write down addresses and headers as they are sent, secrets included.
for _library in ("httpx", "httpcore", "hpack"):
    logging.getLogger(_library).setLevel(logging.WARNING)

HEADERS = {
    "User-Agent": f"etlpipeline/{__version__}",
    "Accept": "application/json, application/x-ndjson;q=0.9, */*;q=0.5",
    "Accept-Encoding": ACCEPTED,
}


@asynccontextmanager
async def open_http(
    extract: Extract,
    wanted: Wanted,
    *,
    redactor: Redactor,
    stats: SourceStats,
    secrets: SecretReader,
    clock: Callable[[], datetime],
    sleep: Callable[[float], Awaitable[None]],
    random: Callable[[], float],
    gate: Gate | None,
    environ: Mapping[str, str],
    transport: httpx.AsyncBaseTransport | None,
    turns: Turns | None,
) -> AsyncGenerator[Fetch, None]:
    """Gives what fetches a page, and keeps its connections as long as it is open.

    Raises:
        SpecError, SecretUnusable: a secret cannot be read or sent.
        ProxyUnusable: the environment names a proxy that is none.
    """
    now = asyncio.get_running_loop().time
    limiter = Limiter(extract.limits.requests_per_second, now=now, sleep=sleep, turns=turns)
    place = Place(redactor.url(extract.url))
    async with _http(extract, gate, environ, transport, place) as http:
        wire = Wire(http, limiter, redactor, stats, clock)
        client = Client(
            extract=extract,
            wanted=wanted,
            wire=wire,
            credentials=credentials(extract.auth, secrets, post=wire.post, learn=redactor.learn, clock=clock),
            allowance=Allowance(stats, extract.limits.max_bytes),
            redactor=redactor,
            stats=stats,
            sleep=sleep,
            random=random,
        )
        yield client.fetch


def _http(
    extract: Extract,
    gate: Gate | None,
    environ: Mapping[str, str],
    transport: httpx.AsyncBaseTransport | None,
    place: Place,
) -> httpx.AsyncClient:
    limits: Limits = extract.limits
    mounts: Mapping[str, httpx.AsyncBaseTransport | None] = {}
    if transport is None:
        transport, mounts = ways(
            gate,
            environ,
            http2=extract.url.startswith("https:"),  # without TLS nothing negotiates it, and the import takes time
            limits=httpx.Limits(max_connections=limits.concurrency, max_keepalive_connections=limits.concurrency),
            place=place,
        )
    http = httpx.AsyncClient(
        headers=HEADERS,
        # a wait for one of our own connections is not the source's silence
        timeout=httpx.Timeout(limits.timeout.total_seconds(), pool=None),
        transport=transport,
        mounts=mounts,
    )
    # a cookie would be a credential that nobody keeps at home, and would make requests depend on each other
    http.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=()))
    return http
