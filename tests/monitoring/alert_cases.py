"""The series that fire each alert, and those that must not: what Prometheus may see of a pipeline within an hour."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

Series = Mapping[str, float | str]

#: In whose labels `P` stands for the pipeline's. Each is there for an hour, at the end of which is looked.
P = 'namespace="team",pipeline="posts"'
HEALTHY: Series = {
    "etl_pipeline_success_due_timestamp_seconds{P}": 7200,
    'etl_pipeline_condition{P,condition="Ready",reason="Available"}': 1,
    'etl_pipeline_condition{P,condition="RunSucceeded",reason="Succeeded"}': 1,
    'etl_pipeline_last_run_records{P,outcome="fetched"}': 100,
    'etl_pipeline_last_run_records{P,outcome="rejected"}': 5,
    "etl_pipeline_reconcile_failures{P}": 0,
    "etl_volume_size_bytes{P}": 1000,
    "etl_volume_free_bytes{P}": 300,
    'up{P,job="etl-service"}': 1,
    'etl_operator_watching{pod="etl-operator-1"}': 1,
    'etl_operator_queue_length{pod="etl-operator-1"}': 0,
    'etl_operator_api_requests_total{method="GET",status="200"}': "0+60x60",
    'etl_operator_api_requests_total{method="GET",status="503"}': "0+1x60",
}
SUSPENDED: Series = {
    'etl_pipeline_condition{P,condition="Suspended",reason="Suspended"}': 1,
    "etl_pipeline_success_due_timestamp_seconds{P}": "_x60",
}
FAILED: Series = {
    'etl_pipeline_condition{P,condition="RunSucceeded",reason="Succeeded"}': "1x40 stale",
    'etl_pipeline_condition{P,condition="RunSucceeded",reason="PageRepeated"}': "_x40 0x20",
}
STALLED: Series = {
    'etl_pipeline_condition{P,condition="Ready",reason="Available"}': "_x60",
    'etl_pipeline_condition{P,condition="Ready",reason="InvalidSpec"}': 0,
    'etl_pipeline_condition{P,condition="Stalled",reason="InvalidSpec"}': 1,
}
NOT_READY: Series = {
    'etl_pipeline_condition{P,condition="Ready",reason="Available"}': "1x40 stale",
    'etl_pipeline_condition{P,condition="Ready",reason="Progressing"}': "_x40 0x20",
}


@dataclass(frozen=True)
class Case:
    what: str
    series: Series  #: beside and instead of the healthy ones
    alert: str | None = None  #: the one that fires
    severity: str = "warning"
    says: tuple[str, str] = ("", "")  #: its summary and its description
    is_of_a_pipeline: bool = True


NOBODY_AT_WORK = (
    "No operator of EtlPipeline is at work",
    "For 5 minutes no operator has watched pipelines: services and schedules go on, and changes, requested runs and "
    "results are not taken up.",
)

CASES = [
    Case("all is well", {}),
    Case(
        "no run has succeeded since it was due half an hour ago",
        {"etl_pipeline_success_due_timestamp_seconds{P}": 1800},
        "EtlPipelineStale",
        "critical",
        (
            "Pipeline team/posts is stale",
            "Pipeline posts in namespace team should have succeeded 30m 0s ago, as its schedule and its deadline "
            "have it.",
        ),
    ),
    Case("a success is due for five minutes", {"etl_pipeline_success_due_timestamp_seconds{P}": 3300}),
    Case("it has no schedule", {"etl_pipeline_success_due_timestamp_seconds{P}": "_x60"}),
    Case(
        "runs have failed for twenty minutes",
        FAILED,
        "EtlPipelineFailing",
        says=(
            "Pipeline team/posts fails",
            "The last run of pipeline posts in namespace team did not succeed: PageRepeated.",
        ),
    ),
    Case(
        "runs fail for one reason and then for another",
        {
            'etl_pipeline_condition{P,condition="RunSucceeded",reason="Succeeded"}': "_x60",
            'etl_pipeline_condition{P,condition="RunSucceeded",reason="PageRepeated"}': "0x54 stale",
            'etl_pipeline_condition{P,condition="RunSucceeded",reason="HttpError"}': "_x55 0x5",
        },
        "EtlPipelineFailing",
        says=(
            "Pipeline team/posts fails",
            "The last run of pipeline posts in namespace team did not succeed: HttpError.",
        ),
    ),
    Case(
        "a run failed, and the next one succeeded",
        {
            'etl_pipeline_condition{P,condition="RunSucceeded",reason="Succeeded"}': "1x39 stale _x4 1x15",
            'etl_pipeline_condition{P,condition="RunSucceeded",reason="PageRepeated"}': "_x40 0x4 stale",
        },
    ),
    Case(
        "somebody has cancelled the last run",
        {
            'etl_pipeline_condition{P,condition="RunSucceeded",reason="Succeeded"}': "_x60",
            'etl_pipeline_condition{P,condition="RunSucceeded",reason="Cancelled"}': 0,
        },
    ),
    Case(
        "one in ten records was rejected",
        {'etl_pipeline_last_run_records{P,outcome="rejected"}': 10},
        "EtlPipelineRejecting",
        says=(
            "Pipeline team/posts rejects records",
            "The last run of pipeline posts in namespace team rejected 10% of its records.",
        ),
    ),
    Case(
        "the source had nothing",
        {
            'etl_pipeline_last_run_records{P,outcome="fetched"}': 0,
            'etl_pipeline_last_run_records{P,outcome="rejected"}': 0,
        },
    ),
    Case(
        "a pipeline that failed and rejected is suspended",
        {**FAILED, 'etl_pipeline_last_run_records{P,outcome="rejected"}': 50, **SUSPENDED},
    ),
    Case(
        "its spec cannot be used",
        STALLED,
        "EtlPipelineStalled",
        says=(
            "Pipeline team/posts is stalled",
            "Pipeline posts in namespace team stays as it was until somebody does something: InvalidSpec.",
        ),
    ),
    Case(
        "its pods do not come up",
        NOT_READY,
        "EtlPipelineNotReady",
        says=(
            "Pipeline team/posts is not ready",
            "Pipeline posts in namespace team has not become what its spec says for 15 minutes.",
        ),
    ),
    Case(
        "the operator fails with it again and again",
        {"etl_pipeline_reconcile_failures{P}": "0x30 12x30"},
        "EtlPipelineReconcileFailing",
        says=(
            "The operator fails to look after pipeline team/posts",
            "12 attempts in a row at pipeline posts in namespace team have failed; what has changed of it is not "
            "taken up.",
        ),
    ),
    Case(
        "what it wants is refused, which is one trouble and not two",
        {**STALLED, "etl_pipeline_reconcile_failures{P}": 12},
        "EtlPipelineStalled",
        says=(
            "Pipeline team/posts is stalled",
            "Pipeline posts in namespace team stays as it was until somebody does something: InvalidSpec.",
        ),
    ),
    Case(
        "little of its volume is free",
        {"etl_volume_free_bytes{P}": "300x30 150x30"},
        "EtlPipelineVolumeFilling",
        says=(
            "The volume of pipeline team/posts fills",
            "15% of the volume of pipeline posts in namespace team are free.",
        ),
    ),
    Case("a run fills the volume for a while", {"etl_volume_free_bytes{P}": "300x30 150x10 300x20"}),
    Case(
        "the volume has just become full",
        {"etl_volume_free_bytes{P}": "300x50 10x10"},
        "EtlPipelineVolumeFull",
        "critical",
        (
            "The volume of pipeline team/posts is full",
            "1% of the volume of pipeline posts in namespace team are free; runs fail where they find no room.",
        ),
    ),
    Case(
        "the volume has been full for long",
        {"etl_volume_free_bytes{P}": "300x10 10x50"},
        "EtlPipelineVolumeFull",
        "critical",
        (
            "The volume of pipeline team/posts is full",
            "1% of the volume of pipeline posts in namespace team are free; runs fail where they find no room.",
        ),
    ),
    Case(
        "its service is not reached",
        {'up{P,job="etl-service"}': 0},
        "EtlServiceNotScraped",
        says=(
            "The service of pipeline team/posts cannot be scraped",
            "Prometheus does not reach the service of pipeline posts in namespace team, so nobody would be told of a "
            "full volume.",
        ),
    ),
    Case(
        "the operator is gone",
        {'etl_operator_watching{pod="etl-operator-1"}': "1x40 stale"},
        "EtlOperatorDown",
        "critical",
        NOBODY_AT_WORK,
        is_of_a_pipeline=False,
    ),
    Case(
        "the operator is there, and its watches have died",
        {'etl_operator_watching{pod="etl-operator-1"}': "1x40 0x20"},
        "EtlOperatorDown",
        "critical",
        NOBODY_AT_WORK,
        is_of_a_pipeline=False,
    ),
    Case("a second operator waits", {'etl_operator_watching{pod="etl-operator-2"}': 0}),
    Case(
        "a second operator has taken over, and the first one's series are still there",
        {
            'etl_pipeline_condition{P,condition="Ready",reason="Available",pod="etl-operator-2"}': 1,
            'etl_pipeline_condition{P,condition="RunSucceeded",reason="Succeeded",pod="etl-operator-2"}': 1,
            'etl_pipeline_last_run_records{P,outcome="fetched",pod="etl-operator-2"}': 100,
            'etl_pipeline_last_run_records{P,outcome="rejected",pod="etl-operator-2"}': 5,
            'etl_operator_watching{pod="etl-operator-2"}': 1,
        },
    ),
    Case(
        "a fifth of the answers of the API server are errors",
        {'etl_operator_api_requests_total{method="GET",status="503"}': "0+15x60"},
        "EtlOperatorApiErrors",
        says=(
            "The API server fails the operator of EtlPipeline",
            "20% of the operator's requests to the API server are not answered, or answered with an error of "
            "the server.",
        ),
        is_of_a_pipeline=False,
    ),
    Case(
        "more and more pipelines wait",
        {'etl_operator_queue_length{pod="etl-operator-1"}': "0x30 60x30"},
        "EtlOperatorBacklog",
        says=(
            "The operator of EtlPipeline does not keep up",
            "60 pipelines wait to be looked at, and have for 15 minutes; changes and requested runs take long to be "
            "taken up.",
        ),
        is_of_a_pipeline=False,
    ),
]
