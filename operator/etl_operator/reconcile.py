"""One look at a pipeline: what is there, what should be, and the difference made."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime

from etl_operator import metrics
from etl_operator.cache import Cache
from etl_operator.cluster import ApiError, Cluster
from etl_operator.kinds import APPLIED_ANNOTATION, Key, Manifest, Ref, ref_of
from etl_operator.observed import Object
from etl_operator.plan import Outcome, Plan, Problem, plan, taken
from etl_operator.resource import Resource, read_resource
from etl_operator.runs import recent_runs
from etl_operator.settings import Settings
from etl_operator.status import Status, events, status_of, time_of

_log = logging.getLogger(__name__)


class Reconciler:
    def __init__(self, cluster: Cluster, cache: Cache, settings: Settings, clock: Callable[[], datetime]) -> None:
        self._cluster = cluster
        self._cache = cache
        self._settings = settings
        self._clock = clock
        #: By object: its version and the hash of what was applied last, where that changed nothing.
        self._idle: dict[tuple[Key, Ref], tuple[str, str]] = {}

    async def __call__(self, key: Key) -> bool:
        """Make the difference; says whether another look may find more to do.

        Raises:
            ApiError: something could not be done yet; it is to be tried again.
        """
        body = self._cache.pipeline(key)
        if body is None:
            self._idle = {of: state for of, state in self._idle.items() if of[0] != key}
            return False
        if (resource := read_resource(body)).is_going:
            return False
        now = self._clock()
        observed = self._cache.observed(key)
        decided = plan(resource, observed, recent_runs(resource, observed, time_of(now)), self._settings)
        outcome, error = await self._act(resource, decided)
        observed = self._cache.observed(key)
        runs = recent_runs(resource, observed, time_of(now))
        status = status_of(resource, observed, decided, outcome, runs, now)
        if changed := status != resource.status:
            await self._write_status(resource, status, time_of(now))
        if error:
            raise error
        return changed

    async def _act(self, resource: Resource, decided: Plan) -> tuple[Outcome, ApiError | None]:
        """Do it all but what is refused, or all until something cannot be done for now."""
        refused: dict[Ref, Problem] = {}
        refusal = None
        try:
            for manifest in decided.apply:
                ref = ref_of(manifest)
                try:
                    problem = await self._apply(resource, manifest)
                except ApiError as error:
                    if not error.is_final:
                        raise
                    _log.warning("%s: %s", ref, error.message, extra={"pipeline": str(resource.key)})
                    refused[ref], refusal = _refusal(ref, error), error
                else:
                    if problem:
                        # No pod is to write to what is somebody else's. Nobody tells when it is gone: look again.
                        return Outcome({ref: problem}), ApiError(409, problem.reason, problem.message)
            for ref in decided.delete:
                await self._cluster.delete(resource.key, ref)
            for part in decided.end:
                if ended := await self._cluster.end(part):
                    self._cache.put(ended)
        except ApiError as error:
            return Outcome(refused, delayed=error.message), error
        return Outcome(refused), refusal

    async def _apply(self, resource: Resource, manifest: Manifest) -> Problem | None:
        key, ref = resource.key, ref_of(manifest)
        actual = self._cache.get(key, ref)
        if actual is None:
            # What has no label is not watched: before anything is made, look whether its name is free.
            found = await self._cluster.get(key, ref)
            if found and (problem := taken({"kind": ref.kind, **found}, resource)):
                return problem
        elif self._idle.get((key, ref)) == _state(actual, manifest):
            return None
        applied = await self._cluster.apply(manifest)
        if actual and applied["metadata"]["resourceVersion"] == actual["metadata"]["resourceVersion"]:
            self._idle[key, ref] = _state(actual, manifest)
        self._cache.put(applied)
        return None

    async def _write_status(self, resource: Resource, status: Status, now: str) -> None:
        told = list(events(resource, status))
        try:
            written = await self._cluster.write_status(resource.body, status)
        except ApiError as error:
            if error.status in (404, 409):  # it is another one meanwhile, or gone: which its watch tells
                return
            raise
        self._cache.put(written)
        for type_, reason, message in told:
            _log.info("%s: %s", reason, message, extra={"pipeline": str(resource.key)})
            if reason.startswith("Run") and reason not in ("RunStarted", "RunRefused"):
                metrics.RUNS.labels(reason.removeprefix("Run")).inc()
            await self._cluster.tell(resource.body, type_, reason, message, now)


def _state(actual: Object, manifest: Manifest) -> tuple[str, str]:
    return actual["metadata"]["resourceVersion"], manifest["metadata"]["annotations"][APPLIED_ANNOTATION]


def _refusal(ref: Ref, error: ApiError) -> Problem:
    if ref.kind == "PersistentVolumeClaim" and "resize" in error.message:
        remedy = "set spec.storage.size back, or allowVolumeExpansion in the class"
        return Problem("VolumeNotExpandable", f"the class of {ref} cannot grow volumes; {remedy}")
    if error.status == 403:
        return Problem("Forbidden", f"{ref} is refused: {error.message}")
    return Problem("ChildInvalid", f"{ref} is refused: {error.message}")
