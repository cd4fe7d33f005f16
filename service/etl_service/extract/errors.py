"""Errors of the source, each with its reason, the place it arose at, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Self

from etl_service.errors import ExtractError


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a source: the address without its secrets, and the page, where it is about one."""

    url: str
    page: int | None = None

    def __str__(self) -> str:
        return self.url if self.page is None else f"page {self.page} of {self.url}"


@dataclass(frozen=True, slots=True)
class Named:
    """Who named an address: the field of the document that is behind it, and how to say so."""

    field: str
    words: str


BY_URL = Named("extract.url", "extract.url")
BY_REDIRECT = Named("extract.url", "a redirect")
BY_PAGE = Named("extract.pagination", "the address of the next page")
BY_TOKEN_URL = Named("extract.auth.oauth2.tokenUrl", "extract.auth.oauth2.tokenUrl")


class SourceError(ExtractError):
    """The message reads: place, what happened there, remedy.

    ``transient`` errors are worth another attempt; ``retry_after`` is how many seconds the source asked
    to be left alone, where it did.
    """

    transient: ClassVar[bool] = False
    remedy: ClassVar[str] = ""

    def __init__(
        self,
        what: str,
        place: Place,
        *,
        remedy: str | None = None,
        status: int | None = None,
        retry_after: float | None = None,
        field: str | None = None,
    ) -> None:
        self.what = what
        self.place = place
        self.advice = self.remedy if remedy is None else remedy
        self.status = status
        self.retry_after = retry_after
        super().__init__("; ".join(filter(None, (f"{place}: {what}", self.advice))), field=field)

    def after(self, retries: int) -> Self:
        """The same error, saying how often it was tried again."""
        if not retries:
            return self
        times = "once" if retries == 1 else f"{retries} times"
        return self._again(f"{self.what} (tried again {times})", self.place, self.advice)

    def redacted(self, text: Callable[[str], str]) -> Self:
        """The same error, its words as ``text`` gives them back."""
        return self._again(text(self.what), Place(text(self.place.url), self.place.page), text(self.advice))

    def _again(self, what: str, place: Place, advice: str) -> Self:
        return type(self)(
            what, place, remedy=advice, status=self.status, retry_after=self.retry_after, field=self.field
        )


# What another attempt may mend


class SourceUnreachable(SourceError):
    """No connection, or one that broke before an answer came."""

    reason = "SourceUnreachable"
    transient = True
    remedy = "check extract.url, and that this machine can reach it"


class SourceTimeout(SourceError):
    """The source was silent for longer than ``limits.timeout``."""

    reason = "SourceTimeout"
    transient = True
    remedy = "ask for smaller pages, or raise extract.limits.timeout"


class SourceFailed(SourceError):
    """The source says that the fault is its own: 5xx, 408, 425."""

    reason = "SourceFailed"
    transient = True
    remedy = "try again later, or ask who runs the source"


class RateLimited(SourceError):
    """429, more often than ``limits.retries``, or with a wait that is out of proportion."""

    reason = "RateLimited"
    transient = True
    remedy = "lower extract.limits.requestsPerSecond and extract.limits.concurrency"


class BodyTruncated(SourceError):
    """The body ends before its content does."""

    reason = "BodyTruncated"
    transient = True
    remedy = "try again; if it stays so, ask for smaller pages"


# What the source refuses, or where it leads


class SourceRefused(SourceError):
    """A status that another attempt would not change."""

    reason = "SourceRefused"
    remedy = "check extract.url, extract.params and extract.headers"


class TokenRefused(SourceError):
    """The OAuth 2 server gave no token."""

    reason = "TokenRefused"
    remedy = "check extract.auth.oauth2"


class SecretUnusable(SourceError):
    """A secret that cannot be sent as it is."""

    reason = "SecretUnusable"
    remedy = "store it without line breaks or other control characters"


class TooManyRedirects(SourceError):
    """One redirect follows another, too often."""

    reason = "TooManyRedirects"
    remedy = "use the address they lead to as extract.url"


class RedirectLoop(SourceError):
    """A redirect leads back to where it came from."""

    reason = "RedirectLoop"
    remedy = "check extract.url and extract.auth; some sources redirect who is not signed in"


class AddressUnusable(SourceError):
    """An address that leads nowhere: the document's, or where a redirect points."""

    reason = "AddressUnusable"
    remedy = "check extract.url"


class SourceForbidden(SourceError):
    """An address that the platform does not let pipelines read."""

    reason = "SourceForbidden"
    remedy = "let whoever runs the platform add the host or its network to ETL_ALLOWED_SOURCES, or read another"


class ProxyUnusable(SourceError):
    """The environment names a proxy that is none."""

    reason = "ProxyUnusable"
    remedy = "write it like http://proxy.example.com:3128"


# What a body is not


class WrongContent(SourceError):
    """Something else than JSON, such as a page for people."""

    reason = "WrongContent"
    remedy = "check that extract.url is the address of the API, and extract.auth"


class InvalidJson(SourceError):
    """A body, or a line of it, is no JSON."""

    reason = "InvalidJson"
    remedy = "ask who runs the source to mend it"


class BodyCorrupt(SourceError):
    """The compression cannot be undone."""

    reason = "BodyCorrupt"
    remedy = "ask who runs the source, or set the header Accept-Encoding: identity in extract.headers"


class RecordsMissing(SourceError):
    """There is nothing at `extract.records`."""

    reason = "RecordsMissing"
    remedy = "point extract.records at the array of records"


class RecordsNotAnArray(SourceError):
    """What is at `extract.records` is something else than an array."""

    reason = "RecordsNotAnArray"
    remedy = "point extract.records at the array of records"


class RecordTooLarge(SourceError):
    """A record is larger than one may be."""

    reason = "RecordTooLarge"
    remedy = "point extract.records at the array whose elements are the records"


class EnvelopeTooLarge(SourceError):
    """What a body holds beside its records is too long to be kept."""

    reason = "EnvelopeTooLarge"
    remedy = "ask for smaller pages, or for the records alone"


# Where pagination leads


class PageRepeated(SourceError):
    """The source sent a page, or asked for one, that this run has read before."""

    reason = "PageRepeated"
    remedy = "check extract.pagination: the source may not know the parameter"


class PaginationInvalid(SourceError):
    """The total, cursor or next address is not of a kind that can be used."""

    reason = "PaginationInvalid"
    remedy = "check the path in extract.pagination"


class MaxPagesExceeded(SourceError):
    """The source has more pages than `limits.maxPages`."""

    reason = "MaxPagesExceeded"
    remedy = "raise extract.limits.maxPages, or ask for larger pages"


class MaxBytesExceeded(SourceError):
    """The source has more bytes than `limits.maxBytes`."""

    reason = "MaxBytesExceeded"
    remedy = "raise extract.limits.maxBytes if that much is expected"


class SourceIncomplete(SourceError):
    """The source said there was more than it gave."""

    reason = "SourceIncomplete"
    remedy = "run again; if it stays so, check extract.pagination and the total"


class SourceBroken(SourceError):
    """A page that was being read as it arrived did not arrive to its end."""

    reason = "SourceBroken"
    remedy = "run again; smaller pages can be asked for again by themselves"


# Before the first request


class LookbackImpossible(SourceError):
    """``incremental.lookback`` with a cursor that is neither a timestamp nor a date."""

    reason = "LookbackImpossible"
    remedy = "leave incremental.lookback out, or choose a column of type timestamp or date"


class FileUnreadable(SourceError):
    """The file is not there, or may not be read."""

    reason = "FileUnreadable"
    remedy = "check extract.url; a relative path starts at the folder of the document"
