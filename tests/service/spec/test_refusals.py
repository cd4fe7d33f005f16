"""What is refused: every case of the table, with its path and in words, by the models and by the schema."""

import json
import traceback

import jsonschema_rs
import pytest

from etl_service.spec import SpecInvalid, json_schema, parse_pipeline
from service.spec.cases import CASES, DOCUMENT, IDS, Case, changed


@pytest.fixture(scope="module")
def schema():
    return jsonschema_rs.validator_for(json_schema())


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_a_document_is_refused_for_the_field_at_fault_and_nothing_else(case: Case):
    with pytest.raises(SpecInvalid) as refused:
        parse_pipeline(json.dumps(changed(case.change)))

    assert [problem.path for problem in refused.value.problems] == [case.path]
    (problem,) = refused.value.problems
    assert case.message in problem.message
    assert problem.remedy


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_the_schema_refuses_what_a_schema_can(case: Case, schema):
    assert schema.is_valid(changed(case.change)) is not case.by_schema


def test_the_document_that_the_cases_change_is_accepted(schema):
    assert schema.is_valid(DOCUMENT)
    parse_pipeline(json.dumps(DOCUMENT))


def test_no_message_repeats_a_secret():
    for case in CASES:
        with pytest.raises(SpecInvalid) as refused:
            parse_pipeline(json.dumps(changed(case.change)))

        assert "hunter2" not in "".join(traceback.format_exception(refused.value))


def test_every_problem_is_told_at_once_with_its_line():
    with pytest.raises(SpecInvalid) as refused:
        parse_pipeline(
            """\
apiVersion: etlpipeline.dev/v1alpha1
kind: EtlPipeline
metadata:
  name: Posts
spec:
  extract:
    url: sample:posts
    limits: {timeout: 30s, retrys: 3}
  transform:
    columns:
    - {name: order, type: text}
    - name: id
      type: int
  load:
    key: [id]
""",
            "posts.yaml",
        )

    assert [(problem.line, problem.path) for problem in refused.value.problems] == [
        (4, "metadata.name"),
        (8, "spec.extract.limits.retrys"),
        (11, "spec.transform.columns[0].name"),
        (13, "spec.transform.columns[1].type"),
        (14, "spec.load.table"),
    ]
    assert str(refused.value).startswith(
        "posts.yaml is not a pipeline that can be run:\n  line 4: metadata.name is not"
    )


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("retrys", "did you mean retries?"),
        ("max_pages", "did you mean maxPages?"),
        ("requests-per-second", "did you mean requestsPerSecond?"),
        ("colour", "the fields here are requestsPerSecond, concurrency, timeout, retries, maxPages, maxBytes"),
    ],
)
def test_an_unknown_field_is_told_what_was_meant(written, meant):
    with pytest.raises(SpecInvalid) as refused:
        parse_pipeline(json.dumps(changed({"spec": {"extract": {"limits": {written: 3}}}})))

    assert refused.value.problems[0].remedy == meant


def test_a_name_that_yaml_takes_for_a_boolean_is_told_about_quotes():
    with pytest.raises(SpecInvalid) as refused:
        parse_pipeline(json.dumps(changed({"spec": {"extract": {"incremental": {"start": False}}}})))

    start = next(problem for problem in refused.value.problems if problem.path.endswith("start"))
    assert start.message == "must be text, and is true or false"
    assert start.remedy.startswith("put it in quotes")
