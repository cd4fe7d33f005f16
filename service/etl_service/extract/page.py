"""Reading a page: whole where it is short, as it arrives where it is long."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import urlsplit

from etl_service.extract.envelope import Envelope, Wanted
from etl_service.extract.errors import (
    BodyTruncated,
    InvalidJson,
    Place,
    RecordsMissing,
    SourceBroken,
    SourceError,
    WrongContent,
)
from etl_service.extract.lines import LineReader
from etl_service.extract.parts import Malformed, Part
from etl_service.extract.reader import THRESHOLD, JsonReader
from etl_service.extract.urls import Redactor

_LINE_TYPES = {"application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines"}
_LINE_SUFFIX = re.compile(r"\.(ndjson|jsonl)(\.gz)?$", re.IGNORECASE)

#: Types that say nothing about the content.
_VAGUE_TYPES = {"", "text/plain", "application/octet-stream", "application/gzip", "application/x-gzip"}

_NO_CONTENT = 204

#: How much of a wrong body a message shows, and how much is kept for it: a secret may be longer than that.
_SHOWN = 80
_KEPT = 2**12


@dataclass(frozen=True, slots=True)
class Answer:
    """What the source answered; the body is yet to be read."""

    place: Place
    url: str  #: where it came from in the end, for relative addresses; may hold secrets
    body: AsyncGenerator[bytes, None]  #: decompressed
    close: Callable[[], Awaitable[None]]  #: lets go of the connection
    trusted: bool = True  #: no redirect has led away from the source
    status: int | None = None
    content_type: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)  #: found by names in lower case
    redactor: Redactor = field(default_factory=Redactor)


async def open_page(answer: Answer, wanted: Wanted, *, threshold: int = THRESHOLD) -> Page:
    """Read an answer until its first records are there, or all of it where it is short.

    Raises:
        SourceError: of all kinds; the transient ones may be gone with another attempt.
    """
    page = Page(answer, wanted, threshold)
    try:
        await page.begin()
    except BaseException:
        await page.close()
        raise
    return page


class Page:
    """A page of records: iterate over its parts. ``envelope`` is complete after the last.

    What goes wrong after the first part cannot be mended by asking again, since records have been given away.
    """

    def __init__(self, answer: Answer, wanted: Wanted, threshold: int) -> None:
        self.answer = answer
        self.envelope = Envelope()
        self._wanted = wanted
        self._threshold = threshold
        self._beginning = b""
        self._first: Part | None = None
        self._parts = self._read()

    async def begin(self) -> None:
        """Read the first part; raises a SourceError of any kind."""
        self._first = await anext(self._parts, None)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Part:
        """The next part.

        Raises:
            SourceBroken: the page does not arrive to its end.
            SourceError: of other kinds that are not transient.
        """
        if self._first is not None:
            first, self._first = self._first, None
            return first
        try:
            return await anext(self._parts)
        except SourceError as error:
            if not error.transient:
                raise
            raise SourceBroken(f"{error.what}, when some of the records had been read", error.place) from error

    async def close(self) -> None:
        await self._parts.aclose()
        await self.answer.body.aclose()
        await self.answer.close()

    async def _read(self) -> AsyncGenerator[Part, None]:
        if self.answer.status == _NO_CONTENT:
            return
        reader = self._reader()
        try:
            async for block in self.answer.body:
                if len(self._beginning) < _KEPT:
                    self._beginning += block[:_KEPT]
                for part in reader.feed(block):
                    yield part
            for part in reader.close():
                yield part
        except Malformed as error:
            raise self._explained(error) from error
        self.envelope = reader.envelope

    def _reader(self) -> JsonReader | LineReader:
        if not self._is_lines():
            return JsonReader(self._wanted, self.answer.place, threshold=self._threshold)
        if self._wanted.records:
            what, remedy = "the body is lines of JSON, each a record", "leave extract.records out"
            raise RecordsMissing(what, self.answer.place, remedy=remedy)
        return LineReader(self.answer.place)

    def _is_lines(self) -> bool:
        kind = self.answer.content_type
        return kind in _LINE_TYPES or ("json" not in kind and bool(_LINE_SUFFIX.search(urlsplit(self.answer.url).path)))

    def _explained(self, error: Malformed) -> SourceError:
        """The error that says what came instead."""
        redactor = self.answer.redactor
        words = redactor.beginning(" ".join(self._beginning.decode(errors="replace").split()))[:_SHOWN]
        kind = self.answer.content_type
        came = ", ".join(filter(None, (f"status {self.answer.status}" if self.answer.status else "", kind)))
        what = redactor.beginning(str(error)) + (f" ({came})" if came else "") + (f": {words}" if words else "")
        if error.truncated:
            return BodyTruncated(what, self.answer.place)
        if words.startswith("<") or not ("json" in kind or kind in _VAGUE_TYPES):
            return WrongContent(what, self.answer.place)
        return InvalidJson(what, self.answer.place)
