"""What the API server refuses by itself, and how it says so."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator

import httpx
import pytest
import yaml

from e2e.conftest import document
from e2e.kube import Kube
from images.engine import ROOT
from service.spec.cases import CASES, DOCUMENT, IDS, Case, changed

_CREATE = "/apis/etlpipeline.dev/v1alpha1/namespaces/{}/etlpipelines?dryRun=All&fieldValidation=Strict"


@pytest.fixture(scope="module")
def server(cluster: Kube) -> Iterator[httpx.Client]:
    environ = {**os.environ, "KUBECONFIG": cluster.kubeconfig}
    process = subprocess.Popen(["kubectl", "proxy", "--port=0"], stdout=subprocess.PIPE, text=True, env=environ)
    try:
        assert process.stdout is not None
        (address,) = re.findall(r"127\.0\.0\.1:\d+", process.stdout.readline())
        with httpx.Client(base_url=f"http://{address}", trust_env=False) as client:
            yield client
    finally:
        process.terminate()
        process.wait(10)
        assert process.stdout is not None
        process.stdout.close()


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_the_server_refuses_what_schema_and_rules_can_say(server, case: Case):
    answer = server.post(_CREATE.format("kube-public"), json=changed(case.change))

    is_refused = case.by_schema if case.by_server is None else case.by_server
    assert answer.is_error is is_refused, answer.text
    if is_refused and case.path.startswith("spec."):
        field = case.path.partition("[")[0]
        assert field in answer.json()["message"] or field.rpartition(".")[0] in answer.json()["message"]


def test_the_server_admits_the_document_that_the_cases_change(server):
    assert server.post(_CREATE.format("kube-public"), json=DOCUMENT).is_success


def test_the_message_is_that_of_etl_check(server):
    answer = server.post(_CREATE.format("kube-public"), json=changed({"spec": {"load": {"key": []}}}))

    assert (
        'spec.load.key: Invalid value: "object": is empty, and mode upsert needs to know which row is which; '
        "name the columns of the key, such as [id], or set mode: append or mode: replace" in answer.json()["message"]
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"storage": {"size": "500Mi"}}, 'spec.storage.size: Invalid value: "object": is less than the volume has'),
        ({"storage": {"storageClassName": "other"}}, "spec.storage.storageClassName"),
    ],
)
def test_what_a_volume_is_cannot_be_changed(kube: Kube, change, message):
    kube.apply(document(service={"replicas": 0}, frontend={"enabled": False}))

    done = kube.tried("apply", "--server-side", "-f", "-", given=_text(document(**change)))

    assert done.returncode and message in done.stderr


@pytest.mark.parametrize(
    "spec",
    [
        {"extract": {"url": "file:posts.json"}},
        {"extract": {"url": "https://a/", "auth": {"bearer": {"token": {"env": "TOKEN"}}}}},
        {"extract": {"url": "https://a/", "auth": {"bearer": {"token": {"file": "token"}}}}},
    ],
)
def test_what_pods_do_not_have_is_refused(kube: Kube, spec):
    done = kube.tried("apply", "--server-side", "-f", "-", given=_text(document(**spec)))

    assert done.returncode and "which pods" in done.stderr


def test_explain_is_documentation(cluster: Kube):
    told = cluster("explain", "etlpipeline.spec.extract.pagination")

    assert "How one page leads to the next" in told
    assert "By the Link header." in told
    assert "-required-" in cluster("explain", "etl.spec")


def test_it_can_be_applied_from_a_client():
    sent = json.dumps(yaml.safe_load((ROOT / "config/crd/etlpipelines.yaml").read_text()))

    # kubectl keeps what it has applied in an annotation, of which there may be 256 KiB.
    assert len(sent) < 64 * 1024


def _text(manifest: dict[str, object]) -> str:
    return json.dumps(manifest)
