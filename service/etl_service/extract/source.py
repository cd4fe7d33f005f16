"""Reading a source from its first page to its last."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from hashlib import sha256
from itertools import islice
from sys import maxsize

import msgspec

from etl_service.extract.errors import (
    MaxPagesExceeded,
    PageRepeated,
    Place,
    SourceError,
    SourceIncomplete,
    SourceRefused,
)
from etl_service.extract.page import Page
from etl_service.extract.pagination import Pager, Progress, Request, read_total
from etl_service.extract.parts import Part
from etl_service.extract.urls import Redactor
from etl_service.extract.window import Fetch, Window, ahead
from etl_service.model import Chunk, SourceStats
from etl_service.spec import Limits

_NOT_FOUND = 404


class Source:
    """The records of a source; to be read once."""

    def __init__(self, fetch: Fetch, pager: Pager, limits: Limits, redactor: Redactor, stats: SourceStats) -> None:
        self.stats = stats
        self._fetch = fetch
        self._pager = pager
        self._limits = limits
        self._redactor = redactor
        self._number = 1 + pager.index - pager.stride  # of the page being read, over all that read the source
        self._fetched = self._largest = 0
        self._requests: dict[Request, int] = {}  # to the page's number; a page is recognised by its request ...
        self._digests: dict[bytes, int] = {}  # ... and by its records
        self._chunks = ahead(self._walk())

    def chunks(self) -> AsyncGenerator[Chunk, None]:
        """All records, in the source's order; while one chunk is being used, the next is on its way.

        Raises:
            ExtractError: the source did not give what the document promises of it.
        """
        return self._chunks

    async def close(self) -> None:
        """End all that is under way."""
        await self._chunks.aclose()

    async def _walk(self) -> AsyncGenerator[Chunk, None]:
        window = Window(self._fetch, self._limits.concurrency)
        request: Request | None = self._pager.first()
        try:
            while request is not None:
                place = self._enter(request)
                page = await self._take(window, request)
                if page is None:
                    break
                tally = _Tally(hashing=not self._pager.single)
                try:
                    async for part in page:
                        yield Chunk(place.url, self._number, tally.count, part.array)
                        tally.add(part)
                finally:
                    await page.close()
                progress = self._leave(page, tally)
                likely = islice(self._pager.likely(request, progress), self._limits.max_pages - len(self._requests))
                request = self._pager.after(request, progress)
                stride = self._pager.stride
                await window.expect(likely, range(self._number + stride, maxsize, stride))
        except SourceError as error:
            # Whatever they quote, here all secrets are known, those too that came up on the way.
            raise error.redacted(self._redactor.text) from error
        finally:
            await window.close()
        # Whoever reads one page in many cannot know what the others have.
        if self._pager.stride == 1 and self.stats.total is not None and self._fetched < self.stats.total:
            what = f"it ended after {self._fetched} records, and said that it has {self.stats.total}"
            raise SourceIncomplete(what, self._place(self._pager.first()))

    def _enter(self, request: Request) -> Place:
        """Begin another page.

        Raises:
            MaxPagesExceeded: that would be one too many.
            PageRepeated: it has been read before.
        """
        if len(self._requests) == self._limits.max_pages:
            what = f"there is more after {len(self._requests)} pages"
            raise MaxPagesExceeded(what, self._place(request, self._number))
        self._number += self._pager.stride
        place = self._place(request, self._number)
        earlier = self._requests.setdefault(request, self._number)
        if earlier != self._number:
            raise PageRepeated(f"the source leads back to page {earlier}", place)
        return place

    async def _take(self, window: Window, request: Request) -> Page | None:
        """The page; None where the source says that there are no more."""
        try:
            page = await window.take(request, self._number)
        except SourceRefused as error:
            if error.status == _NOT_FOUND and self._number > 1 and self._pager.ends_with_404:
                return None
            raise
        self.stats.pages += 1
        return page

    def _leave(self, page: Page, tally: _Tally) -> Progress:
        """What is known after a page.

        Raises:
            PageRepeated: the same records have come before.
            PaginationInvalid: the total is none.
        """
        answer = page.answer
        digest = tally.digest()
        if tally.count and digest is not None:
            earlier = self._digests.setdefault(digest, self._number)
            if earlier != self._number:
                raise PageRepeated(f"its records are those of page {earlier}", answer.place)
        self._fetched += tally.count
        self._largest = max(self._largest, tally.count)
        total = page.envelope.total
        if self._pager.total_header is not None:
            # Content-Range, which some sources use, ends like: 0-9/100
            value = answer.headers.get(self._pager.total_header.lower(), "").rpartition("/")[2].strip()
            total = msgspec.json.encode(value) if value not in ("", "*") else None
        count = read_total(total, answer.place)
        if count is not None:
            self.stats.total = count
        return Progress(
            place=answer.place,
            count=tally.count,
            fetched=self._fetched,
            largest=self._largest,
            url=answer.url,
            trusted=answer.trusted,
            total=self.stats.total,
            next=page.envelope.next,
            headers=answer.headers,
        )

    def _place(self, request: Request, number: int | None = None) -> Place:
        return Place(self._redactor.url(request.url), number)


class _Tally:
    """Counts a page's records, and remembers them well enough to know them again."""

    def __init__(self, *, hashing: bool) -> None:
        self.count = 0
        self._hash = sha256(usedforsecurity=False) if hashing else None

    def add(self, part: Part) -> None:
        if self._hash is not None:
            self._hash.update(b",")
            self._hash.update(memoryview(part.array)[1:-1])
        self.count += part.count

    def digest(self) -> bytes | None:
        return None if self._hash is None else self._hash.digest()
