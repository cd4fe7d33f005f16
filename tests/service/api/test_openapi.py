"""The service against its own OpenAPI document: no answer that it does not describe, and none that is a fault."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

from etl_service.model import Run

from .conftest import InProcess

OPERATIONS = [
    ("GET", "/posts"),
    ("GET", "/tables/{table}"),
    ("GET", "/health"),
    ("GET", "/ready"),
    ("GET", "/metrics"),
    ("GET", "/stats"),
    ("POST", "/etl/run"),
    ("POST", "/etl/replay"),
    ("GET", "/etl/runs"),
    ("GET", "/etl/runs/{id}"),
    ("DELETE", "/etl/runs/{id}"),
    ("GET", "/etl/runs/{id}/rejects"),
    ("GET", "/etl/runs/{id}/events"),
    ("GET", "/etl/preview"),
    ("GET", "/etl/pipeline"),
]


@pytest.fixture
def described(make: Callable[..., InProcess], document: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A service with one run behind it, that begins no processes."""
    service = make(document, host="0.0.0.0")
    service.run()
    last = service.store.last("default/posts")
    assert last is not None

    async def launch(*arguments: str) -> Run:
        return last

    monkeypatch.setattr(service.service.launcher, "launch", launch)
    return schemathesis.openapi.from_asgi("/openapi.json", service.app)


@pytest.mark.parametrize(("method", "path"), OPERATIONS, ids=[" ".join(operation) for operation in OPERATIONS])
def test_every_answer_is_as_described(described: Any, method: str, path: str) -> None:
    operation = described[path][method]
    right, wrong = (operation.as_strategy(generation_mode=mode) for mode in GenerationMode)
    takes_anything = bool(operation.definition.raw.get("parameters"))

    @given(case=right | wrong if takes_anything else right)
    @settings(max_examples=30, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    def check(case: Any) -> None:
        # No schema can say which columns a table has, and which tokens a page has given.
        case.call_and_validate(excluded_checks=[positive_data_acceptance] if path == "/posts" else [])

    check()


def test_every_operation_is_asked(described: Any) -> None:
    found = [(operation.ok().method.upper(), operation.ok().path) for operation in described.get_all_operations()]

    assert sorted(found) == sorted(OPERATIONS)
