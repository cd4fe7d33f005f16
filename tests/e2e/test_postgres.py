"""The component with a PostgreSQL, and the sample pipeline that loads into it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from e2e.database import queried, with_postgres
from e2e.kube import SOURCE, SYSTEM, Kube, Pipeline, eventually
from e2e.test_faults import SLOW
from manifests.rendering import CONFIG, beside

SERVICE = "app.kubernetes.io/component=service"
RUN = "app.kubernetes.io/component=run"


@pytest.fixture
def posts(kube: Kube, postgres_image: None, tmp_path: Path) -> Iterator[Pipeline]:
    """Of the sample, in the test's namespace; at the end, its password has been told to nobody."""
    mine = tmp_path / "mine"
    password = with_postgres(
        kube,
        mine,
        resources=[beside(mine, CONFIG / "samples/postgres")],
        patches=[
            {"patch": json.dumps(_named("photos") | {"$patch": "delete"})},
            {"patch": json.dumps(_named("shared-posts") | {"spec": {"extract": {"url": f"{SOURCE}/posts"}}})},
        ],
    )
    yield Pipeline(kube, "shared-posts")
    told = everything_told(kube)
    assert "shared-posts" in told and "database system is ready" in told
    assert password not in told


def _named(name: str) -> dict[str, Any]:
    return {"apiVersion": "etlpipeline.dev/v1alpha1", "kind": "EtlPipeline", "metadata": {"name": name}}


def everything_told(kube: Kube) -> str:
    """All that somebody may read who may not read Secrets."""
    kinds = "etlpipelines,deployments,statefulsets,jobs,pods,configmaps,events"
    logs = [kube("logs", pod["metadata"]["name"], "--all-containers") for pod in kube.list("pods")]
    return "\n".join(
        [
            kube("get", kinds, "--output", "json"),
            *logs,
            kube.within(SYSTEM)("logs", "deployment/etl-operator"),
        ]
    )


def pods(kube: Kube, selector: str) -> list[str]:
    return [pod["metadata"]["name"] for pod in kube.list("pods", "--selector", selector)]


def asked(kube: Kube, pod: str, path: str) -> Any:
    with kube.forwarded(f"pod/{pod}", 8000) as client:
        return client.get(path).raise_for_status().json()


def test_every_pod_of_the_service_shows_the_rows_and_is_replaced_without_a_gap(posts: Pipeline, kube: Kube):
    posts.ready()
    posts.request("one")
    run = posts.ended("one")

    assert (run["result"], run["inserted"]) == ("Succeeded", 100)
    assert [claim["metadata"]["name"] for claim in kube.list("pvc")] == ["data-postgres-0"]
    serving = pods(kube, SERVICE)
    rows, others = (asked(kube, pod, "/posts?limit=1000") for pod in serving)
    assert rows == others and {row["id"] for row in rows} == set(range(1, 101))
    history, other = (asked(kube, pod, "/etl/runs") for pod in serving)
    assert history == other and [(record["id"], record["status"]) for record in history] == [(run["id"], "succeeded")]

    def restart() -> None:
        kube("rollout", "restart", "deployment/shared-posts-service")
        kube("rollout", "status", "deployment/shared-posts-service", "--timeout=120s")
        kube("wait", "--for=delete", *(f"pod/{name}" for name in serving), "--timeout=60s")

    with posts.api() as page:
        answers = meanwhile(restart, lambda: page.get("/api/posts", params={"limit": 1}).status_code)
    assert len(answers) > 50 and set(answers) == {200}
    assert not set(pods(kube, SERVICE)) & set(serving)


def meanwhile(work: Callable[[], None], ask: Callable[[], int]) -> list[int]:
    """The answers, one after the other, until the work is done."""
    answers = []
    with ThreadPoolExecutor(1) as other:
        working = other.submit(work)
        while not working.done():
            answers.append(ask())
        working.result()
    return answers


def test_a_run_outlives_the_pod_of_its_database(posts: Pipeline, kube: Kube):
    posts.ready()
    posts.change(extract=SLOW, run={"requestId": "one"})
    database = kube.get("pod", "postgres-0")["metadata"]["uid"]
    with posts.api() as page:
        eventually(lambda: any(record["counts"]["fetched"] >= 30 for record in page.get("/api/etl/runs").json()))
        kube("delete", "pod/postgres-0", "--grace-period=0", "--force")
    run = posts.ended("one", 180)

    assert kube.get("pod", "postgres-0")["metadata"]["uid"] != database
    assert (run["result"], run["fetched"], run["inserted"], run["rejected"]) == ("Succeeded", 100, 100, 0)
    assert queried(kube, "SELECT count(*), count(DISTINCT id) FROM posts") == ["100", "100"]
    eventually(lambda: posts.condition("Ready")["status"] == "True")
    with posts.api() as page:
        assert page.get("/api/stats").json()["rows"] == 100
        newest, *before = page.get("/api/etl/runs").json()
        assert (newest["id"], newest["status"]) == (run["id"], "succeeded")
        assert all(record["status"] in ("failed", "interrupted") for record in before)
