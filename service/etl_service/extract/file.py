"""Sources that are files."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote, urlsplit

from etl_service.extract.body import Allowance, decoded
from etl_service.extract.envelope import Wanted
from etl_service.extract.errors import FileUnreadable, Place
from etl_service.extract.page import Answer, Page, open_page
from etl_service.extract.pagination import Request

_BLOCK = 2**20


@dataclass(frozen=True, slots=True)
class FileFetch:
    """Reads a file as the one page that it is, a block at a time and off the event loop."""

    base: Path  #: where relative paths start
    wanted: Wanted
    allowance: Allowance

    async def __call__(self, request: Request, number: int) -> Page:
        """The file, its first records read.

        Raises:
            FileUnreadable: there is none, or none for us.
            SourceError: of other kinds, for what is in it.
        """
        place = Place(request.url, number)
        file = await asyncio.to_thread(_open, path_of(request.url, self.base), place)

        async def close() -> None:
            file.close()

        body = decoded(_blocks(file, place), "", place, self.allowance)
        return await open_page(Answer(place=place, url=request.url, body=body, close=close), self.wanted)


def path_of(url: str, base: Path) -> Path:
    """``file:posts.json`` starts at the base, ``file:///data/posts.json`` at the root."""
    return base / unquote(urlsplit(url).path)


def _open(path: Path, place: Place) -> BinaryIO:
    try:
        if path.exists() and not path.is_file():
            raise FileUnreadable(f"{path} is not a file", place)  # opening a pipe would wait for its writer
        return path.open("rb")
    except (OSError, ValueError) as error:
        raise FileUnreadable(f"{path} cannot be read: {_reason(error)}", place) from error


async def _blocks(file: BinaryIO, place: Place) -> AsyncGenerator[bytes, None]:
    while True:
        try:
            block = await asyncio.to_thread(file.read, _BLOCK)
        except OSError as error:
            raise FileUnreadable(f"the file cannot be read to its end: {_reason(error)}", place) from error
        if not block:
            return
        yield block


def _reason(error: Exception) -> str:
    return (isinstance(error, OSError) and error.strerror) or str(error)
