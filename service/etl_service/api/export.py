"""All that matches, as a stream: in constant memory, and without keeping other requests waiting."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

from fastapi.responses import StreamingResponse

from etl_service.api.encoding import Encoder, csv_header, csv_rows, ndjson
from etl_service.load.store import Query, Row, Store, Table

#: By the name that ``format`` gives them.
MEDIA_TYPES = {"json": "application/json", "csv": "text/csv", "ndjson": "application/x-ndjson"}
#: Rows read, encoded and sent at once.
_CHUNK = 500


async def export(store: Store, table: Table, query: Query, format: str) -> StreamingResponse:
    """The rows as ``csv`` or ``ndjson``: all that match, or as many as the query's limit says.

    Raises:
        QueryError: before anything is sent.
    """
    rows = store.stream(table, query)
    # A thread of its own: a reader that is slow to take keeps none of those that others need, and
    # what closes the stream comes after what reads it.
    thread = ThreadPoolExecutor(1, thread_name_prefix="export")
    loop = asyncio.get_running_loop()
    first = await loop.run_in_executor(thread, _take, limited := islice(rows, query.limit))

    async def sent() -> AsyncIterator[bytes]:
        encode: Encoder = csv_rows(table.columns) if format == "csv" else ndjson(table.columns)
        chunk = first
        try:
            if format == "csv":
                yield csv_header(table.columns)
            while chunk:
                yield await loop.run_in_executor(thread, encode, chunk)
                chunk = await loop.run_in_executor(thread, _take, limited)
        finally:
            thread.submit(rows.close)
            thread.shutdown(wait=False)

    headers = {"Content-Disposition": f'attachment; filename="{table.name}.{format}"', "Vary": "Accept"}
    return StreamingResponse(sent(), headers=headers, media_type=MEDIA_TYPES[format])


def negotiated(accept: str | None) -> str:
    """The format that an Accept header likes best; json where it says nothing of these."""
    if accept is None or accept == "*/*":
        return "json"
    liked = dict(_liked(accept))
    return max(MEDIA_TYPES, key=lambda name: liked.get(MEDIA_TYPES[name], 0.0))


def _liked(accept: str) -> Iterator[tuple[str, float]]:
    for part in accept.split(","):
        kind, *parameters = (word.strip().lower() for word in part.split(";"))
        weight = next((word[2:] for word in parameters if word.startswith("q=")), "1")
        yield kind, float(weight) if weight.replace(".", "", 1).isdecimal() else 0.0


def _take(rows: Iterator[Row]) -> list[Row]:
    return list(islice(rows, _CHUNK))
