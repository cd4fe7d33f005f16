"""The children of a pipeline, one pure function each: what the cluster should have of it."""

from __future__ import annotations

from collections.abc import Iterator

from etl_operator.kinds import Manifest
from etl_operator.manifests.common import Given
from etl_operator.manifests.config import config, lost_runs
from etl_operator.manifests.frontend import frontend_deployment, frontend_service
from etl_operator.manifests.network import network_policies
from etl_operator.manifests.replicas import disruption_budgets
from etl_operator.manifests.run import request_job, schedule
from etl_operator.manifests.service import account, service, service_deployment, service_url
from etl_operator.manifests.volume import claim, claim_name

__all__ = ["Given", "children", "claim", "claim_name", "lost_runs", "request_job", "service_url"]


def children(given: Given) -> Iterator[Manifest]:
    """What lasts: all but the volume, which may not be the pipeline's own, and the Jobs, which are made once."""
    yield account(given)
    yield config(given)
    yield service_deployment(given)
    yield service(given)
    if given.spec.frontend.enabled:
        yield frontend_deployment(given)
        yield frontend_service(given)
    yield from network_policies(given)
    yield from disruption_budgets(given)
    if given.spec.schedule:
        yield schedule(given)
