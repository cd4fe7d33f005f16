"""One request, one answer: what the HTTP library says is translated here, and nowhere else."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import cast

import httpx

from etl_service.extract.body import PIECE, Allowance, decoded
from etl_service.extract.errors import (
    BY_TOKEN_URL,
    BY_URL,
    AddressUnusable,
    BodyTruncated,
    Named,
    Place,
    RateLimited,
    SourceError,
    SourceFailed,
    SourceForbidden,
    SourceRefused,
    SourceTimeout,
    SourceUnreachable,
)
from etl_service.extract.gate import Forbidden
from etl_service.extract.limiter import Limiter
from etl_service.extract.urls import Redactor
from etl_service.model import SourceStats

_TOO_MANY_REQUESTS = 429
_FAULTS_OF_THE_SOURCE = {408, 425, *range(500, 600)}
_WHO_ASKS = {401, 403, 407}

#: How much of what the source says of an error a message shows.
_SHOWN = 200


@dataclass(frozen=True, slots=True)
class Wire:
    """Sends requests when it is their turn, and counts what comes of them."""

    http: httpx.AsyncClient
    limiter: Limiter
    redactor: Redactor
    stats: SourceStats
    clock: Callable[[], datetime]

    async def send(
        self,
        method: str,
        url: str,
        place: Place,
        *,
        headers: Mapping[str, str],
        content: bytes | None = None,
        named: Named = BY_URL,
    ) -> httpx.Response:
        """The answer, its body yet unread: whoever asked closes it.

        Raises:
            AddressUnusable, SourceUnreachable, SourceTimeout: there is none.
            SourceForbidden: the platform does not let this address be read, which ``named`` has given.
        """
        try:
            request = self.http.build_request(method, url, headers=dict(headers), content=content)
        except (httpx.InvalidURL, UnicodeError) as error:
            raise AddressUnusable("this is no address that can be asked", place) from error
        await self.limiter.turn()
        try:
            response = await self.http.send(request, stream=True, auth=None, follow_redirects=False)
        except Forbidden as error:
            self._count("error")
            what = f"{named.words} leads to {error}, which this platform does not let pipelines read"
            raise SourceForbidden(what, place, field=named.field) from error
        except httpx.InvalidURL as error:  # of a redirect, which httpx reads though it is not to follow it
            raise AddressUnusable("the redirect leads to no address of the web", place) from error
        except httpx.HTTPError as error:
            self._count("error")
            raise self._translated(error, place) from error
        self._count(str(response.status_code))
        return response

    async def post(self, url: str, headers: Mapping[str, str], form: Mapping[str, str]) -> bytes:
        """Post a form, and read the short answer whole.

        Raises:
            SourceError: there is none, or its status tells of a failure.
        """
        place = Place(self.redactor.url(url))
        content = httpx.QueryParams(form)
        headers = {**headers, "Content-Type": "application/x-www-form-urlencoded"}
        response = await self.send(
            "POST", url, place, headers=headers, content=str(content).encode(), named=BY_TOKEN_URL
        )
        try:
            await self.check(response, place)
            async with aclosing(self.body(response, place, Allowance(SourceStats(), PIECE))) as body:
                return b"".join([block async for block in body])
        finally:
            await response.aclose()

    async def check(self, response: httpx.Response, place: Place, *, who_asks: str = "check extract.auth") -> None:
        """Let an answer pass that tells of success. ``who_asks`` is the remedy where credentials are at fault.

        Raises:
            RateLimited, SourceFailed, SourceRefused: it does not; with what the source says of it.
        """
        if response.is_success:
            return
        status = response.status_code
        what = f"the source answered {status} {response.reason_phrase}".rstrip()
        if said := await self._said(response, place):
            what += f": {said}"
        kind: type[SourceError] = SourceRefused
        if status == _TOO_MANY_REQUESTS:
            kind = RateLimited
        elif status in _FAULTS_OF_THE_SOURCE:
            kind = SourceFailed
        remedy = who_asks if status in _WHO_ASKS else None
        raise kind(what, place, remedy=remedy, status=status, retry_after=self._retry_after(response))

    def body(self, response: httpx.Response, place: Place, allowance: Allowance) -> AsyncGenerator[bytes, None]:
        """The body, decompressed by `decoded`.

        Raises:
            BodyTruncated, SourceTimeout: it does not come to its end; and what `decoded` raises.
        """
        return decoded(self._raw(response, place), response.headers.get("content-encoding", ""), place, allowance)

    async def _raw(self, response: httpx.Response, place: Place) -> AsyncGenerator[bytes, None]:
        try:
            async with aclosing(cast("AsyncGenerator[bytes, None]", response.aiter_raw())) as blocks:
                async for block in blocks:
                    yield block
        except httpx.TimeoutException as error:
            raise self._translated(error, place) from error
        except httpx.HTTPError as error:
            raise BodyTruncated(f"the connection broke within the body ({_name(error)})", place) from error

    async def _said(self, response: httpx.Response, place: Place) -> str:
        """The first words of the body; none where it is a page for people."""
        try:
            async with aclosing(self.body(response, place, Allowance(SourceStats(), 2 * PIECE))) as body:
                words = " ".join((await anext(body, b"")).decode(errors="replace").split())
        except SourceError:
            return ""
        return "" if words.startswith("<") else self.redactor.beginning(words)[:_SHOWN]

    def _retry_after(self, response: httpx.Response) -> float | None:
        """How many seconds the source wants to be left alone (RFC 9110, section 10.2.3)."""
        value = response.headers.get("retry-after", "").strip()
        if re.fullmatch(r"\d+(\.\d+)?", value):
            return float(value)
        try:
            return max(0.0, (parsedate_to_datetime(value) - self.clock()).total_seconds())
        except (ValueError, TypeError):
            return None

    def _translated(self, error: httpx.HTTPError, place: Place) -> SourceError:
        if isinstance(error, httpx.ConnectTimeout):
            return SourceTimeout(f"no connection came about within {self.http.timeout.connect:g} s", place)
        if isinstance(error, httpx.TimeoutException):
            return SourceTimeout(f"the source was silent for {self.http.timeout.read:g} s", place)
        if isinstance(error, httpx.LocalProtocolError | httpx.UnsupportedProtocol):
            # its text may quote a header
            return SourceUnreachable(f"the request cannot be sent ({_name(error)})", place)
        detail = self.redactor.text(str(error)) or _name(error)
        return SourceUnreachable(f"the source cannot be reached: {detail}", place)

    def _count(self, outcome: str) -> None:
        self.stats.requests[outcome] = self.stats.requests.get(outcome, 0) + 1


def _name(error: Exception) -> str:
    return type(error).__name__
