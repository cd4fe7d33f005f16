"""Reading a source as a run does, without waiting for anything but the source."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from etl_service.extract import Gate, Turns, open_source
from etl_service.model import Chunk, SourceStats
from etl_service.spec import Extract, Secret, Share, shares
from sources import hostile
from sources.hostile import Handler, Server


class Reading:
    """Reads a source to its end: ``read(url=..., pagination=...)`` takes what `extract` has in a document.

    What has come and what was waited for is here afterwards, also where reading failed.
    """

    def __init__(self, base: Path) -> None:
        self.base = base
        self.secrets: dict[str, str] = {}  #: by the name of their environment variable
        self.clock: Callable[[], datetime] = lambda: datetime.now(UTC)
        self.gate: Gate | None = None
        self.environ: Mapping[str, str] = {}
        self.slept: list[float] = []
        self.chunks: list[Chunk] = []
        self.stats = SourceStats()

    def __call__(
        self,
        *,
        cursor: str | int | float | None = None,
        deadline: float = 20,
        transport: httpx.AsyncBaseTransport | None = None,
        partition: int | None = None,
        turns: Turns | None = None,
        **extract: Any,
    ) -> list[Any]:
        self.slept, self.chunks = [], []
        document = Extract.model_validate(extract)
        share = shares(document)[partition] if partition is not None else None
        return asyncio.run(self._read(document, cursor, deadline, transport, share, turns))

    @property
    def pages(self) -> list[int]:
        """How many records each page had."""
        sizes: dict[int, int] = {}
        for chunk in self.chunks:
            sizes[chunk.page] = sizes.get(chunk.page, 0) + len(json.loads(bytes(chunk.records)))
        return list(sizes.values())

    async def _read(
        self,
        document: Extract,
        cursor: Any,
        deadline: float,
        transport: httpx.AsyncBaseTransport | None,
        share: Share | None,
        turns: Turns | None,
    ) -> list[Any]:
        records: list[Any] = []
        async with (
            asyncio.timeout(deadline),
            open_source(
                document,
                cursor=cursor,
                share=share,
                turns=turns,
                base=self.base,
                secrets=self._secret,
                clock=self.clock,
                sleep=self._sleep,
                random=lambda: 0.5,
                gate=self.gate,
                environ=self.environ,
                transport=transport,
            ) as source,
        ):
            self.stats = source.stats
            async for chunk in source.chunks():
                self.chunks.append(chunk)
                records += json.loads(bytes(chunk.records))
        return records

    def _secret(self, secret: Secret, path: str) -> str:
        return self.secrets[secret.env or path]

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(round(seconds, 3))
        await asyncio.sleep(0)


@pytest.fixture
def read(tmp_path: Path) -> Reading:
    return Reading(tmp_path)


@pytest.fixture
def serve() -> Iterator[Callable[[Mapping[str, Handler]], Server]]:
    """Start a server of one's own: ``serve({"/posts": answers([])}).url``."""
    with ExitStack() as servers:
        yield lambda routes: servers.enter_context(hostile.serving(routes))


@pytest.fixture(scope="module")
def misbehaving() -> Iterator[str]:
    """The URL of a server that knows all ways to misbehave."""
    with hostile.serving() as server:
        yield server.url
