"""Rows of a table: a page as JSON, or all that match as a stream.

This is what is asked most, and by machines: it answers without the framework's help, which would take longer than
the answer does, and fetches a page that the key finds without leaving the event loop, where the store is that quick.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from fastapi.responses import Response
from starlette.exceptions import HTTPException
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from etl_service.api.counting import own_table
from etl_service.api.documented import NEXT_LINK, problems
from etl_service.api.encoding import json_array
from etl_service.api.export import MEDIA_TYPES, export
from etl_service.api.parameters import MOST, PARAMETERS, next_link, read_query
from etl_service.api.service import Service
from etl_service.errors import EtlError
from etl_service.load.errors import TableOwned
from etl_service.load.store import Query, Table
from etl_service.spec import EtlPipeline

#: A page of so many is fetched in less time than a change of threads takes.
_QUICK = 100

_ROWS = {
    "type": "array",
    "items": {"type": "object", "description": "A row, with its columns as names."},
    "example": [
        {"id": 1, "title": "A post", "loaded_at": "2026-01-31T12:00:00.000000Z", "run_id": "20260131-120000-a1b2c3"}
    ],
}
_ANSWER: dict[str, Any] = {
    "description": "Rows.",
    "headers": NEXT_LINK,
    "content": {
        "application/json": {"schema": _ROWS},
        "text/csv": {"schema": {"type": "string"}},
        "application/x-ndjson": {"schema": {"type": "string"}},
    },
}


class TableNotFound(EtlError):
    """No pipeline has made such a table."""

    reason = "TableNotFound"


def table_routes(pipeline: EtlPipeline) -> list[Route]:
    """The pipeline's own table by its name, and any by ``/tables/``."""
    own = f"/{pipeline.spec.load.table}"
    return [Route(own, Rows(own, pipeline.spec.load.table)), Route("/tables/{table}", Rows("/tables/{table}"))]


def table_paths(pipeline: EtlPipeline) -> dict[str, Any]:
    """What the OpenAPI document says of them."""
    own = pipeline.spec.load.table
    name = {"name": "table", "in": "path", "required": True, "schema": {"type": "string"}}
    return {
        f"/{own}": {"get": _operation(f"Rows of {own}", "own_rows", PARAMETERS, problems(422))},
        "/tables/{table}": {"get": _operation("Rows of a table", "rows", [name, *PARAMETERS], problems(404, 422))},
    }


class Rows:
    """Answers for one table, or for the one that the path names."""

    def __init__(self, path: str, table: str | None = None) -> None:
        self.path = path
        self._table = table

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["route"] = self  # metrics count it under its path
        if scope["method"] != "GET":
            raise HTTPException(405, headers={"Allow": "GET"})
        response = await _answer(scope["app"].state.service, scope, self._table or scope["path_params"]["table"])
        await response(scope, receive, send)


async def _answer(service: Service, scope: Scope, name: str) -> Response:
    query, format = read_query(scope)
    if service.store.prompt:
        table = _table(service, name)
    else:
        table = await service.aside(_table, service, name)
    if table is None:
        return Response(b"[]" if format == "json" else b"", media_type=MEDIA_TYPES[format])
    if format != "json":
        return await export(service.store, table, query, format)
    if service.store.prompt and _is_quick(table, query):
        page = service.store.rows(table, query)
    else:
        page = await service.aside(service.store.rows, table, query)
    headers = {"Vary": "Accept"}
    if page.next is not None:
        headers["Link"] = next_link(scope, {"after": page.next})
    return Response(json_array(page.columns, page.rows), headers=headers, media_type=MEDIA_TYPES["json"])


def _table(service: Service, name: str) -> Table | None:
    """The table; None for the pipeline's own where it has none, before its first run for instance.

    Raises:
        TableNotFound: no pipeline has made one of that name.
    """
    own = service.pipeline.spec.load.table
    if name == own:
        return own_table(service.store, service.pipeline.full_name, own)
    with suppress(TableOwned):  # there, and no pipeline's
        if table := service.store.table(name):
            return table
    raise TableNotFound(f"there is no table {name!r}; this pipeline loads {own}")


def _is_quick(table: Table, query: Query) -> bool:
    by_key = query.sort is None or (query.sort,) == table.key[:1]
    return by_key and not query.filters and not query.search and (query.limit or MOST) <= _QUICK


def _operation(
    summary: str, name: str, parameters: list[dict[str, Any]], answers: dict[int | str, Any]
) -> dict[str, Any]:
    return {
        "tags": ["data"],
        "summary": summary,
        "operationId": name,
        "parameters": parameters,
        "responses": {"200": _ANSWER, **{str(status): answer for status, answer in answers.items()}},
    }
