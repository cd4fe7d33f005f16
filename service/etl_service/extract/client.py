"""Asking the source for a page: signed, redirected, tried again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import httpx
import msgspec

from etl_service.extract.auth import Credentials, Grant
from etl_service.extract.body import Allowance
from etl_service.extract.envelope import Wanted
from etl_service.extract.errors import (
    BY_PAGE,
    BY_REDIRECT,
    BY_URL,
    AddressUnusable,
    Named,
    Place,
    RedirectLoop,
    SourceError,
    TooManyRedirects,
)
from etl_service.extract.page import Answer, Page, open_page
from etl_service.extract.pagination import Request
from etl_service.extract.urls import Redactor, origin, resolve, with_params
from etl_service.extract.wire import Wire
from etl_service.model import SourceStats
from etl_service.spec import Extract

MAX_REDIRECTS = 10

#: A source that wants to be left alone for longer, in seconds, is not waited for.
LONGEST_WAIT = 3600.0

#: The longest pause between two attempts where the source asks for none, in seconds.
LONGEST_PAUSE = 60.0

_REDIRECTS = {301, 302, 303, 307, 308}
_KEEP_METHOD = {307, 308}


@dataclass(frozen=True, slots=True)
class Client:
    """Fetches the pages of one source."""

    extract: Extract
    wanted: Wanted
    wire: Wire
    credentials: Credentials
    allowance: Allowance
    redactor: Redactor
    stats: SourceStats
    sleep: Callable[[float], Awaitable[None]]
    random: Callable[[], float]

    async def fetch(self, request: Request, number: int) -> Page:
        """The page, its first records read; tried again as long as that may help and ``limits.retries`` allows.

        Raises:
            SourceError: what came of the last attempt.
        """
        place = Place(self.redactor.url(request.url), number)
        retries = 0
        while True:
            try:
                return await open_page(await self._open(request, place), self.wanted)
            except SourceError as error:
                if not error.transient or retries == self.extract.limits.retries:
                    if not retries:
                        raise
                    raise error.after(retries) from error
                pause = await self._pause(error, retries)
            retries += 1
            self.stats.retries += 1
            if pause:
                await self.sleep(pause)

    async def _pause(self, error: SourceError, retries: int) -> float:
        """How long to wait before another attempt: at random up to a limit that doubles, where the source does not say.

        Raises:
            SourceError: the source asks for more than is sensible.
        """
        if error.retry_after is None:
            # full jitter: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
            return self.random() * min(LONGEST_PAUSE, 2.0**retries)
        if error.retry_after > LONGEST_WAIT:
            what = f"{error.what}, and asks to wait for {error.retry_after:.0f} s"
            raise type(error)(what, error.place, status=error.status) from error
        await self.wire.limiter.hold(error.retry_after)  # it is not this page alone that the source has enough of
        return 0.0

    async def _open(self, request: Request, place: Place) -> Answer:
        """Follow redirects to the answer.

        Credentials go only to the origin of the document's address, and no more once a redirect has left it.

        Raises:
            TooManyRedirects, RedirectLoop, AddressUnusable: they lead nowhere.
            SourceError: the answer tells of a failure, or there is none.
        """
        method, url, trusted = self.extract.method, request.url, request.trusted
        named = BY_URL if origin(url) == origin(self.extract.url) else BY_PAGE
        visited: set[tuple[str, str]] = set()
        for _ in range(MAX_REDIRECTS + 1):
            if (method, url) in visited:
                raise RedirectLoop(f"a redirect leads back to {self.redactor.url(url)}", place)
            visited.add((method, url))
            response = await self._ask(method, url, trusted, place, named)
            if response.status_code not in _REDIRECTS or "location" not in response.headers:
                return await self._answer(response, url, trusted, place)
            await response.aclose()
            target = resolve(url, response.headers["location"])
            if target is None:
                raise AddressUnusable("the redirect leads to no address of the web", place)
            if response.status_code not in _KEEP_METHOD:
                method = "GET"
            url, trusted, named = target, trusted and origin(target) == origin(self.extract.url), BY_REDIRECT
        raise TooManyRedirects(f"more than {MAX_REDIRECTS} redirects, the last to {self.redactor.url(url)}", place)

    async def _ask(self, method: str, url: str, trusted: bool, place: Place, named: Named) -> httpx.Response:
        """Send one request; once more if its credentials can be renewed."""
        if not trusted:
            return await self._send(method, url, None, place, named)
        grant = await self.credentials.grant()
        response = await self._send(method, url, grant, place, named)
        if response.status_code == httpx.codes.UNAUTHORIZED and await self.credentials.renew(grant):
            await response.aclose()
            response = await self._send(method, url, await self.credentials.grant(), place, named)
        return response

    async def _send(self, method: str, url: str, grant: Grant | None, place: Place, named: Named) -> httpx.Response:
        headers = httpx.Headers()
        content = None
        if method == "POST" and self.extract.body is not None:
            headers["Content-Type"] = "application/json"
            content = msgspec.json.encode(self.extract.body)
        if grant is not None:
            headers.update(self.extract.headers)
            headers.update(dict(grant.headers))
            url = with_params(url, grant.params)
        return await self.wire.send(method, url, place, headers=headers, content=content, named=named)

    async def _answer(self, response: httpx.Response, url: str, trusted: bool, place: Place) -> Answer:
        elsewhere = f"credentials were left out, since this came from {self.redactor.url(url)}; use that as extract.url"
        try:
            await self.wire.check(response, place, who_asks="check extract.auth" if trusted else elsewhere)
        except BaseException:
            await response.aclose()
            raise
        return Answer(
            place=place,
            url=url,
            body=self.wire.body(response, place, self.allowance),
            close=response.aclose,
            trusted=trusted,
            status=response.status_code,
            content_type=response.headers.get("content-type", "").partition(";")[0].strip().lower(),
            headers=response.headers,
            redactor=self.redactor,
        )
