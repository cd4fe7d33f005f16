"""The operator as a whole: watches fill the cache and the queue, workers empty it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime

import kopf

from etl_operator import handlers, metrics
from etl_operator.cache import Cache, key_of
from etl_operator.cluster import ApiError, Cluster
from etl_operator.history import ask_services
from etl_operator.kinds import KINDS, Key, ref_of
from etl_operator.observed import Object
from etl_operator.pipeline_metrics import PipelineMetrics
from etl_operator.queue import Queue
from etl_operator.reconcile import Reconciler
from etl_operator.settings import Settings

#: Pipelines that are looked at at a time, and of those whose last look failed.
WORKERS, SLOW_WORKERS = 8, 2
#: Seconds between two complete lists: what a broken watch has missed is noticed after that.
RESYNC = 600
#: Seconds until a list after a watch has begun anew, which tells of no deletions: others may have to, too.
_SETTLE = 2
#: Seconds between two attempts at the first list.
_RETRY = 2

_log = logging.getLogger(__name__)


class Operator:
    def __init__(self, cluster: Cluster, settings: Settings, clock: Callable[[], datetime]) -> None:
        self._cluster = cluster
        self._settings = settings
        self._clock = clock
        self._cache = Cache()
        self._queue: Queue[Key] = Queue()
        self._reconcile = Reconciler(cluster, self._cache, settings, clock)
        self._begun_anew = asyncio.Event()
        metrics.PIPELINES.set_function(lambda: len(self._cache.pipelines()))
        # A watch that does not reach the API server is not told of: it tries for ever.
        metrics.WATCHING.set_function(lambda: self.is_watching and self._has_listed)
        self.pipeline_metrics = PipelineMetrics(self._cache, self._queue.failures)
        self._has_listed = True  #: Whether the last list came about.
        self.has_begun = self.is_ready = False

    async def run(self, stop: asyncio.Event) -> None:
        """Keep all pipelines, until told to stop.

        Raises:
            Exception: a watch has ended that should not have.
        """
        self.has_begun = True
        metrics.LEADER.set(1)
        listing, told = asyncio.create_task(self._list_at_first()), asyncio.create_task(stop.wait())
        await asyncio.wait([listing, told], return_when=asyncio.FIRST_COMPLETED)
        told.cancel()
        if not listing.done():
            listing.cancel()
            return
        await listing
        self.is_ready = True
        for key in self._cache.pipelines():
            self._queue.add(key)
        tasks = [asyncio.create_task(self._work(slow=False)) for _ in range(WORKERS)]
        tasks += [asyncio.create_task(self._work(slow=True)) for _ in range(SLOW_WORKERS)]
        tasks.append(asyncio.create_task(self._resync()))
        tasks.append(asyncio.create_task(ask_services(self._cache, self._queue.add, self._clock)))
        namespaces = self._settings.namespaces
        try:
            await kopf.operator(
                registry=handlers.registry(self),
                settings=handlers.settings(),
                clusterwide=not namespaces,
                namespaces=namespaces,
                stop_flag=stop,
            )
        finally:
            self.is_ready = False
            metrics.LEADER.set(0)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    @property
    def is_watching(self) -> bool:
        """Whether a watch is on everything that is to be watched."""
        watchers = [task for task in asyncio.all_tasks() if task.get_name().startswith("watcher for ")]
        return len(watchers) >= len(KINDS) * max(len(self._settings.namespaces), 1)

    def seen(self, body: Object) -> None:
        if self._cache.put(body):
            self._queue.add(key_of(body))

    def begun_anew(self) -> None:
        self._begun_anew.set()

    def gone(self, body: Object) -> None:
        self._cache.remove(body)
        self._queue.add(key_of(body))

    async def _work(self, *, slow: bool) -> None:
        while True:
            key = await self._queue.take(slow=slow)
            well = False
            try:
                with metrics.SECONDS.time():
                    if await self._reconcile(key):
                        self._queue.add(key)
                well = True
            except ApiError as error:
                well = error.is_of_the_end
                if not well:
                    _log.warning("will try again: %s", error.message, extra={"pipeline": str(key)})
            except Exception:
                _log.exception(
                    "a failure that the operator does not know; will try again", extra={"pipeline": str(key)}
                )
            finally:
                metrics.RECONCILES.labels("done" if well else "failed").inc()
                self._queue.done(key, well=well)

    async def _list_at_first(self) -> None:
        """Know all that is there before anything is done: what is unknown would be made again."""
        while True:
            try:
                return await self._list()
            except ApiError as error:
                _log.warning("cannot list yet: %s", error.message)
                await asyncio.sleep(_RETRY)

    async def _resync(self) -> None:
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._begun_anew.wait(), RESYNC)
            await asyncio.sleep(_SETTLE)
            self._begun_anew.clear()
            try:
                await self._list()
                self._has_listed = True
            except ApiError as error:
                self._has_listed = False
                _log.warning("cannot list: %s", error.message)
                self._begun_anew.set()
            except Exception:
                _log.exception("a list failed for a reason that the operator does not know; it goes on")

    async def _list(self) -> None:
        for kind in KINDS.values():
            for namespace in self._settings.namespaces or (None,):
                present, last = set(), 0
                async for items, version in self._cluster.list(kind, namespace):
                    for item in items:
                        self.seen(item)
                        present.add((key_of(item), ref_of(item)))
                    last = version
                for key in self._cache.keep_only(kind.name, namespace, present, last):
                    self._queue.add(key)
