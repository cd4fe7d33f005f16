"""How one page leads to the next. Pure: what a page told goes in, the next request comes out."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import ceil
from typing import Any, ClassVar

import msgspec

from etl_service.extract.envelope import Pointer, parse_pointer
from etl_service.extract.errors import PaginationInvalid, Place
from etl_service.extract.parts import NOT_JSON
from etl_service.extract.urls import origin, resolve, with_params
from etl_service.spec import Pagination


@dataclass(frozen=True, slots=True)
class Request:
    """What asks for a page, beside what all requests have in common."""

    url: str
    trusted: bool = True  #: credentials may go there
    position: int = 0  #: the number of the page, or its offset


@dataclass(frozen=True, slots=True)
class Progress:
    """What a page told, and how far those before it and itself have led."""

    place: Place
    count: int  #: records on the page
    fetched: int  #: records on all pages so far
    largest: int  #: records on the fullest page so far
    url: str  #: where the page came from in the end
    trusted: bool = True  #: no redirect has led away from the source
    total: int | None = None  #: how many records the source says there are
    next: bytes | None = None  #: the JSON text at `Pager.next`
    headers: Mapping[str, str] = field(default_factory=dict)  #: by names in lower case


@dataclass(frozen=True)
class Pager:
    """A way from page to page; this one has a single page."""

    url: str
    total: Pointer | None = field(default=None, kw_only=True)  #: where a body tells how many records there are
    total_header: str | None = field(default=None, kw_only=True)
    next: Pointer | None = field(default=None, kw_only=True)  #: where a body tells what comes next
    stride: int = field(default=1, kw_only=True)  #: one page in so many is read ...
    index: int = field(default=0, kw_only=True)  #: ... from this one on, where 0 is the source's first

    single: ClassVar[bool] = True
    ends_with_404: ClassVar[bool] = False  #: the source may answer so where there are no more pages

    def first(self) -> Request:
        return Request(self.url)

    def after(self, request: Request, progress: Progress) -> Request | None:
        """What asks for the next page; None where there is none.

        Raises:
            PaginationInvalid: what the page says leads nowhere.
        """
        return None

    def likely(self, request: Request, progress: Progress) -> Iterator[Request]:
        """What will probably ask for the next pages, as far as that can be told in advance."""
        return iter(())


def pager(pagination: Pagination | None, url: str, *, stride: int = 1, index: int = 0) -> Pager:
    """The document's way of pagination, from the address of its first request without the parameters of a page.

    Args:
        stride: one page in so many is wanted, where pages can be asked for in any order ...
        index: ... from this one on.
    """
    if pagination is None:
        return Pager(url)
    if (page := pagination.page) is not None:
        size = {page.size_param: str(page.size)} if page.size_param else {}
        total = _pointer(page.total_path)
        return ByPage(
            with_params(url, size),
            page.param,
            page.start,
            total=total,
            total_header=page.total_header,
            stride=stride,
            index=index,
        )
    if (offset := pagination.offset) is not None:
        url = with_params(url, {offset.limit_param: str(offset.limit)})
        total = _pointer(offset.total_path)
        return ByOffset(
            url,
            offset.param,
            offset.limit,
            total=total,
            total_header=offset.total_header,
            stride=stride,
            index=index,
        )
    if (cursor := pagination.cursor) is not None:
        return ByCursor(url, cursor.param, next=parse_pointer(cursor.path))
    if (next_url := pagination.next_url) is not None:
        return ByNextUrl(url, next=parse_pointer(next_url.path))
    if pagination.link is not None:
        return ByLink(url)
    return Pager(url)


@dataclass(frozen=True)
class Numbered(Pager):
    """Pages that can be asked for by a number, in any order."""

    param: str
    single: ClassVar[bool] = False
    ends_with_404: ClassVar[bool] = True

    def _at(self, position: int) -> Request:
        return Request(with_params(self.url, {self.param: str(position)}), position=position)

    def _following(self, request: Request, progress: Progress, step: int) -> Request | None:
        """With a stride: the next page as far as the total tells, and always a second one of the second worker's.

        A source that does not know the parameter gives each worker the same page. That shows with a second one, and it
        is enough that one worker sees it.
        """
        if self.index == 1 and 0 < progress.count == progress.fetched:
            return self._at(request.position + step)
        return next(self.likely(request, progress), None)


@dataclass(frozen=True)
class ByPage(Numbered):
    """The number of the page. A page without records is the end; a short one is not, since sources cap sizes."""

    start: int

    def first(self) -> Request:
        return self._at(self.start + self.index)

    def after(self, request: Request, progress: Progress) -> Request | None:
        if self.stride == 1:
            return None if _is_last(progress) else self._at(request.position + 1)
        total = _told_total(progress)
        if (request.position - self.start) * progress.count >= total > 0:
            what = (
                f"it has {progress.count} records, and the source {total} in all: it does not know the parameter "
                f"{self.param}, or its pages are of uneven size; divide by values or ranges instead"
            )
            raise PaginationInvalid(what, progress.place)
        if not progress.count:
            return None
        return self._following(request, progress, self.stride)

    def likely(self, request: Request, progress: Progress) -> Iterator[Request]:
        if self.stride == 1:
            left = _pages_left(progress)
        else:
            pages = ceil((progress.total or 0) / max(1, progress.largest))
            left = (self.start + pages - 1 - request.position) // self.stride
        return (self._at(request.position + ahead * self.stride) for ahead in range(1, left + 1))


@dataclass(frozen=True)
class ByOffset(Numbered):
    """The number of records to leave out: as many as have come, whatever was asked for.

    With a stride, others rely on it that as many come as are asked for.
    """

    limit: int

    def first(self) -> Request:
        return self._at(self.index * self.limit)

    def after(self, request: Request, progress: Progress) -> Request | None:
        if self.stride == 1:
            return None if _is_last(progress) else self._at(request.position + progress.count)
        expected = max(0, min(self.limit, _told_total(progress) - request.position))
        if progress.count != expected:
            what = f"it has {progress.count} records where {expected} were asked for, and others read on from there"
            raise PaginationInvalid(f"{what}; set limit to as many as the source gives", progress.place)
        return self._following(request, progress, self.stride * self.limit)

    def likely(self, request: Request, progress: Progress) -> Iterator[Request]:
        if self.stride == 1:
            after = request.position + progress.count
            return (self._at(after + ahead * progress.largest) for ahead in range(_pages_left(progress)))
        step = self.stride * self.limit
        return (self._at(position) for position in range(request.position + step, progress.total or 0, step))


@dataclass(frozen=True)
class ByCursor(Pager):
    """A cursor in the body."""

    single: ClassVar[bool] = False

    param: str

    def after(self, request: Request, progress: Progress) -> Request | None:
        cursor = _told(progress)
        if cursor is None or progress.next is None:
            return None
        if isinstance(cursor, bool | list | dict):
            raise PaginationInvalid("the cursor is neither a text nor a number", progress.place)
        # a number goes out as it came in, however long it is
        text = cursor if isinstance(cursor, str) else progress.next.decode()
        return Request(with_params(self.url, {self.param: text}))


class ByNextUrl(Pager):
    """The next page's address in the body."""

    single: ClassVar[bool] = False

    def after(self, request: Request, progress: Progress) -> Request | None:
        url = _told(progress)
        if url is None:
            return None
        if not isinstance(url, str):
            raise PaginationInvalid("the address of the next page is no text", progress.place)
        return _follow(url, self.url, progress)


