"""The document as a whole: what goes in comes out, is described, and is known by its hash."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given
from pydantic import ValidationError

from etl_service.spec import (
    EtlPipeline,
    Limits,
    Problem,
    SpecInvalid,
    json_schema,
    load_pipeline,
    parse_pipeline,
    public_document,
    validate_pipeline,
)
from etl_service.spec.base import Model
from service.spec.cases import DOCUMENT, LEFT_OUT, changed
from service.spec.strategies import documents

ROOT = Path(__file__).parents[3]
MODELS = sorted(Model.__subclasses__(), key=lambda model: model.__name__)
SCHEMA = jsonschema_rs.validator_for(json_schema())


def parsed(change: dict[str, Any]) -> EtlPipeline:
    return parse_pipeline(json.dumps(changed(change)))


def problems(text: str) -> tuple[Problem, ...]:
    with pytest.raises(SpecInvalid) as refused:
        parse_pipeline(text)
    return refused.value.problems


@given(documents())
def test_a_document_comes_back_from_what_was_read_of_it(document):
    pipeline = parse_pipeline(json.dumps(document))
    public = public_document(pipeline)

    assert SCHEMA.is_valid(document)
    assert SCHEMA.is_valid(public)
    assert parse_pipeline(json.dumps(public)) == pipeline
    assert parse_pipeline(json.dumps(public)).hash == pipeline.hash


@given(documents())
def test_a_resource_that_was_parsed_elsewhere_reads_the_same(document):
    pipeline = parse_pipeline(json.dumps(document))

    assert validate_pipeline(document) == pipeline
    assert EtlPipeline.model_validate(document) == pipeline


@pytest.mark.parametrize("path", sorted((ROOT / "pipelines").glob("*.yaml")), ids=lambda path: path.name)
def test_the_pipelines_that_come_with_the_project_are_valid(path):
    assert load_pipeline(path).metadata.name == "posts"


def test_what_is_left_out_has_its_default():
    spec = parsed({}).spec

    assert spec.extract.limits == Limits(
        requests_per_second=None,
        concurrency=4,
        timeout=timedelta(seconds=30),
        retries=5,
        max_pages=10_000,
        max_bytes=2**30,
    )
    assert (spec.transform.columns, spec.transform.on_error, spec.transform.max_errors) == (None, "quarantine", 100)
    assert (spec.load.mode, spec.load.allow_empty, spec.suspend) == ("upsert", False, False)
    assert (spec.run.request_id, spec.run.backoff_limit, spec.run.deadline) == (None, 2, timedelta(hours=1))


def test_a_pipeline_is_known_by_its_namespace_and_name():
    assert parsed({}).full_name == "default/posts"
    assert parsed({"metadata": {"namespace": "blog"}}).full_name == "blog/posts"


def test_an_empty_request_id_is_none():
    assert parsed({"spec": {"run": {"requestId": ""}}}).spec.run.request_id is None


def test_a_pipeline_cannot_be_changed():
    pipeline = parsed({})

    with pytest.raises(ValidationError):
        pipeline.spec.load.table = "users"


class TestHash:
    def test_it_is_the_same_however_the_document_is_written(self):
        assert parsed({}).hash == "e91b014ed1c16744"
        for change in (
            {"metadata": {"name": "other", "labels": {"a": "b"}}},
            {
                "spec": {
                    "extract": {"method": "GET", "params": {}, "limits": {"timeout": "0h0m30s", "maxBytes": "1024Mi"}}
                }
            },
            {"spec": {"transform": {}, "run": {}, "history": {"failed": 3}}},
        ):
            assert parsed(change).hash == parsed({}).hash

    def test_it_does_not_know_of_requests_and_suspension(self):
        for change in ({"suspend": True}, {"run": {"requestId": "a"}}, {"run": {"requestId": ""}}):
            assert parsed({"spec": change}).hash == parsed({}).hash

    def test_it_changes_with_what_the_pipeline_does(self):
        changes = [
            {},
            {"extract": {"url": "https://api.example.com/users"}},
            {"extract": {"params": {"a": 1}}},
            {"extract": {"params": {"a": "1"}}},
            {"load": {"mode": "append"}},
            {"transform": {"columns": [{"name": "id", "type": "integer"}]}},
            {"transform": {"columns": [{"name": "id", "type": "text"}]}},
            {"run": {"deadline": "2h", "requestId": "a"}},
        ]

        assert len({parsed({"spec": change}).hash for change in changes}) == len(changes)


class TestDescription:
    """The reference page, `kubectl explain` and editors have no other text than this."""

    @pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
    def test_every_field_is_described_with_its_default(self, model):
        defaults = model.model_construct(name="a").model_dump(mode="json")
        for name, field in model.model_fields.items():
            assert field.description.endswith("."), name
            default = None if field.is_required() or field.default_factory else defaults[name]
            # What is nothing by default needs no words, nor does what holds fields with defaults of their own.
            if default not in (None, [], {}) and not isinstance(default, dict) and model is not EtlPipeline:
                written = default if isinstance(default, str) and default else json.dumps(default)
                assert f"Default: {written}" in field.description, name

    def test_everything_is_bounded(self):
        unbounded = [
            place
            for place, part in parts(json_schema())
            if (part.get("type") == "string" and not {"maxLength", "enum", "const"} & part.keys())
            or (part.get("type") == "array" and "maxItems" not in part)
            or (part.get("type") == "integer" and not {"minimum", "maximum"} <= part.keys())
            or (part.get("type") == "object" and "properties" not in part and "maxProperties" not in part)
        ]

        assert unbounded == []


def parts(schema: Any, place: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every schema within a schema, with its place."""
    if isinstance(schema, dict):
        yield place, schema
        for key, value in schema.items():
            yield from parts(value, f"{place}/{key}")


