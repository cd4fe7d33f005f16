"""The page, served by the service itself: from the wheel, or in a checkout from where it is written."""

from __future__ import annotations

import os
from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

import etl_service

_PACKAGE = Path(etl_service.__file__).parent
_PACKED, _WRITTEN = _PACKAGE / "frontend", _PACKAGE.parents[1] / "frontend"
_FILES = ("style.css", "icon.svg")


def page_routes() -> APIRouter:
    """Routes for the page at ``/`` and its files."""
    files = _Revalidated(directory=_PACKED if _PACKED.is_dir() else _WRITTEN)
    router = APIRouter(include_in_schema=False)

    @router.get("/")
    async def page(request: Request) -> Response:
        return await files.get_response("index.html", request.scope)

    @router.get("/js/{path:path}")
    async def script(request: Request, path: str) -> Response:
        return await files.get_response(f"js/{path}", request.scope)

    for name in _FILES:

        @router.get(f"/{name}", name=name)
        async def file(request: Request, name: str = name) -> Response:
            return await files.get_response(name, request.scope)

    return router


class _Revalidated(StaticFiles):
    """Browsers keep the files, and ask each time whether they have changed: no page is stale after an upgrade."""

    def file_response(
        self, full_path: os.PathLike[str] | str, stat_result: os.stat_result, scope: Scope, status_code: int = 200
    ) -> Response:
        response = super().file_response(full_path, stat_result, scope, status_code)
        response.headers["Cache-Control"] = "no-cache"
        return response
