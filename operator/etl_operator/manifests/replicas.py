"""What keeps one of several pods there while nodes are drained."""

from __future__ import annotations

from collections.abc import Iterator

from etl_operator.kinds import Manifest
from etl_operator.manifests.common import Given


def disruption_budgets(given: Given) -> Iterator[Manifest]:
    """None for a single pod: it would keep the node from being drained at all."""
    frontend = given.spec.frontend
    for component, replicas in (
        ("service", given.spec.service.replicas),
        ("frontend", frontend.replicas if frontend.enabled else 0),
    ):
        if replicas > 1:
            yield given.child(
                "PodDisruptionBudget",
                component,
                component,
                spec={"maxUnavailable": 1, "selector": {"matchLabels": given.selector(component)}},
            )
