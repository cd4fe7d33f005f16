"""What may be asked of a table: the parameters in OpenAPI's words, and how they are read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import parse_qsl, urlencode

from starlette.types import Scope

from etl_service.api.export import MEDIA_TYPES, negotiated
from etl_service.errors import EtlError
from etl_service.load.store import Order, Query

DEFAULT_LIMIT, MOST = 10, 1000

PARAMETERS: list[dict[str, Any]] = [
    {
        "name": "limit",
        "in": "query",
        "description": "How many rows at most; csv and ndjson give all unless told.",
        "schema": {"type": "integer", "minimum": 1, "maximum": MOST, "default": DEFAULT_LIMIT},
    },
    {
        "name": "after",
        "in": "query",
        "description": "Where to go on, from the `Link` of the page before.",
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9_-]+$"},
    },
    {
        "name": "sort",
        "in": "query",
        "description": "A column; left out, the order is the key's, or that of arrival.",
        "schema": {"type": "string"},
    },
    {
        "name": "order",
        "in": "query",
        "description": "Nulls come first in `asc`, last in `desc`.",
        "schema": {"type": "string", "enum": ["asc", "desc"], "default": "asc"},
    },
    {
        "name": "q",
        "in": "query",
        "description": "Text in any text or json column, without regard to case.",
        "schema": {"type": "string"},
    },
    {
        "name": "format",
        "in": "query",
        "description": "Goes before `Accept`. csv and ndjson stream all that match.",
        "schema": {"type": "string", "enum": ["json", "csv", "ndjson"]},
    },
    {
        "name": "filters",
        "in": "query",
        "description": "`column=value`, for as many columns as wanted: rows must have all of these values.",
        "style": "form",
        "explode": True,
        "schema": {"type": "object", "additionalProperties": {"type": "string"}},
        "example": {},
    },
]


class InvalidRequest(EtlError):
    """A parameter that is not as it should be."""

    reason = "InvalidRequest"


def read_query(scope: Scope) -> tuple[Query, str]:
    """What a request asks for, and the format of the answer.

    Raises:
        InvalidRequest: a parameter that cannot be; columns and their values are for the store to judge.
    """
    given = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    params = dict(given)
    if len(params) != len(given):
        names = [name for name, _ in given]
        twice = next(name for name in names if names.count(name) > 1)
        raise InvalidRequest(f"{twice} is given more than once", field=twice)
    format = params.pop("format") if "format" in params else negotiated(_accepted(scope))
    if format not in MEDIA_TYPES:
        raise InvalidRequest(f"format is {format!r}; make it one of {', '.join(MEDIA_TYPES)}", field="format")
    query = Query(
        limit=_limit(params.pop("limit", None), DEFAULT_LIMIT if format == "json" else None),
        after=params.pop("after", None),
        sort=params.pop("sort", None),
        order=cast(Order, params.pop("order", "asc")),
        search=params.pop("q", None),
        filters=params,
    )
    return query, format


def next_link(scope: Scope, changes: Mapping[str, str]) -> str:
    """A Link to the same request with other parameters; relative, so that it holds behind any proxy."""
    parts = scope["query_string"].decode("latin-1").split("&")
    kept = [part for part in parts if part and part.partition("=")[0] not in changes]
    return f'<?{"&".join([*kept, urlencode(changes)])}>; rel="next"'


def _accepted(scope: Scope) -> str | None:
    return next((value.decode("latin-1") for name, value in scope["headers"] if name == b"accept"), None)


def _limit(text: str | None, default: int | None) -> int | None:
    if text is None:
        return default
    if re.fullmatch("[0-9]{1,4}", text) and 1 <= int(text) <= MOST:
        return int(text)
    raise InvalidRequest(f"limit is {text!r}; make it a whole number from 1 to {MOST}", field="limit")
