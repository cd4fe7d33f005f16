"""Who may talk to the pipeline's pods: by default, nobody."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from etl_operator.kinds import METRICS, OPERATOR, Manifest
from etl_operator.manifests.common import Given
from etl_operator.manifests.frontend import PORT as FRONTEND_PORT
from etl_operator.manifests.service import PORT as SERVICE_PORT

_DNS = {"ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]}


def network_policies(given: Given) -> Iterator[Manifest]:
    """One for each kind of pod. Sources are anywhere, so what reads them may go anywhere."""
    service = [{"podSelector": {"matchLabels": given.selector("service")}}]
    frontend = [{"podSelector": {"matchLabels": given.selector("frontend")}}]
    # The operator asks the service for its history.
    operator = [
        {
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": given.settings.home}},
            "podSelector": {"matchLabels": OPERATOR},
        }
    ]
    # Prometheus, where the platform has labelled its namespace so.
    metrics = [{"namespaceSelector": {"matchLabels": METRICS}}]
    callers = {"from": [*frontend, *operator, *metrics], "ports": _port(SERVICE_PORT)}
    yield _policy(given, "service", ingress=[callers], egress=[{}])
    yield _policy(given, "run", ingress=[], egress=[{}])
    if given.spec.frontend.enabled:
        passing_on = {"to": service, "ports": _port(SERVICE_PORT)}
        yield _policy(given, "frontend", ingress=[{"ports": _port(FRONTEND_PORT)}], egress=[passing_on, _DNS])


def _port(number: int) -> list[Manifest]:
    return [{"port": number, "protocol": "TCP"}]


def _policy(given: Given, component: str, **rules: Any) -> Manifest:
    return given.child(
        "NetworkPolicy",
        component,
        component,
        spec={
            "podSelector": {"matchLabels": given.selector(component)},
            "policyTypes": ["Ingress", "Egress"],
            **rules,
        },
    )
