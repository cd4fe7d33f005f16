"""Runs that are divided among workers: each reads a partition, and the last to complete its own merges them all.

A worker needs to know nothing of the others but what the store tells. So its work is the same in the pods of a Job, of
which the first begins the run, and in processes that a run on one machine starts.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta

from etl_service.errors import EtlError
from etl_service.extract.errors import Place, SourceIncomplete
from etl_service.extract.urls import Redactor
from etl_service.load import schema
from etl_service.load.errors import DatabaseUnavailable, LeaseLost, MergeInterrupted
from etl_service.load.store import Loaded, Part, Store, Turns
from etl_service.model import Chunk, Partition, Run, Status, Trigger, timestamp
from etl_service.runs.beginning import Listener, claimed, target_of, unheard
from etl_service.runs.divided import divided
from etl_service.runs.errors import DocumentChanged, NotBegun, Suspended
from etl_service.runs.execution import Execution, new_record, without_load
from etl_service.runs.lost import bury
from etl_service.runs.world import World
from etl_service.spec import EtlPipeline, Extract, shares
from etl_service.transform import compile_transform

#: How often a worker looks whether the first has begun the run, in seconds.
_LOOK = 1.0
#: How long after its deadline the pipeline is the run's still, so that its workers can say why it ended.
_GRACE = timedelta(minutes=1)


async def begin_or_join(
    pipeline: EtlPipeline,
    store: Store,
    index: int,
    *,
    request_id: str,
    trigger: Trigger,
    world: World,
    patience: timedelta,
) -> Run:
    """The run of a request: the first partition's worker begins it, the others wait for that. It may have ended.

    Raises:
        Busy: another run holds the pipeline, and did so for all of ``patience``.
        Suspended: the document wants none.
        NotBegun: nobody began it before its deadline.
    """
    limit = pipeline.spec.run.deadline
    until = world.clock() + limit
    while (known := store.requested(pipeline.full_name, request_id)) is None:
        if index == 0:
            if pipeline.spec.suspend:
                raise Suspended(pipeline.metadata.name)
            with await claimed(pipeline, store, patience) as claim:
                bury(claim, store.running(pipeline.full_name), world.clock())
                known = divided(new_record(pipeline, trigger, request_id, world), pipeline)
                claim.begin(known, kept=(until + _GRACE - world.clock()).total_seconds())
                return known
        if world.clock() >= until:
            raise NotBegun(f"no worker of partition 0 began the run within its deadline of {limit.total_seconds():g} s")
        await world.sleep(_LOOK)
    return known


async def work(
    pipeline: EtlPipeline,
    store: Store,
    run: Run,
    index: int,
    *,
    last: bool,
    world: World,
    on_begin: Listener = unheard,
    on_progress: Listener = unheard,
) -> Run:
    """Read a partition of a run that is under way, and merge them all where none is missing then.

    Args:
        last: there will be no further attempt at the partition: where this one fails, the run does.

    Returns:
        the run's record as it then is: ended only where this was the last partition, or the whole run had to end.

    Raises:
        LeaseLost: another worker has taken up the partition.
        LoadError: the store cannot be used.
    """
    target = target_of(pipeline)
    extract, partition = pipeline.spec.extract, (run.partitions or [])[index]
    try:
        with store.join(run, index, target, timestamp(world.clock())) as part:
            on_begin(run)
            worker = Worker(
                claim=part,
                run=run,
                world=world,
                target=target,
                transformer=compile_transform(pipeline.spec.transform, key=target.key),
                deadline=datetime.fromisoformat(run.started_at) + pipeline.spec.run.deadline,
                limit=pipeline.spec.run.deadline,
                max_errors=pipeline.spec.transform.max_errors,
                on_progress=on_progress,
                partition=partition,
                source=Redactor().url(extract.url),
                block=_records_on_a_page(extract),
                last=last,
            )
            return await worker(_read(pipeline, store, worker))
    except LeaseLost:
        known = store.run(run.id)
        if known and known.ended:
            return known
        raise


def _records_on_a_page(extract: Extract) -> int | None:
    """Where its pages are divided among partitions; 1 where the document leaves it to the source."""
    if extract.partitions is None or extract.partitions.count is None or extract.pagination is None:
        return None
    page, offset = extract.pagination.page, extract.pagination.offset
    return (page and page.size) or (offset and offset.limit) or 1


async def _read(pipeline: EtlPipeline, store: Store, worker: Worker) -> AsyncGenerator[Chunk, None]:
    if pipeline.hash != worker.run.spec_hash:
        worker.last = True
        raise DocumentChanged("the document has been changed since the run began; ask for another run")
    target = worker.target
    schema.plan(store.table(target.table), target, worker.transformer.columns)  # what would be refused in the end
    cursor = store.cursor(target) if target.cursor_column else None
    share = shares(pipeline.spec.extract)[worker.partition.index]
    async with worker.world.open(pipeline.spec.extract, cursor, share, _Asked(worker.claim.turns)) as source:
        worker.stats = source.stats
        async for chunk in source.chunks():
            yield chunk


@dataclass(slots=True, kw_only=True)
class Worker(Execution):
    """Runs a partition, of which the claim is a part; ends the run where no other can go on with it."""

    claim: Part
    partition: Partition
    source: str  #: for messages
    block: int | None  #: where the pages are divided: records on a page, as the document has it
    last: bool  #: a failure is for good
    _merging: bool = False

    async def _load(self, chunks: AsyncGenerator[Chunk, None], writer: ThreadPoolExecutor) -> None:
        if self.claim.done:
            await chunks.aclose()
        else:
            await Execution._load(self, chunks, writer)

    def _merge(self) -> Run:
        part = self.claim
        if not part.done:
            part.complete(self._completed())
        whole = part.whole()
        if not part.merges:
            return whole
        self._merging = True
        try:
            self._look_at(whole)
            began = time.perf_counter()
            return part.merge(
                lambda loaded: self._merged(whole, loaded, time.perf_counter() - began),
                interrupt=self.world.stop.requested,
            )
        except (DatabaseUnavailable, LeaseLost, MergeInterrupted):
            raise
        except EtlError:
            self.last = True  # another attempt would merge the same
            raise

    def _look_at(self, whole: Run) -> None:
        """Refuse what no worker alone could know.

        Raises:
            SourceIncomplete: together they have fetched fewer records than the source said it has.
            TooManyRejects: together they have rejected more than the document bears.
        """
        if whole.total is not None and whole.counts.fetched < whole.total:
            what = f"its partitions ended after {whole.counts.fetched} records, and it said that it has {whole.total}"
            raise SourceIncomplete(what, Place(self.source))
        self._bear(whole.counts)

    def _merged(self, whole: Run, loaded: Loaded, seconds: float) -> Run:
        whole.seconds.load += seconds
        return self._succeeded(whole, loaded)

    def _end(self, status: Status, reason: str, message: str) -> Run:
        attempt = {"status": "failed" if status == "failed" else "interrupted", "reason": reason, "message": message}
        self.claim.set_aside(self._snapshot().model_copy(update=attempt))
        whole = self.claim.whole()
        of_all = self.world.stop.requested()  # cancelled, or its deadline is over
        if status == "interrupted" or (status == "failed" and not self.last and not of_all):
            return self._with_own(whole, attempt)
        if status == "failed" and not self._merging and not of_all:
            message = f"partition {self.partition.index} ({self.partition.name}): {message}"
        ended = without_load(whole, status, reason, message, self.world.clock())
        self.claim.end(ended)
        return ended

    def _with_own(self, whole: Run, attempt: dict[str, str]) -> Run:
        """The record in which this attempt, at the merge perhaps, has ended."""
        partitions = list(whole.partitions or ())
        partitions[self.partition.index] = partitions[self.partition.index].model_copy(update=attempt)
        return whole.model_copy(update={"partitions": partitions})

    def _snapshot(self) -> Run:
        """What this worker has done; that the run has partitions is told elsewhere."""
        return Execution._snapshot(self).model_copy(update={"partitions": None, "total": self._total()})

    def _completed(self) -> Run:
        """A partition beyond the last page has nothing in it, whether or not the source said so."""
        snapshot = self._snapshot()
        beyond = self.block is not None and not snapshot.counts.fetched
        return snapshot.model_copy(update={"total": 0}) if beyond else snapshot

    def _total(self) -> int | None:
        """How many records are in the partition; where the pages are divided, the source tells of all of them."""
        if self.stats.total is None or self.block is None:
            return self.stats.total
        rounds, rest = divmod(self.stats.total, self.block * len(self.run.partitions or ()))
        return rounds * self.block + min(max(rest - self.partition.index * self.block, 0), self.block)


@dataclass(frozen=True, slots=True)
class _Asked:
    """Turns to ask the source, of which the store is asked aside."""

    turns: Turns

    async def take(self, interval: float) -> float:
        return await asyncio.to_thread(self.turns.take, interval)

    async def hold(self, seconds: float) -> None:
        await asyncio.to_thread(self.turns.pause, seconds)
