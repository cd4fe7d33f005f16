"""A real Prometheus that scrapes what the shipped monitors say, with the labels that the Prometheus Operator gives.

It runs on this machine and reaches pods through the API server, at the address where `kubectl proxy` answers.
"""

from __future__ import annotations

import json
import math
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from monitoring.discovery import Listing, discovered, meta
from monitoring.shipped import monitors, program, rule_groups
from sources.jsonplaceholder import free_port

#: What is discovered for a monitor.
ROLES = {"PodMonitor": "pod", "ServiceMonitor": "endpoints"}
#: So often that a test need not wait; in a cluster it is as the monitors say.
INTERVAL = "2s"


@dataclass(frozen=True)
class Prometheus:
    client: httpx.Client
    folder: Path

    def discover(self, listed: Listing) -> None:
        """Tell it what there is to scrape now."""
        for role in ROLES.values():
            # Replaced as a whole: it reads a file as soon as that changes.
            (self.folder / f"{role}.new").write_text(json.dumps(discovered(role, listed)))
            (self.folder / f"{role}.new").rename(self.folder / f"{role}.json")

    def is_ready(self) -> bool:
        try:
            return self.client.get("/-/ready").is_success
        except httpx.TransportError:
            return False

    def ask(self, expression: str) -> list[tuple[dict[str, str], float]]:
        """Labels and values; those that are no number are left out."""
        answer = self.client.get("/api/v1/query", params={"query": expression}).json()
        assert answer["status"] == "success", answer
        samples = [(found["metric"], float(found["value"][1])) for found in answer["data"]["result"]]
        return [sample for sample in samples if math.isfinite(sample[1])]

    def alerts(self) -> list[dict[str, Any]]:
        """Those that are pending or firing."""
        found: list[dict[str, Any]] = self.client.get("/api/v1/alerts").json()["data"]["alerts"]
        return found

    def rules(self) -> list[dict[str, Any]]:
        groups = self.client.get("/api/v1/rules").json()["data"]["groups"]
        return [rule for group in groups for rule in group["rules"]]


@contextmanager
def scraping(api: str, namespace: str, folder: Path) -> Iterator[Prometheus]:
    """With the monitors and the alerts as if they were in that namespace."""
    (folder / "rules.yml").write_text(json.dumps({"groups": rule_groups()}))
    config = {
        "global": {"scrape_interval": INTERVAL, "evaluation_interval": INTERVAL},
        "rule_files": ["rules.yml"],
        "scrape_configs": [scrape_config(monitor, api, namespace, folder) for monitor in monitors().values()],
    }
    (folder / "prometheus.yml").write_text(json.dumps(config))  # JSON is YAML
    address = f"127.0.0.1:{free_port()}"
    command = [
        str(program("prometheus")),
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={address}",
    ]
    with (folder / "prometheus.log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        with httpx.Client(base_url=f"http://{address}", trust_env=False, timeout=30) as client:
            yield Prometheus(client, folder)
    finally:
        process.terminate()
        process.wait(30)


def scrape_config(monitor: dict[str, Any], api: str, namespace: str, folder: Path) -> dict[str, Any]:
    """What the Prometheus Operator makes of a monitor with one endpoint, and the way to its targets."""
    spec, role = monitor["spec"], ROLES[monitor["kind"]]
    if role == "pod":
        (endpoint,), of, port, names = spec["podMetricsEndpoints"], "pod", "pod_container_port_name", _OF_A_POD
    else:
        (endpoint,), of, port, names = spec["endpoints"], "service", "endpoint_port_name", _OF_A_SERVICE
    anywhere = spec.get("namespaceSelector", {}).get("any", False)
    return {
        "job_name": f"{monitor['kind']}/{namespace}/{monitor['metadata']['name']}",
        "honor_labels": endpoint.get("honorLabels", False),
        "file_sd_configs": [{"files": [str(folder / f"{role}.json")], "refresh_interval": INTERVAL}],
        "relabel_configs": [
            *([] if anywhere else [_keep("namespace", namespace)]),
            *(_keep(f"{of}_label_{name}", value) for name, value in spec["selector"]["matchLabels"].items()),
            _keep(port, endpoint["port"]),
            *(_copy(meta(source), label) for label, source in names.items()),
            {"target_label": "endpoint", "replacement": endpoint["port"]},
            *map(_snake_case, endpoint.get("relabelings", ())),
            *_through_the_api_server(api, endpoint["path"]),
        ],
        "metric_relabel_configs": list(map(_snake_case, endpoint.get("metricRelabelings", ()))),
    }


_OF_A_POD = {"namespace": "namespace", "container": "pod_container_name", "pod": "pod_name"}
_OF_A_SERVICE = {"namespace": "namespace", "service": "service_name", "pod": "pod_name"}


def _through_the_api_server(api: str, path: str) -> Iterator[dict[str, Any]]:
    yield _copy("__address__", "instance")
    yield {
        "source_labels": [meta("namespace"), meta("pod_name"), "__address__"],
        "regex": r"(.+);(.+);.+:(\d+)",
        "target_label": "__metrics_path__",
        "replacement": f"/api/v1/namespaces/$1/pods/$2:$3/proxy{path}",
    }
    yield {"target_label": "__address__", "replacement": urlsplit(api).netloc}


def _keep(name: str, value: str) -> dict[str, Any]:
    return {"source_labels": [meta(name)], "regex": re.escape(value), "action": "keep"}


def _copy(source: str, label: str) -> dict[str, Any]:
    return {"source_labels": [source], "target_label": label}


def _snake_case(relabeling: dict[str, Any]) -> dict[str, Any]:
    """As Prometheus spells what a monitor says."""
    return {re.sub("[A-Z]", lambda found: f"_{found[0].lower()}", name): value for name, value in relabeling.items()}
