"""The OpenAPI document, and a page that shows it: both from here, with no request to another host."""

from __future__ import annotations

from importlib import resources
from typing import Any

import msgspec
from fastapi import APIRouter, FastAPI, Request
from fastapi.openapi.utils import get_openapi
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from etl_service.api.problems import Problem
from etl_service.api.tables import table_paths

router = APIRouter(include_in_schema=False)

_DESCRIPTION = """\
Every path is there at the root and again under `/api`. Times are RFC 3339 in UTC. Errors are `application/problem+json`
(RFC 9457), each with a stable `reason`. Reads never wait for a run.
"""
_PAGE = {"docs.css": "text/css", "docs.js": "text/javascript"}


@router.get("/openapi.json")
async def openapi(request: Request) -> Response:
    document = openapi_document(request.app) | {"servers": [{"url": request.scope["root_path"] or "/"}]}
    return Response(msgspec.json.encode(document), media_type="application/json")


@router.get("/docs")
async def page() -> Response:
    return Response(_static("docs.html"), media_type="text/html")


@router.get("/docs/{name}")
async def part(name: str) -> Response:
    if name not in _PAGE:
        raise HTTPException(404)
    return Response(_static(name), media_type=_PAGE[name])


def openapi_document(app: FastAPI) -> dict[str, Any]:
    """The document, made once."""
    if not app.openapi_schema:
        document = get_openapi(
            title=app.title, version=app.version, summary=app.summary, description=_DESCRIPTION, routes=app.routes
        )
        document["paths"] = {**table_paths(app.state.service.pipeline), **document["paths"]}
        components = document.setdefault("components", {})
        schema = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
        components.setdefault("schemas", {}).update({**schema.pop("$defs", {}), "Problem": schema})
        for _, operation in _operations(document):
            for parameter in operation.get("parameters", ()):
                parameter["schema"] = _without_null(parameter["schema"])
        settings = app.state.service.settings
        if settings.api_token:
            components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
            for method, operation in _operations(document):
                if method != "get" or (settings.api_protect == "reads" and "health" not in operation["tags"]):
                    operation["security"] = [{"token": []}]
        app.openapi_schema = document
    return app.openapi_schema


def _operations(document: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [(method, operation) for path in document["paths"].values() for method, operation in path.items()]


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """A parameter is left out or has a value: it cannot be null, which is Python's word for left out."""
    kinds = [kind for kind in schema.get("anyOf", ()) if kind != {"type": "null"}]
    return {key: value for key, value in schema.items() if key != "anyOf"} | kinds[0] if len(kinds) == 1 else schema


def _static(name: str) -> bytes:
    return resources.files("etl_service.api").joinpath("static", name).read_bytes()
