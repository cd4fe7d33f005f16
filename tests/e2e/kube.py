"""A kind cluster as its users meet it: through kubectl."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx

from sources.jsonplaceholder import free_port

_T = TypeVar("_T")

SYSTEM = "etlpipeline-system"
#: The sample source, from any namespace.
SOURCE = "http://sample-api.default:3000"
#: As little as a pipeline can be: no pod of its own but those of its runs.
BARE = {"service": {"replicas": 0}, "frontend": {"enabled": False}}
#: Selects the operator's pods.
OPERATOR = "app.kubernetes.io/component=operator"


@dataclass(frozen=True)
class Kube:
    cluster: str
    kubeconfig: str
    namespace: str = "default"

    def within(self, namespace: str) -> Kube:
        return Kube(self.cluster, self.kubeconfig, namespace)

    def tried(self, *arguments: str, given: str | None = None) -> subprocess.CompletedProcess[str]:
        command = ["kubectl", "--namespace", self.namespace, *arguments]
        environ = {**os.environ, "KUBECONFIG": self.kubeconfig}
        return subprocess.run(
            command, input=given, capture_output=True, text=True, env=environ, timeout=200, check=False
        )

    def __call__(self, *arguments: str, given: str | None = None) -> str:
        done = self.tried(*arguments, given=given)
        assert done.returncode == 0, f"kubectl {' '.join(arguments)}: {done.stderr}"
        return done.stdout

    def apply(self, *manifests: Mapping[str, Any]) -> None:
        self("apply", "--server-side", "-f", "-", given="\n---\n".join(map(json.dumps, manifests)))

    def get(self, kind: str, name: str) -> Any:
        """The object; None where it is not there."""
        done = self.tried("get", kind, name, "--output", "json")
        if done.returncode and "not found" in done.stderr:
            return None
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def list(self, kind: str, *options: str) -> list[Any]:
        items: list[Any] = json.loads(self("get", kind, *options, "--output", "json"))["items"]
        return items

    def patch(self, kind: str, name: str, change: Mapping[str, Any]) -> None:
        self("patch", kind, name, "--type", "merge", "--patch", json.dumps(change))

    @contextmanager
    def forwarded(self, what: str, port: int) -> Iterator[httpx.Client]:
        """A client of a port in the cluster."""
        here = free_port()
        command = ["kubectl", "--namespace", self.namespace, "port-forward", what, f"{here}:{port}"]
        environ = {**os.environ, "KUBECONFIG": self.kubeconfig}
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environ)
        try:
            assert process.stdout is not None and process.stdout.readline()
            with httpx.Client(base_url=f"http://127.0.0.1:{here}", trust_env=False, timeout=60) as client:
                yield client
        finally:
            process.terminate()
            process.wait(10)
            assert process.stdout is not None
            process.stdout.close()


def eventually(ask: Callable[[], _T], seconds: float = 90) -> _T:
    """The first answer that is true; waits are on what is seen, never on a clock.

    Raises:
        AssertionError: the time is over, and the last answer.
    """
    deadline = time.monotonic() + seconds
    while not (answer := ask()):
        assert time.monotonic() < deadline, f"not within {seconds:.0f} seconds; the last answer was {answer!r}"
        time.sleep(0.2)
    return answer


@contextmanager
def without_an_operator(cluster: Kube) -> Iterator[None]:
    system = cluster.within(SYSTEM)
    system("scale", "deployment/etl-operator", "--replicas=0")
    system("wait", "--for=delete", "pod", "--selector", OPERATOR, "--timeout=60s")
    try:
        yield
    finally:
        system("scale", "deployment/etl-operator", "--replicas=1")
        system("rollout", "status", "deployment/etl-operator", "--timeout=90s")


@dataclass(frozen=True)
class Pipeline:
    """One resource, and what is asked of it."""

    kube: Kube
    name: str

    @property
    def body(self) -> Any:
        return self.kube.get("etlpipeline", self.name)

    @property
    def status(self) -> Any:
        return self.body.get("status", {})

    def condition(self, type_: str) -> Any:
        return next((one for one in self.status.get("conditions", ()) if one["type"] == type_), None)

    def change(self, **spec: Any) -> None:
        self.kube.patch("etlpipeline", self.name, {"spec": spec})

    def ready(self) -> None:
        """Wait until all is as the spec says."""

        def is_ready() -> bool:
            body = self.body
            status = body.get("status", {})
            ready: Any = next((one for one in status.get("conditions", ()) if one["type"] == "Ready"), {})
            return bool(
                status["observedGeneration"] == body["metadata"]["generation"] and ready.get("status") == "True"
            )

        eventually(is_ready)

    def stalled(self, reason: str) -> str:
        """Wait until it is stalled for that reason; its message."""

        def message() -> Any:
            found = self.condition("Stalled")
            return found["message"] if found and found["reason"] == reason else None

        return str(eventually(message))

    def request(self, id: str) -> None:
        self.kube("annotate", "etlpipeline", self.name, f"etlpipeline.dev/run={id}", "--overwrite")

    def ended(self, id: str, seconds: float = 90) -> Any:
        """Wait until the run of a request has ended; its record."""

        def record() -> Any:
            runs = (run for run in self.status.get("recentRuns", ()) if run["requestId"] == id)
            return next((run for run in runs if run["result"] != "Running"), None)

        return eventually(record, seconds)

    def jobs(self, id: str | None = None) -> list[Any]:
        found = self.kube.list("jobs", "--selector", f"etlpipeline.dev/pipeline={self.name}")
        return [job for job in found if id in (None, job["metadata"]["annotations"].get("etlpipeline.dev/request-id"))]

    def requested(self) -> Counter[str]:
        """How many Jobs there are of each id."""
        return Counter(job["metadata"]["annotations"]["etlpipeline.dev/request-id"] for job in self.jobs())

    def events(self) -> list[tuple[str, str]]:
        found = self.kube.list(
            "events", "--field-selector", f"involvedObject.kind=EtlPipeline,involvedObject.name={self.name}"
        )
        return [(event["reason"], event["message"]) for event in found]

    @contextmanager
    def api(self) -> Iterator[httpx.Client]:
        """A client of its REST interface, through the page's own host."""
        with self.kube.forwarded(f"service/{self.name}-frontend", 80) as client:
            # A pod that is ready is reached through its Service a moment later.
            eventually(lambda: client.get("/api/ready").is_success, 15)
            yield client
