"""What the platform decides, and that it reaches the pods."""

from __future__ import annotations

from dataclasses import replace

import pytest

from etl_operator.plan import plan
from etl_operator.settings import Settings, SettingsInvalid, read_settings
from operator_tests.cluster_state import SETTINGS, State, resource


def test_an_empty_environment_is_the_defaults():
    assert read_settings({}) == read_settings({"ETL_ALLOWED_SOURCES": " ", "ETL_PORT": ""}) == Settings()
    assert Settings().allowed_sources == "public"


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("public", "public"),
        ("Sample-API, sample-api.default", "public,sample-api,sample-api.default"),
        ("public,10.1.0.0/16", "public,10.1.0.0/16"),
        ("*", "*"),
    ],
)
def test_a_list_of_sources_is_written_in_one_way(given, read):
    assert read_settings({"ETL_ALLOWED_SOURCES": given}).allowed_sources == read


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("ETL_ALLOWED_SOURCES", "http://sample-api:3000", "'http://sample-api:3000' is no host, address or network"),
        ("ETL_ALLOWED_SOURCES", "10.1.2.3/16", "write 10.1.0.0/16"),
        ("ETL_LOG_LEVEL", "loud", "make it one of debug, info"),
        ("ETL_PORT", "http", "make it a number"),
    ],
)
def test_what_cannot_be_is_named_with_what_could(name, value, said):
    with pytest.raises(SettingsInvalid, match=name) as refused:
        read_settings({name: value})

    assert said in str(refused.value)


def test_all_pods_that_read_a_source_are_told_what_they_may_read():
    posts = State(resource({"schedule": {"cron": "@hourly"}}))
    posts.request("a")
    settings = replace(SETTINGS, allowed_sources="public,sample-api")
    applied = plan(posts.resource, posts.observed, posts.runs(), settings).apply
    templates = {
        "Deployment posts-service": lambda spec: spec["template"],
        "CronJob posts-schedule": lambda spec: spec["jobTemplate"]["spec"]["template"],
        "Job": lambda spec: spec["template"],
    }
    told = {}
    for manifest in applied:
        for child, template in templates.items():
            if child in (manifest["kind"], f"{manifest['kind']} {manifest['metadata']['name']}"):
                (container,) = template(manifest["spec"])["spec"]["containers"]
                told[child] = {variable["name"]: variable.get("value") for variable in container["env"]}

    assert {child: names["ETL_ALLOWED_SOURCES"] for child, names in told.items()} == dict.fromkeys(
        templates, "public,sample-api"
    )
