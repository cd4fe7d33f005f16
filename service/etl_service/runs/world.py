"""What a run needs of the world around it, so that a test can give it another."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from etl_service.extract import Gate, Resolve, Source, Turns, open_source, system_resolve
from etl_service.model import Value
from etl_service.spec import AllowedSources, Extract, Secret, Share, read_secret

if TYPE_CHECKING:
    import httpx


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(slots=True)
class Stop:
    """The wish that a run end before it is done. The first one counts."""

    status: Literal["failed", "interrupted", "cancelled"] | None = None
    reason: str = ""
    message: str = ""

    def request(self, status: Literal["failed", "interrupted", "cancelled"], reason: str, message: str) -> None:
        if self.status is None:
            self.status, self.reason, self.message = status, reason, message

    def requested(self) -> bool:
        return self.status is not None


@dataclass(frozen=True, slots=True)
class World:
    base: Path = field(default_factory=Path.cwd)  #: where relative ``file:`` sources start
    secrets: Path = Path("/run/secrets")  #: where a ``secretKeyRef`` is read: ``<secrets>/<name>/<key>``
    environ: Mapping[str, str] = field(
        default_factory=lambda: os.environ
    )  #: where secrets that are named as ``env`` are read, and proxies
    sources: AllowedSources | None = None  #: which may be read; None: any
    resolve: Resolve = system_resolve
    clock: Callable[[], datetime] = utc_now
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep  #: between attempts at a request
    transport: httpx.AsyncBaseTransport | None = None
    stop: Stop = field(default_factory=Stop)
    suffix: Callable[[], str] = lambda: secrets.token_hex(3)

    def read_secret(self, secret: Secret, field: str) -> str:
        """Read a secret where the document names it; ``field`` is its path there.

        Raises:
            SecretMissing: it is not there.
        """
        return read_secret(secret, field, environ=self.environ, folder=self.secrets, base=self.base)

    def open(
        self, extract: Extract, cursor: Value, share: Share | None = None, turns: Turns | None = None
    ) -> AbstractAsyncContextManager[Source]:
        """The document's source, or a share of it, from where ``cursor`` says; the same for a run and its preview."""
        return open_source(
            extract,
            cursor=cursor,
            share=share,
            turns=turns,
            base=self.base,
            secrets=self.read_secret,
            clock=self.clock,
            sleep=self.sleep,
            gate=Gate(self.sources, self.resolve) if self.sources is not None else None,
            environ=self.environ,
            transport=self.transport,
        )

    def run_id(self) -> str:
        """Ids sort by the time of their run, and read like it."""
        return f"{self.clock():%Y%m%d-%H%M%S}-{self.suffix()}"
