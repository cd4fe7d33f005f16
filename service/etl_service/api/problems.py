"""Errors as clients see them: RFC 9457 problems, each with the stable reason that run records carry too."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from etl_service.errors import EtlError, ExtractError, TransformError
from etl_service.load.errors import DatabaseUnavailable
from etl_service.model import Run

MEDIA_TYPE = "application/problem+json"

#: Where a reason tells more than the family that its error is of.
_STATUS_BY_REASON: Mapping[str, int] = {
    "Busy": 409,
    "Suspended": 409,
    "RunElsewhere": 409,
    "NotRunning": 409,
    "NothingToReplay": 409,
    "TableOwned": 409,
    "SchemaConflict": 409,
    "RunNotFound": 404,
    "TableNotFound": 404,
    "InvalidQuery": 422,
    "InvalidRequest": 422,
    "DatabaseUnsuitable": 503,
    "SchemaTooNew": 503,
    "LaunchFailed": 503,
    "Stopping": 503,
}
_STATUS_BY_FAMILY: Mapping[type[EtlError], int] = {ExtractError: 502, TransformError: 502, DatabaseUnavailable: 503}

_log = logging.getLogger(__name__)


class FieldProblem(BaseModel):
    field: str
    detail: str


class Problem(BaseModel):
    """What went wrong, for programs and for people (RFC 9457)."""

    type: str = Field(examples=["urn:etlpipeline:problem:Busy"])
    title: str = Field(examples=["Conflict"], description="The status in words.")
    status: int = Field(ge=400, le=599, examples=[409])
    detail: str = Field(description="What happened, where, and what to do.")
    reason: str = Field(examples=["Busy"], description="A stable word; run records carry the same.")
    field: str | None = Field(default=None, description="The parameter, column or field of the document at fault.")
    errors: list[FieldProblem] | None = Field(default=None, description="Where more than one is at fault, all of them.")
    run: Run | None = Field(default=None, description="The run that is in the way.")


class ProblemResponse(Response):
    media_type = MEDIA_TYPE

    def __init__(self, problem: Problem, headers: Mapping[str, str] | None = None) -> None:
        unset = {name for name, value in problem if value is None}  # at the top: a run's record is whole
        super().__init__(problem.model_dump_json(exclude=unset), problem.status, headers)


def problem(status: int, reason: str, detail: str, **more: Any) -> Problem:
    return Problem(
        type=f"urn:etlpipeline:problem:{reason}",
        title=HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        reason=reason,
        **more,
    )


def problem_of(error: EtlError, run: Run | None = None) -> Problem:
    return problem(status_of(error), error.reason, error.message, field=error.field, run=run)


def status_of(error: EtlError) -> int:
    if error.reason in _STATUS_BY_REASON:
        return _STATUS_BY_REASON[error.reason]
    return next((status for family, status in _STATUS_BY_FAMILY.items() if isinstance(error, family)), 500)


def handle_problems(app: FastAPI) -> None:
    """Give every error its problem, those of the framework included."""
    app.add_exception_handler(EtlError, _on_error)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(RequestValidationError, _on_validation)


class Unexpected:
    """The boundary: what nobody foresaw is a line in the log with its traceback, and a problem without."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except Exception:
            _log.exception("%s %s failed for a reason that the service does not know", scope["method"], scope["path"])
            if started:  # half an answer cannot be taken back: break it off, so that nobody takes it for whole
                raise
            detail = "the service failed for a reason that it does not know; its log has more"
            await ProblemResponse(problem(500, "InternalError", detail))(scope, receive, send)


async def _on_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, EtlError)
    if (status := status_of(error)) >= 500:
        _log.warning("%s %s: %s", request.method, request.url.path, error.message, extra={"reason": error.reason})
    headers = {"Retry-After": "5"} if status == 503 else None
    return ProblemResponse(problem_of(error), headers)


async def _on_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    reason = HTTPStatus(error.status_code).phrase.title().replace(" ", "")
    detail = {
        404: f"there is nothing at {request.url.path}; /docs lists what there is",
        405: f"{request.url.path} does not take {request.method}",
    }.get(error.status_code, str(error.detail))
    return ProblemResponse(problem(error.status_code, reason, detail), error.headers)


async def _on_validation(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    errors = [
        FieldProblem(field=".".join(map(str, each["loc"][1:])) or str(each["loc"][0]), detail=each["msg"])
        for each in error.errors()
    ]
    return ProblemResponse(invalid(*errors))


def invalid(*errors: FieldProblem) -> Problem:
    detail = "; ".join(f"{each.field}: {each.detail}" for each in errors)
    more = list(errors) if len(errors) > 1 else None
    return problem(422, "InvalidRequest", detail, field=errors[0].field, errors=more)
