"""One of several replicas at work: the one that holds the Lease, as client-go's leader election has it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta

from etl_operator.cluster import ApiError, Cluster
from etl_operator.kinds import Manifest
from etl_operator.observed import Object

#: How long a Lease holds after it was renewed, and how often it is.
HOLDS = timedelta(seconds=15)
RENEWED = 4.0
#: Seconds after the last renewal was asked for, until which nobody else can have taken it.
_TRUSTED = HOLDS.total_seconds() * 2 / 3

_log = logging.getLogger(__name__)


class Lease:
    def __init__(
        self, cluster: Cluster, name: str, namespace: str, identity: str, clock: Callable[[], datetime]
    ) -> None:
        self._cluster = cluster
        self._name, self._namespace, self._identity = name, namespace, identity
        self._clock = clock
        self._seen: tuple[str, float] = ("", 0.0)  #: a version, and when it was first seen, by this machine's clock

    async def acquire(self) -> None:
        """Return once it is held."""
        while not await self._take():
            await asyncio.sleep(RENEWED / 2)
        _log.info("holds the lease %s", self._name)

    async def keep(self) -> None:
        """Renew it; return when it is lost, or could not be renewed while it held."""
        loop = asyncio.get_running_loop()
        until = loop.time() + _TRUSTED
        while (asked := loop.time()) < until:
            with suppress(TimeoutError):
                async with asyncio.timeout_at(until):
                    if await self._take():
                        until = asked + _TRUSTED
            await asyncio.sleep(RENEWED)
        _log.error("has lost the lease %s", self._name)

    async def release(self) -> None:
        """Let another have it at once."""
        try:
            lease = await self._cluster.get_lease(self._namespace, self._name)
            if lease and lease["spec"].get("holderIdentity") == self._identity:
                await self._cluster.put_lease({**lease, "spec": {**lease["spec"], "holderIdentity": ""}})
        except ApiError as error:
            _log.warning("the lease is not given back: %s", error.message)

    async def _take(self) -> bool:
        """Take or renew it; False where somebody else has it, or nobody can tell."""
        try:
            lease = await self._cluster.get_lease(self._namespace, self._name)
            if lease and self._is_held(lease):
                return False
            await self._cluster.put_lease(self._mine(lease))
        except ApiError as error:
            _log.warning("the lease cannot be had: %s", error.message)
            return False
        return True

    def _is_held(self, lease: Object) -> bool:
        """Whether another has renewed it lately, as seen from here: clocks of machines differ."""
        holder, version = lease["spec"].get("holderIdentity"), lease["metadata"]["resourceVersion"]
        if not holder or holder == self._identity:
            return False
        now = asyncio.get_running_loop().time()
        if self._seen[0] != version:
            self._seen = (version, now)
        return now - self._seen[1] < HOLDS.total_seconds()

    def _mine(self, lease: Object | None) -> Manifest:
        now = self._clock().strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        metadata: Manifest = {"name": self._name, "namespace": self._namespace}
        spec: Manifest = {"acquireTime": now, "leaseTransitions": 0}
        if lease:
            metadata["resourceVersion"] = lease["metadata"]["resourceVersion"]
            spec = {**lease["spec"]}
            if spec.get("holderIdentity") != self._identity:
                spec |= {"acquireTime": now, "leaseTransitions": spec.get("leaseTransitions", 0) + 1}
        spec |= {
            "holderIdentity": self._identity,
            "leaseDurationSeconds": int(HOLDS.total_seconds()),
            "renewTime": now,
        }
        return {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata, "spec": spec}
