"""What a cluster has to scrape, with the labels that Prometheus' discovery in Kubernetes gives it.

Debian builds Prometheus without that discovery, so that files tell it of targets here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

#: Gives all objects of a kind, in all namespaces.
Listing = Callable[[str], list[Any]]
Target = dict[str, Any]


def discovered(role: str, listed: Listing) -> list[Target]:
    return list({"pod": _pods, "endpoints": _endpoints}[role](listed))


def meta(name: str) -> str:
    """How discovery calls what it found: a label may have letters, digits and underscores."""
    return "__meta_kubernetes_" + re.sub(r"\W", "_", name)


def _pods(listed: Listing) -> Iterator[Target]:
    for pod in listed("pods"):
        if pod["status"].get("phase") != "Running":
            continue
        for container in pod["spec"]["containers"]:
            for port in container.get("ports", ()):
                yield _target(
                    f"{pod['status']['podIP']}:{port['containerPort']}",
                    namespace=pod["metadata"]["namespace"],
                    pod_name=pod["metadata"]["name"],
                    pod_container_name=container["name"],
                    pod_container_port_name=port.get("name", ""),
                    **_labels("pod", pod),
                )


def _endpoints(listed: Listing) -> Iterator[Target]:
    services = {(each["metadata"]["namespace"], each["metadata"]["name"]): each for each in listed("services")}
    for part in listed("endpointslices"):
        namespace, name = part["metadata"]["namespace"], part["metadata"]["labels"].get("kubernetes.io/service-name")
        if (service := services.get((namespace, name))) is None:
            continue
        for endpoint in part["endpoints"] or ():
            for port in part["ports"] or ():
                yield _target(
                    f"{endpoint['addresses'][0]}:{port['port']}",
                    namespace=namespace,
                    service_name=name,
                    pod_name=endpoint.get("targetRef", {}).get("name", ""),
                    endpoint_port_name=port.get("name") or "",
                    **_labels("service", service),
                )


def _labels(of: str, body: Mapping[str, Any]) -> dict[str, str]:
    return {f"{of}_label_{name}": value for name, value in (body["metadata"].get("labels") or {}).items()}


def _target(address: str, **found: str) -> Target:
    return {"targets": [address], "labels": {meta(name): value for name, value in found.items()}}
