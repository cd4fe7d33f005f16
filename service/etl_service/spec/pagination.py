"""How one page of records leads to the next."""

from __future__ import annotations

from pydantic import Field

from etl_service.spec.base import Model
from etl_service.spec.request import HeaderName, ParamName
from etl_service.spec.rules import OFFSET_RULES, PAGE_RULES, PAGINATION_RULES
from etl_service.spec.text import Pointer

_TOTAL_PATH = (
    "JSON Pointer to the number of all records, where the source tells it: pages are then fetched concurrently, "
    "and their sum is compared with it."
)
_TOTAL_HEADER = "Header that tells the number of all records, such as X-Total-Count; instead of totalPath."


class PagePagination(Model):
    """Pages have numbers. An empty page ends them, or the total; a short one does not, since servers cap sizes."""

    param: ParamName = Field(default="page", description="Parameter for the number of the page. Default: page.")
    start: int = Field(default=1, ge=0, le=1_000_000, description="Number of the first page. Default: 1.")
    size: int | None = Field(default=None, ge=1, le=100_000, description="Records on a full page.")
    size_param: ParamName | None = Field(
        default=None, description="Parameter for the size, such as per_page. Default: the size is not sent."
    )
    total_path: Pointer | None = Field(default=None, description=_TOTAL_PATH)
    total_header: HeaderName | None = Field(default=None, description=_TOTAL_HEADER)

    rules = PAGE_RULES


class OffsetPagination(Model):
    """Pages begin after a number of records. An empty page ends them, or the total; a short one does not."""

    param: ParamName = Field(
        default="offset", description="Parameter for the number of records to leave out. Default: offset."
    )
    limit: int = Field(ge=1, le=100_000, description="Records to ask for at a time.")
    limit_param: ParamName = Field(default="limit", description="Parameter for the limit. Default: limit.")
    total_path: Pointer | None = Field(default=None, description=_TOTAL_PATH)
    total_header: HeaderName | None = Field(default=None, description=_TOTAL_HEADER)

    rules = OFFSET_RULES


class CursorPagination(Model):
    """A page holds the cursor of the next. The last is the one whose cursor is missing, null or empty."""

    param: ParamName = Field(default="cursor", description="Parameter for the cursor. Default: cursor.")
    path: Pointer = Field(description="JSON Pointer to the next page's cursor.")


class LinkPagination(Model):
    """The `Link` header has the next page's URL as rel="next" (RFC 8288). The last page has none."""


class NextUrlPagination(Model):
    """A page holds the next page's URL. The last is the one where it is missing, null or empty."""

    path: Pointer = Field(description="JSON Pointer to the next page's URL, absolute or relative.")


class Pagination(Model):
    """How one page leads to the next: at most one way. Without any there is one request."""

    page: PagePagination | None = Field(default=None, description="By the number of the page.")
    offset: OffsetPagination | None = Field(default=None, description="By the number of records to leave out.")
    cursor: CursorPagination | None = Field(default=None, description="By a cursor in the body.")
    link: LinkPagination | None = Field(default=None, description="By the Link header.")
    next_url: NextUrlPagination | None = Field(default=None, description="By a URL in the body.")

    rules = PAGINATION_RULES
