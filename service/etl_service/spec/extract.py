"""Where the records come from."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field, JsonValue

from etl_service.spec.address import SourceUrl
from etl_service.spec.auth import Auth
from etl_service.spec.base import Model
from etl_service.spec.names import ColumnName
from etl_service.spec.pagination import Pagination
from etl_service.spec.partitions import Partitions
from etl_service.spec.request import Headers, ParamName, Params
from etl_service.spec.rules import EXTRACT_RULES
from etl_service.spec.text import Bytes, Pointer, duration

Lookback = Annotated[timedelta, duration(timedelta(0), timedelta(days=3650))]
Timeout = Annotated[timedelta, duration(timedelta(milliseconds=100), timedelta(hours=1))]


class Incremental(Model):
    """Fetch only what is new: the greatest value that the table has of a column goes into the next request."""

    column: ColumnName = Field(description="Column that grows with every change, such as updated_at.")
    param: ParamName = Field(description="Query parameter for the column's greatest value, such as since.")
    start: str = Field(
        min_length=1, max_length=256, description="Value for the first run, as the source wants it, such as 2024-01-01."
    )
    lookback: Lookback | None = Field(
        default=None, description="How far before the greatest value to begin, for records that come late. Default: 0s."
    )


class Limits(Model):
    """What a run may ask of the source, and of the engine."""

    requests_per_second: float | None = Field(
        default=None,
        gt=0,
        le=10_000,
        description="Requests to begin in a second, over all partitions. Default: as many as the rest allows.",
    )
    concurrency: int = Field(
        default=4,
        ge=1,
        le=64,
        description="Requests under way at a time, of each worker, where the number of records is known. Default: 4.",
    )
    timeout: Timeout = Field(
        default=timedelta(seconds=30),
        description="Time for the source to send something, from 100ms to 1h. Default: 30s.",
    )
    retries: int = Field(
        default=5,
        ge=0,
        le=20,
        description="Further attempts at a request after a connection error or a status of 408, 425, 429 or 5xx, "
        "with growing pauses, or such as Retry-After asks for. Default: 5.",
    )
    max_pages: int = Field(
        default=10_000,
        ge=1,
        le=10_000_000,
        description="More pages than that fail the run, or each partition of it. Default: 10000.",
    )
    max_bytes: Bytes = Field(
        default=2**30,
        description="More bytes than that, over all pages and decompressed, fail the run, or each partition of it. "
        "Default: 1Gi.",
    )


class Extract(Model):
    """The source: where the records come from."""

    url: SourceUrl = Field(
        description="Address of the source: http: or https:, file: (JSON or NDJSON, also .gz; a relative path starts "
        "from the document; not on a cluster), or sample: (posts that are bundled, a few of them dirty)."
    )
    records: Pointer = Field(
        default="",
        description="JSON Pointer to the array of records. null or [] there is no records; nothing there, on the first "
        'page, fails the run. Default: "", the whole body.',
    )
    method: Literal["GET", "POST"] = Field(default="GET", description="Method of the requests. Default: GET.")
    params: Params = Field(default={}, description="Query parameters of each request. A key belongs into auth.")
    headers: Headers = Field(default={}, description="Headers of each request. Authorization belongs into auth.")
    body: JsonValue = Field(default=None, description="JSON body of each request, with method POST.")
    auth: Auth | None = Field(default=None, description="Credentials for the source. Default: none.")
    pagination: Pagination | None = Field(
        default=None, description="How one page leads to the next. Default: there is one page."
    )
    incremental: Incremental | None = Field(
        default=None, description="Fetch only what is new. Default: every run fetches all."
    )
    partitions: Partitions | None = Field(
        default=None, description="Divide a run among workers; needs `load.postgres`. Default: one worker reads all."
    )
    limits: Limits = Field(default=Limits(), description="Limits; each has a default.")

    rules = EXTRACT_RULES
