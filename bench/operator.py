"""``python -m bench.operator``: the operator over a thousand pipelines, on the cluster that kubectl speaks to.

`make bench-operator` makes that cluster. All figures are of one run; what they mean is in bench/README.md.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import httpx

from bench.results import Result, machine, table

NAMESPACE = "bench"
SYSTEM = "etlpipeline-system"
PIPELINES = f"/apis/etlpipeline.dev/v1alpha1/namespaces/{NAMESPACE}/etlpipelines"
DEPLOYMENTS = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments"
JOBS = f"/apis/batch/v1/namespaces/{NAMESPACE}/jobs"
MERGE = {"Content-Type": "application/merge-patch+json"}
SECONDS = "{:,.2f} s".format


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.operator")
    parser.add_argument("--pipelines", type=int, default=1000)
    parser.add_argument("--changes", type=int, default=100, help="how many specs are changed, one after the other")
    parser.add_argument("--requests", type=int, default=50, help="how many runs are asked for, one after the other")
    parser.add_argument("--idle", type=float, default=120, help="seconds of watching it do nothing")
    options = parser.parse_args()
    kubectl("create", "namespace", NAMESPACE)
    try:
        with proxied() as api:
            results = list(measure(api, options))
    finally:
        kubectl("delete", "namespace", NAMESPACE, "--wait=false")
    print(f"{machine()}\n\n{table(results)}")
    return 0 if all(result.met for result in results) else 1


def measure(api: httpx.Client, options: argparse.Namespace) -> Iterator[Result]:
    names = [f"p-{number:04}" for number in range(options.pipelines)]
    what = f"{options.pipelines:,} pipelines"

    began = time.monotonic()
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda name: api.post(PIPELINES, json=document(name)).raise_for_status(), names))
    until(lambda: count_ready(api) == len(names), 600)
    yield below(f"creation of {what}", SECONDS, time.monotonic() - began, 180)

    settle(api)
    before, start = metrics(api), time.monotonic()
    time.sleep(options.idle)  # this is what is measured
    after, passed = metrics(api), time.monotonic() - start
    written = writes(after) - writes(before)
    yield below("writes a minute when idle", "{:,.1f}".format, written / passed * 60, 0.01)
    cpu = (after["process_cpu_seconds_total"] - before["process_cpu_seconds_total"]) / passed * 100
    yield below("CPU when idle", "{:,.2f} %".format, cpu, 2)
    yield memory("memory", after)

    kubectl("-n", SYSTEM, "rollout", "restart", "deployment/etl-operator")
    kubectl("-n", SYSTEM, "rollout", "status", "deployment/etl-operator", "--timeout=120s")
    until(lambda: len(operators()) == 1, 120)
    until(lambda: metrics(api).get('etl_operator_reconciles_total{outcome="done"}', 0) >= len(names), 300)
    yield below("writes on restart", "{:,.0f}".format, writes(metrics(api)), 0.01)
    yield memory("memory after a restart", metrics(api))

    settle(api)
    chosen = random.Random(1).sample(names, options.changes)
    taken = [change(api, name) for name in chosen]
    yield within("a changed spec to the child", taken, 2)
    taken = [request(api, name) for name in chosen[: options.requests]]
    yield within("a requestId to the Job", taken, 1)


def below(what: str, form: Callable[[float], str], value: float, most: float) -> Result:
    return Result(what, form(value), form(most), value, below=most)


def memory(what: str, found: dict[str, float]) -> Result:
    return below(what, "{:,.0f} MB".format, found["process_resident_memory_bytes"] / 1e6, 200)


def document(name: str) -> dict[str, Any]:
    return {
        "apiVersion": "etlpipeline.dev/v1alpha1",
        "kind": "EtlPipeline",
        "metadata": {"name": name},
        "spec": {
            "extract": {"url": "sample:posts"},
            "load": {"table": "posts", "key": ["id"]},
            "service": {"replicas": 0},
            "frontend": {"replicas": 0},
            "storage": {"retain": False},
        },
    }


def change(api: httpx.Client, name: str) -> float:
    """Seconds from a changed spec to the changed Deployment."""
    memory = f"{random.randrange(100, 400)}Mi"
    change = {"spec": {"service": {"resources": {"limits": {"memory": memory}}}}}

    def has_it(deployment: Any) -> bool:
        container = deployment["spec"]["template"]["spec"]["containers"][0]
        return bool(container["resources"]["limits"]["memory"] == memory)

    return seen(api, DEPLOYMENTS, f"metadata.name={name}-service", has_it, lambda: patch(api, name, change))


def request(api: httpx.Client, name: str) -> float:
    """Seconds from an asked-for run to its Job."""
    return seen(
        api,
        JOBS,
        "",
        lambda job: job["metadata"]["name"].startswith(name),
        lambda: patch(api, name, {"spec": {"run": {"requestId": "one"}}}),
    )


def patch(api: httpx.Client, name: str, change: dict[str, Any]) -> None:
    api.patch(f"{PIPELINES}/{name}", content=json.dumps(change), headers=MERGE).raise_for_status()


def seen(api: httpx.Client, path: str, fields: str, wanted: Callable[[Any], bool], act: Callable[[], None]) -> float:
    """Seconds from an act to the first object that is as wanted."""
    version = api.get(path, params={"limit": 1}).json()["metadata"]["resourceVersion"]
    query = {"watch": "true", "resourceVersion": version, "fieldSelector": fields, "timeoutSeconds": 60}
    with api.stream("GET", path, params=query, timeout=70) as events:
        began = time.monotonic()
        actor = threading.Thread(target=act)
        actor.start()
        for line in events.iter_lines():
            if wanted(json.loads(line)["object"]):
                actor.join()
                return time.monotonic() - began
    raise SystemExit("nothing was seen within a minute")


def count_ready(api: httpx.Client) -> int:
    items = api.get(PIPELINES).json()["items"]
    conditions = (item.get("status", {}).get("conditions", []) for item in items)
    return sum(any(one["type"] == "Ready" and one["status"] == "True" for one in said) for said in conditions)


def settle(api: httpx.Client) -> None:
    """Wait until the operator has had nothing to do for ten seconds."""
    calm, known = time.monotonic(), metrics(api)
    while time.monotonic() - calm < 10:
        time.sleep(1)
        now = metrics(api)
        if now["etl_operator_reconcile_seconds_count"] != known["etl_operator_reconcile_seconds_count"]:
            calm, known = time.monotonic(), now


def metrics(api: httpx.Client) -> dict[str, float]:
    (pod,) = operators()[:1]
    text = api.get(f"/api/v1/namespaces/{SYSTEM}/pods/{pod}:8080/proxy/metrics").raise_for_status().text
    found = re.findall(r"^([a-z_]+(?:\{[^}]*\})?) ([-+0-9.e]+)$", text, re.MULTILINE)
    return {name: float(value) for name, value in found}


def writes(metrics: dict[str, float]) -> float:
    return sum(value for name, value in metrics.items() if name.startswith("etl_operator_api_writes_total"))


def operators() -> list[str]:
    """Pods of the operator that are not on their way out."""
    selector = "app.kubernetes.io/component=operator"
    pods = json.loads(kubectl("-n", SYSTEM, "get", "pods", "-l", selector, "-o", "json"))["items"]
    return [pod["metadata"]["name"] for pod in pods if "deletionTimestamp" not in pod["metadata"]]


def within(what: str, taken: list[float], most: float) -> Result:
    """Its 99th percentile against the most it may take, with the median beside it."""
    taken = sorted(taken)
    p99, median = taken[min(len(taken) - 1, int(len(taken) * 0.99))], taken[len(taken) // 2]
    return Result(f"p99 from {what}", SECONDS(p99), f"median {SECONDS(median)}", p99, below=most)


def until(ask: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not ask():
        if time.monotonic() > deadline:
            raise SystemExit(f"not within {seconds:.0f} s")
        time.sleep(0.5)


def kubectl(*arguments: str) -> str:
    return subprocess.run(["kubectl", *arguments], check=True, stdout=subprocess.PIPE, text=True).stdout


@contextmanager
def proxied() -> Iterator[httpx.Client]:
    process = subprocess.Popen(["kubectl", "proxy", "--port=0"], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        (address,) = re.findall(r"127\.0\.0\.1:\d+", process.stdout.readline())
        with httpx.Client(base_url=f"http://{address}", trust_env=False, timeout=60) as client:
            yield client
    finally:
        process.terminate()


if __name__ == "__main__":
    sys.exit(main())
