"""Undoing the compression of bodies, never with more in memory than a bounded piece."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from typing import Protocol

from etl_service.extract.errors import BodyCorrupt, BodyTruncated, MaxBytesExceeded, Place, WrongContent
from etl_service.model import SourceStats

#: The encodings that can be undone, as a request says it.
ACCEPTED = "gzip, br"

#: About how much is decompressed at a time, whatever the ratio.
PIECE = 2**18

_GZIP = b"\x1f\x8b"


class Allowance:
    """Counts the bytes of all bodies of a run, as far as it may go."""

    def __init__(self, stats: SourceStats, limit: int) -> None:
        self._stats = stats
        self._limit = limit

    def spend(self, count: int, place: Place) -> None:
        self._stats.bytes += count
        if self._stats.bytes > self._limit:
            raise MaxBytesExceeded(f"the source has sent more than {self._limit} bytes in this run", place)


async def decoded(
    blocks: AsyncGenerator[bytes, None], encoding: str, place: Place, allowance: Allowance
) -> AsyncGenerator[bytes, None]:
    """The bytes of a body, decompressed and counted, in pieces of at most about `PIECE`.

    What begins like gzip is taken for that where nothing is announced: JSON never does.

    Raises:
        WrongContent: an encoding that was not asked for.
        BodyTruncated, BodyCorrupt: the compressed data ends too early, or is none.
        MaxBytesExceeded: this is more than the run may read.
    """
    encoding = encoding.strip().lower()
    decoder = None if encoding in ("", "identity") else _decoder(encoding, place)
    beginning = b""
    async with aclosing(blocks):
        async for block in blocks:
            if decoder is None:
                beginning += block
                if len(beginning) < len(_GZIP):
                    continue
                block, decoder = beginning, _Gunzip(place) if beginning.startswith(_GZIP) else _Plain()
            for piece in decoder.feed(block):
                allowance.spend(len(piece), place)
                yield piece
                await asyncio.sleep(0)  # one block can hold a thousand pieces, and a cancel shall not wait for them
        if decoder is not None:
            decoder.close()
        elif beginning:
            yield beginning


class Decoder(Protocol):
    def feed(self, block: bytes) -> Iterator[bytes]: ...

    def close(self) -> None:
        """No more is to come; raises BodyTruncated where it should."""
        ...


def _decoder(encoding: str, place: Place) -> Decoder:
    match encoding:
        case "gzip" | "x-gzip":
            return _Gunzip(place)
        case "br":
            return _Unbrotli(place)
        case other:
            what = f"the body has the content encoding {other!r}, though only {ACCEPTED} was asked for"
            raise WrongContent(what, place, remedy="set the header Accept-Encoding: identity in extract.headers")


class _Plain:
    def feed(self, block: bytes) -> Iterator[bytes]:
        yield block

    def close(self) -> None:
        pass


class _Gunzip:
    """Takes one gzip member, or several in a row; zeros may follow."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._member: zlib._Decompress | None = None  #: the one that is open

    def feed(self, block: bytes) -> Iterator[bytes]:
        while True:
            if self._member is None:
                block = block.lstrip(b"\0")
                if not block:
                    return
                self._member = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
            try:
                piece = self._member.decompress(block, PIECE)
            except zlib.error as error:
                raise BodyCorrupt(f"the body is no valid gzip: {error}", self._place) from error
            if piece:
                yield piece
            if self._member.eof:
                block, self._member = self._member.unused_data, None
            elif self._member.unconsumed_tail:
                block = self._member.unconsumed_tail
            else:
                return

    def close(self) -> None:
        if self._member is not None:
            raise BodyTruncated("the gzip data ends too early", self._place)


class _Unbrotli:
    def __init__(self, place: Place) -> None:
        import brotli  # here, because few sources need it

        self._place = place
        self._error: type[Exception] = brotli.error
        self._stream = brotli.Decompressor()
        self._begun = False

    def feed(self, block: bytes) -> Iterator[bytes]:
        self._begun = True
        while True:
            try:
                piece: bytes = self._stream.process(block, output_buffer_limit=PIECE)
            except self._error as error:
                raise BodyCorrupt(f"the body is no valid brotli: {error}", self._place) from error
            if not piece:
                return
            yield piece
            # it may hold more, also where it says that it would accept more
            block = b""

    def close(self) -> None:
        if self._begun and not self._stream.is_finished():
            raise BodyTruncated("the brotli data ends too early", self._place)
