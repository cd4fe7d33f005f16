"""Who may talk to the pipeline's pods: by default, nobody."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from etl_operator.kinds import METRICS_LABEL, OPERATOR, Manifest
from etl_operator.manifests.common import Given
from etl_operator.manifests.frontend import PORT as FRONTEND_PORT
from etl_operator.manifests.service import PORT as SERVICE_PORT

#: Policies see the port of the pod that answers, which is OpenShift's 5353 behind the Service's 53.
_DNS = {"ports": [{"port": port, "protocol": protocol} for port in (53, 5353) for protocol in ("UDP", "TCP")]}

#: Where clouds tell a machine its credentials, on the node's own link or elsewhere: no source is there. Private ranges
#: are left, since sources are in them: which of those may be read, the engine decides, by name.
_NO_SOURCE = {
    "0.0.0.0/0": ["169.254.0.0/16", "100.100.100.200/32", "192.0.0.192/32"],
    "::/0": ["fe80::/10", "fd00:ec2::/32", "fd20:ce::254/128"],
}
#: Pods are named beside addresses, since to some networks an address is never a pod's. DNS may be on the node's link.
_SOURCES = [
    _DNS,
    {
        "to": [
            {"namespaceSelector": {}},
            *({"ipBlock": {"cidr": cidr, "except": but}} for cidr, but in _NO_SOURCE.items()),
        ]
    },
]


def network_policies(given: Given) -> Iterator[Manifest]:
    """One for each kind of pod. Sources are anywhere, so what reads them may go anywhere but where none can be."""
    service = [{"podSelector": {"matchLabels": given.selector("service")}}]
    frontend = [{"podSelector": {"matchLabels": given.selector("frontend")}}]
    # The operator asks the service for its history.
    operator = [
        {
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": given.settings.home}},
            "podSelector": {"matchLabels": OPERATOR},
        }
    ]
    # Prometheus, where the platform has said which namespaces may ask for metrics.
    scraping = [{"namespaceSelector": {"matchLabels": {METRICS_LABEL: "enabled"}}}]
    callers = {"from": [*frontend, *operator, *scraping], "ports": _port(SERVICE_PORT)}
    yield _policy(given, "service", ingress=[callers], egress=_SOURCES)
    yield _policy(given, "run", ingress=[], egress=_SOURCES)
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
