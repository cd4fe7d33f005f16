"""One run, from its first page to its merge: the one place where extract, transform and load meet."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar

from etl_service.errors import EtlError
from etl_service.load.store import Loaded, Staging, Target, Work
from etl_service.model import Chunk, Counts, Run, Seconds, SourceStats, Status, Trigger, timestamp
from etl_service.runs.errors import AccountingMismatch, TooManyRejects
from etl_service.runs.world import World
from etl_service.spec import EtlPipeline
from etl_service.transform import Transformer

#: How often progress is shown, and the wish to cancel looked for, in seconds.
TICK = 0.2

_log = logging.getLogger(__name__)
_T = TypeVar("_T")
_Outcome = tuple[Status, str, str]  #: status, reason, message


def new_record(pipeline: EtlPipeline, trigger: Trigger, request_id: str | None, world: World) -> Run:
    """The record of a run that begins now."""
    return Run(
        id=world.run_id(),
        pipeline=pipeline.metadata.name,
        namespace=pipeline.metadata.namespace,
        trigger=trigger,
        request_id=request_id,
        started_at=timestamp(world.clock()),
        spec_hash=pipeline.hash,
    )


def without_load(run: Run, status: Status, reason: str, message: str, now: datetime) -> Run:
    """The record of a run that ended with nothing loaded: what it fetched and did not reject counts as skipped."""
    counts = Counts(
        fetched=run.counts.fetched, rejected=run.counts.rejected, skipped=run.counts.fetched - run.counts.rejected
    )
    partitions = [
        partition.model_copy(update={"status": "interrupted"}) if partition.status == "running" else partition
        for partition in run.partitions or ()
    ]
    return run.model_copy(
        update={
            "status": status,
            "reason": reason,
            "message": message,
            "phase": "done",
            "ended_at": timestamp(now),
            "counts": counts,
            "partitions": partitions or None,
        }
    )


class Stopped(Exception):
    """The run was asked to end; `World.stop` says how."""


@dataclass(slots=True)
class Execution:
    """Runs ``chunks`` through ``transformer`` into ``target``, and records how it went."""

    claim: Work
    run: Run
    world: World
    target: Target
    transformer: Transformer
    deadline: datetime
    limit: timedelta  #: the deadline as the document gives it, for the message
    max_errors: int
    on_progress: Callable[[Run], None]
    stats: SourceStats = field(default_factory=SourceStats)
    replayed: Sequence[int] = ()
    _counts: Counts = field(default_factory=Counts)
    _seconds: Seconds = field(default_factory=Seconds)

    async def __call__(self, chunks: AsyncGenerator[Chunk, None]) -> Run:
        """Run to the end, whatever it is; the record of it is returned and kept."""
        # One thread writes, so that the next page arrives while the last one is being staged.
        with ThreadPoolExecutor(1, thread_name_prefix="writer") as writer:
            try:
                self._tick()
                if self.world.stop.requested():
                    raise Stopped
                await self._watched(self._load(chunks, writer))
                self.run.phase = "merge"
                return await self._watched(asyncio.wrap_future(writer.submit(self._merge)))
            except Stopped:
                stop = self.world.stop
                outcome: _Outcome = (stop.status or "interrupted", stop.reason, stop.message)
            except asyncio.CancelledError:
                writer.submit(self._end, "interrupted", "Terminated", "its task was cancelled; nothing was changed")
                raise
            except EtlError as error:
                outcome = ("failed", error.reason, error.message)
            except Exception as error:  # the boundary: a bug must not leave a run that never ends
                _log.exception("run %s failed for a reason that the engine does not know", self.run.id)
                message = f"{type(error).__name__}; the log has more. Nothing was changed"
                outcome = ("failed", "InternalError", message)
            # On the writer's thread, after what it may still be staging: so the counts are of all that was staged.
            return await asyncio.get_running_loop().run_in_executor(writer, self._end, *outcome)

    async def _load(self, chunks: AsyncGenerator[Chunk, None], writer: ThreadPoolExecutor) -> None:
        loop = asyncio.get_running_loop()
        staging = self.claim.staging(self.target, run_id=self.run.id, loaded_at=timestamp(self.world.clock()))
        async with aclosing(chunks):
            while chunk := await self._next(chunks):
                await loop.run_in_executor(writer, self._take, chunk, staging)

    async def _next(self, chunks: AsyncGenerator[Chunk, None]) -> Chunk | None:
        began = time.perf_counter()
        try:
            return await anext(chunks, None)
        finally:
            self._seconds.extract += time.perf_counter() - began

    def _take(self, chunk: Chunk, staging: Staging) -> None:
        """Transform and stage a chunk; on the writer's thread."""
        began = time.perf_counter()
        batch = self.transformer(chunk)
        typed = time.perf_counter()
        staging.write(batch)
        self._seconds.transform += typed - began
        self._seconds.load += time.perf_counter() - typed
        self._counts.fetched += batch.fetched
        self._counts.rejected += len(batch.rejects)
        self._counts.skipped += batch.skipped
        self._bear(
            self._counts, *(f"record {bad.index} of page {bad.page}: {bad.message}" for bad in batch.rejects[-1:])
        )

    def _bear(self, counts: Counts, *last: str) -> None:
        if counts.rejected + counts.skipped > self.max_errors:
            said = f"more than {self.max_errors} records did not fit, which is transform.maxErrors"
            raise TooManyRejects("; ".join([said, *last]), field="transform.maxErrors")

    def _merge(self) -> Run:
        began = time.perf_counter()
        return self.claim.merge(
            lambda loaded: self._finish(loaded, time.perf_counter() - began),
            replayed=self.replayed,
            interrupt=self.world.stop.requested,
        )

    def _finish(self, loaded: Loaded, seconds: float) -> Run:
        self._seconds.load += seconds
        return self._succeeded(self._snapshot(), loaded)

    def _succeeded(self, run: Run, loaded: Loaded) -> Run:
        """The record of a run that succeeded; called inside the transaction that makes it true."""
        if not loaded.counts.add_up or loaded.counts.fetched != run.counts.fetched:
            raise AccountingMismatch(
                f"{run.counts.fetched} records were fetched and {loaded.counts} accounted for; nothing was changed"
            )
        return run.model_copy(
            update={
                "status": "succeeded",
                "phase": "done",
                "ended_at": timestamp(self.world.clock()),
                "counts": loaded.counts,
                "schema_changes": list(loaded.schema_changes),
            }
        )

    def _end(self, status: Status, reason: str, message: str) -> Run:
        ended = without_load(self._snapshot(), status, reason, message, self.world.clock())
        self.claim.end(ended)
        return ended

    async def _watched(self, work: Awaitable[_T]) -> _T:
        """Wait for ``work`` while showing progress; end it when the run is to stop.

        Raises:
            Stopped: asked to, by a cancel, the deadline or a signal.
        """
        task = asyncio.ensure_future(work)
        try:
            while not task.done():
                await asyncio.wait({task}, timeout=TICK)
                self._tick()
                if self.world.stop.requested() and not task.done():
                    await self._let_go(task)
            return task.result()
        except EtlError as error:
            if self.world.stop.requested():
                raise Stopped from error
            raise
        finally:
            task.cancel()

    async def _let_go(self, task: asyncio.Future[_T]) -> None:
        """Cancel reading at once; a merge notices by itself, and may yet be done before it does."""
        if self.run.phase == "extract":
            task.cancel()
            await asyncio.wait({task})
            raise Stopped

    def _tick(self) -> None:
        stop = self.world.stop
        if self.claim.cancelled():
            stop.request("cancelled", "Cancelled", "cancelled on request; nothing was changed")
        if self.world.clock() >= self.deadline:
            stop.request(
                "failed",
                "DeadlineExceeded",
                f"the run took longer than its deadline of {self.limit.total_seconds():g} s; nothing was changed. "
                "Raise run.deadline, or ask the source for less",
            )
        snapshot = self._snapshot()
        self.claim.publish(snapshot)
        try:
            self.on_progress(snapshot)
        except Exception:  # whoever looks on is no reason to end a run, least of all one that is being committed
            _log.warning("progress can no longer be shown", exc_info=True)
            self.on_progress = lambda run: None

    def _snapshot(self) -> Run:
        return self.run.model_copy(
            update={
                "counts": self._counts.model_copy(),
                "seconds": self._seconds.model_copy(),
                "pages": self.stats.pages,
                "bytes": self.stats.bytes,
                "retries": self.stats.retries,
                "requests": dict(self.stats.requests),
                "total": self.stats.total,
            }
        )
