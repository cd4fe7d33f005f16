"""Beginning runs: who may, under which record, and what from."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from etl_service.errors import EtlError
from etl_service.load.store import Claim, Store, StoredReject, Target
from etl_service.model import Chunk, Run, Trigger
from etl_service.runs.beginning import Listener, claimed, target_of, transformer_of, unheard
from etl_service.runs.divided import StartWorker, divided, see_through
from etl_service.runs.errors import NothingToReplay
from etl_service.runs.execution import Execution, new_record, without_load
from etl_service.runs.lost import bury
from etl_service.runs.world import World
from etl_service.spec import EtlPipeline

#: How many rejects a replay holds; each has up to 1 MiB.
_REJECTS_AT_ONCE = 50


async def run(
    pipeline: EtlPipeline,
    store: Store,
    *,
    trigger: Trigger,
    world: World,
    request_id: str | None = None,
    patience: timedelta = timedelta(0),
    on_begin: Listener = unheard,
    on_progress: Listener = unheard,
    start_worker: StartWorker | None = None,
) -> Run:
    """Run the pipeline, or give the record of the run that ``request_id`` has had already.

    Once it has begun, whatever goes wrong is in the record: its status, reason and message. A request
    whose run failed or was interrupted takes its record up again, unless it came over REST, where the
    same key means the same run.

    Args:
        patience: how long to wait for another run to end.
        start_worker: starts a worker for a partition of a run that is divided among such.

    Raises:
        Busy: another run holds the pipeline, and did so for all of ``patience``.
        LoadError: the store cannot be used.
    """
    asked = world.clock()
    with await claimed(pipeline, store, patience) as claim:
        bury(claim, store.running(pipeline.full_name), world.clock())
        earlier = store.requested(pipeline.full_name, request_id) if request_id else None
        if earlier and (trigger == "rest" or earlier.status in ("succeeded", "cancelled")):
            return earlier
        record = _reopened(earlier, pipeline) if earlier else new_record(pipeline, trigger, request_id, world)
        record = divided(record, pipeline)
        claim.begin(record)
        on_begin(record)
        if record.partitions is not None and start_worker is not None:
            return await see_through(pipeline, store, claim, record, world, start_worker, on_progress)
        target = target_of(pipeline)
        try:
            execution = _execution(pipeline, store, claim, record, world, target, on_progress)
            # Waiting for another run to end is part of the time that this one has.
            execution.deadline = min(execution.deadline, asked + execution.limit)
            cursor = store.cursor(target) if target.cursor_column else None
        except EtlError as error:
            return _refused(claim, record, error, world)
        return await execution(_read(pipeline, execution, world, cursor))


async def replay(
    pipeline: EtlPipeline,
    store: Store,
    *,
    world: World,
    run_id: str | None = None,
    patience: timedelta = timedelta(0),
    on_begin: Listener = unheard,
    on_progress: Listener = unheard,
) -> Run:
    """Load rejected records again under today's mapping: those of one run, or all.

    A replay never replaces the table and never overwrites a row that was loaded since its record was
    fetched. What still does not fit stays rejected, with today's reason.

    Raises:
        NothingToReplay: no such record is kept.
        Busy, LoadError: as for `run`.
    """
    with await claimed(pipeline, store, patience) as claim:
        bury(claim, store.running(pipeline.full_name), world.clock())
        ids = [reject.id for reject in _whole(store, pipeline.full_name, run_id)]
        if not ids:
            raise NothingToReplay("there is no rejected record to load again; `etl rejects` lists them")
        target = target_of(pipeline)
        mode = target.mode if target.mode != "replace" else "upsert" if target.key else "append"
        target = replace(target, mode=mode, replay=True, cursor_column=None)
        record = new_record(pipeline, "replay", None, world)
        claim.begin(record)
        on_begin(record)
        try:
            execution = _execution(_quarantining(pipeline), store, claim, record, world, target, on_progress)
        except EtlError as error:
            return _refused(claim, record, error, world)
        execution.max_errors = len(ids)
        execution.replayed = ids
        return await execution(_again(_whole(store, pipeline.full_name, run_id)))


def _reopened(earlier: Run, pipeline: EtlPipeline) -> Run:
    """The next attempt at a request; its deadline runs from the first."""
    kept = earlier.model_dump(include={"id", "pipeline", "namespace", "trigger", "request_id", "started_at"})
    return Run(**kept, attempt=earlier.attempt + 1, spec_hash=pipeline.hash)


def _quarantining(pipeline: EtlPipeline) -> EtlPipeline:
    """Whatever ``onError`` says: what was kept once is not to be lost because it still does not fit."""
    transform = pipeline.spec.transform.model_copy(update={"on_error": "quarantine"})
    return pipeline.model_copy(update={"spec": pipeline.spec.model_copy(update={"transform": transform})})


def _refused(claim: Claim, record: Run, error: EtlError, world: World) -> Run:
    """The record of a run that could be known to fail before its first page."""
    ended = without_load(record, "failed", error.reason, error.message, world.clock())
    claim.end(ended)
    return ended


def _execution(
    pipeline: EtlPipeline,
    store: Store,
    claim: Claim,
    record: Run,
    world: World,
    target: Target,
    on_progress: Listener,
) -> Execution:
    limit = pipeline.spec.run.deadline
    return Execution(
        claim=claim,
        run=record,
        world=world,
        target=target,
        transformer=transformer_of(pipeline, store, target),
        deadline=datetime.fromisoformat(record.started_at) + limit,
        limit=limit,
        max_errors=pipeline.spec.transform.max_errors,
        on_progress=on_progress,
    )


async def _read(
    pipeline: EtlPipeline, execution: Execution, world: World, cursor: str | int | float | None
) -> AsyncGenerator[Chunk, None]:
    async with world.open(pipeline.spec.extract, cursor) as source:
        execution.stats = source.stats
        async for chunk in source.chunks():
            yield chunk


def _whole(store: Store, pipeline: str, run_id: str | None) -> Iterator[StoredReject]:
    """The rejects that can be replayed, a few in memory at a time: a hundred thousand can be a gigabyte."""
    after = 0
    while rejects := store.rejects(pipeline, run_id=run_id, limit=_REJECTS_AT_ONCE, after=after):
        after = rejects[-1].id
        yield from (reject for reject in rejects if reject.whole)


async def _again(rejects: Iterable[StoredReject]) -> AsyncGenerator[Chunk, None]:
    for reject in rejects:
        records = b"[" + reject.raw.encode() + b"]"
        yield Chunk(reject.url, reject.page, reject.index, records, fetched_at=reject.fetched_at)