class ByLink(Pager):
    """The header Link (RFC 8288), rel="next"."""

    single: ClassVar[bool] = False

    def after(self, request: Request, progress: Progress) -> Request | None:
        url = next_link(progress.headers.get("link", ""))
        return None if url is None else _follow(url, self.url, progress)


def next_link(header: str) -> str | None:
    """The target of the first link that has the relation ``next``."""
    for link in _LINK.finditer(header):
        for name, quoted, plain in _LINK_PARAM.findall(link["params"]):
            if name.lower() == "rel" and "next" in (quoted or plain).lower().split():
                return link["target"].strip()
    return None


def read_total(text: bytes | None, place: Place) -> int | None:
    """How many records the source says there are; None where it does not say.

    Raises:
        PaginationInvalid: it is no number.
    """
    total = _value(text, place)
    if total is None:
        return None
    try:
        if isinstance(total, str | int) and not isinstance(total, bool) and int(total) >= 0:
            return int(total)
    except ValueError:
        pass
    raise PaginationInvalid("the total is not a number of records", place)


_QUOTED = r'"((?:[^"\\]|\\.)*)"'
_LINK_PARAM = re.compile(rf";\s*([\w!#$&+.^`|~*-]+)\s*=\s*(?:{_QUOTED}|([^\s;,\"]*))")
_LINK = re.compile(rf"<(?P<target>[^<>]*)>(?P<params>(?:\s*{_LINK_PARAM.pattern})*)")


def _pointer(path: str | None) -> Pointer | None:
    return None if path is None else parse_pointer(path)


def _is_last(progress: Progress) -> bool:
    return not progress.count or (progress.total is not None and progress.fetched >= progress.total)


def _told_total(progress: Progress) -> int:
    """How many records there are, which whoever reads a part of the pages has to know."""
    if progress.total is None and progress.count:
        what = "the source does not tell how many records it has; divide by values or ranges instead"
        raise PaginationInvalid(what, progress.place)
    return progress.total or 0


def _pages_left(progress: Progress) -> int:
    if progress.total is None or not progress.largest:
        return 0
    return max(0, ceil((progress.total - progress.fetched) / progress.largest))


def _told(progress: Progress) -> Any:
    """What the page says of the next one; None for all the ways to say that there is none."""
    value = _value(progress.next, progress.place)
    return None if value is False or value == "" else value


def _value(text: bytes | None, place: Place) -> Any:
    try:
        return None if text is None else msgspec.json.decode(text)
    except NOT_JSON as error:
        raise PaginationInvalid("the value is no valid JSON", place) from error


def _follow(reference: str, home: str, progress: Progress) -> Request:
    url = resolve(progress.url, reference)
    if url is None:
        raise PaginationInvalid("the address of the next page is not one of the web", progress.place)
    return Request(url, trusted=progress.trusted and origin(url) == origin(home))