class TestFile:
    def test_a_file_is_read_in_utf_8_with_or_without_its_mark(self, tmp_path: Path):
        for mark in ("", "\ufeff"):
            (tmp_path / "posts.yaml").write_text(mark + (ROOT / "pipelines/sample.yaml").read_text(), encoding="utf-8")

            assert load_pipeline(tmp_path / "posts.yaml").spec.load.table == "posts"

    @pytest.mark.parametrize(
        ("content", "problem"),
        [
            (None, Problem("", "is not there", "check the path")),
            (b"a: 1\nb: \xff", Problem("", "is not UTF-8 text", "save it as UTF-8", 2)),
            (b" " * (2**20 + 1), Problem("", "is larger than 1 MiB", "name the file of a pipeline")),
            (b"", Problem("", "is empty", "write a resource of kind: EtlPipeline")),
            (
                b"a: b: c",
                Problem("", "is not YAML: mapping values are not allowed in this context", "correct it there", 1),
            ),
        ],
    )
    def test_a_file_that_cannot_be_read_is_told_why(self, content, problem, tmp_path: Path):
        path = tmp_path / "posts.yaml"
        if content is not None:
            path.write_bytes(content)

        with pytest.raises(SpecInvalid) as refused:
            load_pipeline(path)

        assert refused.value.problems == (problem,)
        assert refused.value.reason == "InvalidSpec"
        assert str(path) in refused.value.message

    def test_a_folder_is_no_file(self, tmp_path: Path):
        with pytest.raises(SpecInvalid, match="cannot be read: Is a directory"):
            load_pipeline(tmp_path)


class TestResources:
    """A file may hold what else a cluster is given; what the cluster adds may come back."""

    PIPELINE = json.dumps(DOCUMENT)
    OTHER = json.dumps({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "api"}})

    def test_the_pipeline_is_found_among_other_resources(self):
        assert parse_pipeline(f"{self.OTHER}\n---\n{self.PIPELINE}\n---\n").full_name == "default/posts"

    def test_two_pipelines_are_one_too_many(self):
        (problem,) = problems(f"{self.PIPELINE}\n---\n{self.PIPELINE}")

        assert (problem.message, problem.line) == ("holds 2 pipelines", 3)

    def test_no_pipeline_is_none_too_few(self):
        (problem,) = problems(f"{self.OTHER}\n---\n{self.OTHER}")

        assert problem.message == "holds no resource of kind EtlPipeline"

    def test_a_resource_that_stands_alone_is_told_what_it_lacks(self):
        assert [problem.path for problem in problems(json.dumps(changed({"kind": LEFT_OUT})))] == ["kind"]
        assert problems("- 1")[0].message == "must be a map"

    def test_what_a_cluster_adds_is_no_part_of_the_document(self):
        added = {"uid": "1", "generation": 2, "managedFields": [], "finalizers": None}

        assert parsed({"metadata": added, "status": {"observedGeneration": None}}) == parsed({})


class TestNothing:
    """A cluster takes null for no value of any field; what looks like a default here would be an error there."""

    def test_null_is_refused_wherever_it_stands(self):
        found = problems(
            json.dumps(changed({"spec": {"schedule": None, "extract": {"limits": None}, "load": {"key": [None]}}}))
        )

        assert {problem.path for problem in found} == {"spec.schedule", "spec.extract.limits", "spec.load.key[0]"}

    def test_null_is_a_value_where_anything_is(self):
        spec = {"extract": {"method": "POST", "body": {"a": None}}, "pod": {"affinity": {"b": [None]}}}

        assert public_document(parsed({"spec": spec}))["spec"]["pod"] == {"affinity": {"b": [None]}}

    def test_a_body_may_be_anything_but_null(self):
        bodies: list[Any] = [False, 0, "", [], {}, [1]]
        for body in bodies:
            assert parsed({"spec": {"extract": {"method": "POST", "body": body}}}).spec.extract.body == body

    @pytest.mark.parametrize("body", [float("nan"), float("inf"), "\ud800", b"bytes"], ids=repr)
    def test_what_json_cannot_say_is_refused(self, body):
        resource = changed({"spec": {"extract": {"method": "POST", "body": body}}})

        with pytest.raises(SpecInvalid, match="holds what JSON cannot say"):
            validate_pipeline(resource)

    @pytest.mark.parametrize("levels", [300, 900, 100_000])
    def test_what_has_too_many_levels_is_refused(self, levels):
        for change in ({"extract": {"method": "POST", "body": "deep"}}, {"load": {"key": ["deep"]}}):
            text = json.dumps(changed({"spec": change})).replace('"deep"', "[" * levels + "]" * levels)

            assert [problem.message for problem in problems(text)] == ["is nested too deeply"]


def test_what_only_schedules_need_is_not_imported_before():
    asked = "import sys, etl_service.spec; print('cronsim' in sys.modules)"
    path = {**os.environ, "PYTHONPATH": str(ROOT / "service")}

    answer = subprocess.run([sys.executable, "-c", asked], check=True, capture_output=True, text=True, env=path)

    assert answer.stdout.strip() == "False"
