"""Seeing a divided run through on one machine: what a Job does on a cluster."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from contextlib import suppress

from etl_service.errors import LoadError
from etl_service.load.store import Claim, Store
from etl_service.model import Partition, Run, Status
from etl_service.runs.beginning import Listener
from etl_service.runs.errors import PartitionLost
from etl_service.runs.execution import without_load
from etl_service.runs.world import World
from etl_service.spec import EtlPipeline, shares

#: How often it is looked at how far they are, in seconds.
_LOOK = 0.5

#: Starts a worker for a partition that has failed so many times before; gives the exit code of its process, and ends
#: it when cancelled.
StartWorker = Callable[[Run, int, int], Awaitable[int]]


def divided(run: Run, pipeline: EtlPipeline) -> Run:
    """The record of a run with the document's partitions, where it has such."""
    parts = [Partition(index=share.index, name=share.name) for share in shares(pipeline.spec.extract)]
    return run.model_copy(update={"partitions": parts or None})


async def see_through(
    pipeline: EtlPipeline,
    store: Store,
    claim: Claim,
    run: Run,
    world: World,
    start: StartWorker,
    on_progress: Listener,
) -> Run:
    """Have workers do all partitions, some at a time, each tried again as often as the document allows.

    The run ends with the last of them; where it does not, because it is to stop or a worker's process was lost, it is
    ended here, once no worker is left.
    """
    crew = _Crew(pipeline, run, world, start)
    outcome: tuple[Status, str, str] | None = None
    try:
        while crew.is_at_work and outcome is None and not run.ended:
            await crew.work(_LOOK)
            run = await asyncio.to_thread(_as_it_is, store, run)
            on_progress(run)
            if world.stop.requested():
                outcome = world.stop.status or "interrupted", world.stop.reason, world.stop.message
            elif crew.lost and not run.ended:
                outcome = "failed", PartitionLost.reason, crew.lost
    finally:
        await crew.dismiss()
    run = await asyncio.to_thread(_as_it_is, store, run)
    if run.ended:
        return run
    if claim.cancelled():
        outcome = "cancelled", "Cancelled", "cancelled on request; nothing was changed"
    lost: tuple[Status, str, str] = ("failed", PartitionLost.reason, "its workers ended before it did; run again")
    ended = without_load(run, *(outcome or lost), world.clock())
    await asyncio.to_thread(claim.end, ended)
    return ended


def _as_it_is(store: Store, run: Run) -> Run:
    with suppress(LoadError):  # a server that is away is no reason to end anything here: workers wait for it, too
        return store.run(run.id) or run
    return run


class _Crew:
    """Workers, a few at a time, until each partition is complete."""

    def __init__(self, pipeline: EtlPipeline, run: Run, world: World, start: StartWorker) -> None:
        partitions = pipeline.spec.extract.partitions
        assert partitions is not None and run.partitions is not None
        self.lost = ""  #: what to say of a partition that has failed for good, where its worker has not said it
        self._run = run
        self._names = [partition.name for partition in run.partitions]
        self._most = partitions.parallelism
        self._attempts = pipeline.spec.run.backoff_limit
        self._world = world
        self._start = start
        self._waiting = deque(range(len(self._names)))
        self._failures: Counter[int] = Counter()
        self._tasks: dict[asyncio.Task[int], int] = {}

    @property
    def is_at_work(self) -> bool:
        return bool(self._tasks or self._waiting)

    async def work(self, seconds: float) -> None:
        """Start whom there is room for, and wait until somebody is done, though not longer than so."""
        while self._waiting and len(self._tasks) < self._most:
            index = self._waiting.popleft()
            self._tasks[asyncio.create_task(self._attempt(index))] = index
        done, _ = await asyncio.wait(self._tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            index = self._tasks.pop(task)
            if code := task.result():
                self._failures[index] += 1
                if self._failures[index] > self._attempts:
                    name = f"partition {index} ({self._names[index]})"
                    self.lost = f"{name}: its process ended without a word, with code {code}; nothing was changed"
                else:
                    self._waiting.append(index)

    async def _attempt(self, index: int) -> int:
        failures = self._failures[index]
        if failures:
            await self._world.sleep(2.0 ** (failures - 1))
        return await self._start(self._run, index, failures)

    async def dismiss(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
