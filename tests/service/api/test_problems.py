"""Errors as clients see them."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from etl_service.api.problems import status_of
from etl_service.errors import EtlError, ExtractError, LoadError, TransformError
from etl_service.load.errors import Busy, DatabaseFull, QueryError

from .conftest import InProcess


def is_problem(answer: Any, status: int, reason: str) -> bool:
    body = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.status_code, body["status"], body["reason"]) == (status, status, reason)
    assert body["type"] == f"urn:etlpipeline:problem:{reason}"
    assert body["title"] and body["detail"]
    return True


def test_an_unknown_path_is_a_problem(empty: InProcess) -> None:
    assert is_problem(empty.get("/nothing/here"), 404, "NotFound")
    assert is_problem(empty.get("/api/nothing"), 404, "NotFound")


def test_a_method_that_a_path_does_not_take_is_a_problem_that_names_those_it_does(empty: InProcess) -> None:
    answer = empty.ask("PUT", "/etl/run")

    assert is_problem(answer, 405, "MethodNotAllowed")
    assert answer.headers["allow"] == "POST"


def test_a_parameter_that_is_not_as_it_should_be_is_named(empty: InProcess) -> None:
    answer = empty.get("/etl/runs?limit=0&status=well")

    assert is_problem(answer, 422, "InvalidRequest")
    assert answer.json()["field"] == "limit"
    assert [each["field"] for each in answer.json()["errors"]] == ["limit", "status"]


def test_an_error_of_the_engines_own_keeps_its_reason_and_field(empty: InProcess) -> None:
    answer = empty.get("/etl/runs/nope")

    assert is_problem(answer, 404, "RunNotFound")
    assert "errors" not in answer.json()


def test_what_nobody_foresaw_is_a_problem_without_a_traceback_and_a_line_in_the_log_with_one(
    posts: InProcess, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*args: Any) -> Any:
        raise ZeroDivisionError("a detail that is nobody's business")

    monkeypatch.setattr(posts.store, "rows", broken)

    with caplog.at_level(logging.ERROR):
        answer = posts.get("/posts")

    assert is_problem(answer, 500, "InternalError")
    assert "nobody's business" not in answer.text and "Traceback" not in answer.text
    assert "nobody's business" in caplog.text


def test_a_database_that_is_gone_is_a_problem_that_will_pass(posts: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*args: Any) -> Any:
        raise DatabaseFull("the disk is full; make room")

    monkeypatch.setattr(posts.store, "check", gone)
    answer = posts.get("/ready")

    assert is_problem(answer, 503, "DatabaseFull")
    assert answer.headers["retry-after"] == "5"


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (Busy("default/posts", "1"), 409),
        (QueryError("no"), 422),
        (ExtractError("no"), 502),
        (TransformError("no"), 502),
        (LoadError("no"), 500),
        (EtlError("no"), 500),
    ],
)
def test_a_status_follows_from_the_reason_or_the_family(error: EtlError, status: int) -> None:
    assert status_of(error) == status
