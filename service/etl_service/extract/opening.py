"""Opening the source that a document names."""

from __future__ import annotations

import asyncio
import random as randomness
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from etl_service.extract.auth import SecretReader
from etl_service.extract.body import Allowance
from etl_service.extract.envelope import Wanted, parse_pointer
from etl_service.extract.errors import AddressUnusable, PaginationInvalid, Place
from etl_service.extract.file import FileFetch
from etl_service.extract.gate import Gate
from etl_service.extract.incremental import begin
from etl_service.extract.limiter import Turns
from etl_service.extract.pagination import Pager, pager
from etl_service.extract.sample import SampleFetch
from etl_service.extract.source import Source
from etl_service.extract.urls import Redactor, with_params
from etl_service.extract.window import Fetch
from etl_service.model import SourceStats
from etl_service.spec import Extract, Share
from etl_service.spec.request import as_text

if TYPE_CHECKING:
    import httpx


def utc_now() -> datetime:
    return datetime.now(UTC)


@asynccontextmanager
async def open_source(
    extract: Extract,
    *,
    secrets: SecretReader,
    base: Path,
    cursor: str | int | float | None = None,
    share: Share | None = None,
    turns: Turns | None = None,
    clock: Callable[[], datetime] = utc_now,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    random: Callable[[], float] = randomness.random,
    gate: Gate | None = None,
    environ: Mapping[str, str] = {},
    transport: httpx.AsyncBaseTransport | None = None,
) -> AsyncGenerator[Source, None]:
    """Open the source; nothing is asked of it until its chunks are. Leaving ends all that is under way.

    Args:
        secrets: reads a secret; asked once for each that is needed, before the first request.
        base: where relative ``file:`` sources start.
        cursor: the greatest value of the incremental column that is loaded; None on the first run.
        share: what of it is read; all where none is given.
        turns: whose turn it is to ask, where others read the source at the same time.
        clock: tells the time, with its zone.
        sleep: waits between attempts, and for a request's turn.
        random: a number from 0 to 1, for the pauses between attempts.
        gate: judges the addresses that are connected to; without it, all may be.
        environ: where proxies are named, as in ``HTTPS_PROXY``.
        transport: takes the place of the network.

    Raises:
        SpecError: a secret is not where the document says.
        SourceError: the document asks for something that cannot be done.
    """
    key = extract.auth.api_key if extract.auth else None
    redactor = Redactor((key.name,) if key and key.in_ == "query" else ())
    place = Place(redactor.url(extract.url))
    pages = _pager(extract, cursor, share or Share(0, ""), place)
    wanted = _wanted(extract, pages, place)
    stats = SourceStats()
    async with AsyncExitStack() as stack:
        allowance = Allowance(stats, extract.limits.max_bytes)
        match extract.url.partition(":")[0]:
            case "sample":
                fetch: Fetch = SampleFetch(wanted, allowance)
            case "file":
                fetch = FileFetch(base, wanted, allowance)
            case "http" | "https":
                # Not imported where nothing asks for it; nor is httpx's own command line, with all of rich behind it.
                sys.modules.setdefault("httpx._main", ModuleType("httpx._main"))
                from etl_service.extract.http import open_http

                opened = open_http(
                    extract,
                    wanted,
                    redactor=redactor,
                    stats=stats,
                    secrets=secrets,
                    clock=clock,
                    sleep=sleep,
                    random=random,
                    gate=gate,
                    environ=environ,
                    transport=transport,
                    turns=turns,
                )
                fetch = await stack.enter_async_context(opened)
            case _:
                raise AddressUnusable("it begins with none of https:, http:, file: and sample:", place)
        source = Source(fetch, pages, extract.limits, redactor, stats)
        stack.push_async_callback(source.close)
        yield source


def _pager(extract: Extract, cursor: str | int | float | None, share: Share, place: Place) -> Pager:
    """How the document's pages are asked for, from the first with all its parameters."""
    params = {name: as_text(value) for name, value in extract.params.items()} | share.params
    if extract.incremental is not None:
        params[extract.incremental.param] = begin(extract.incremental, cursor, place)
    first = share.index if share.stride > 1 else 0
    return pager(extract.pagination, with_params(extract.url, params), stride=share.stride, index=first)


def _wanted(extract: Extract, pages: Pager, place: Place) -> Wanted:
    """Where to look in a body.

    Raises:
        PaginationInvalid: within the records, which pass by without being looked at.
    """
    records = parse_pointer(extract.records)
    for pointer in (pages.total, pages.next):
        if pointer is not None and pointer[: len(records)] == records:
            what = f"/{'/'.join(pointer)} is within the records, which are at {extract.records or 'the top'}"
            raise PaginationInvalid(what, place)
    return Wanted(records, total=pages.total, next=pages.next)
