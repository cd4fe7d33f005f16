"""Runs whose process ended without a word: their records are ended by whoever looks next."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime

from pydantic import BaseModel

from etl_service.load.errors import Busy
from etl_service.load.store import Claim, Store
from etl_service.model import Counts, Run, Status, Trigger
from etl_service.runs.execution import new_record, without_load
from etl_service.runs.world import World
from etl_service.spec import EtlPipeline

#: The reason of such a run, until somebody knows a better one.
_LOST = "ProcessLost"


def end_dead(store: Store, pipeline: str, now: datetime) -> Run | None:
    """End the run that is recorded as running while nobody holds the lock; None where there is none."""
    dead = store.running(pipeline)
    if dead is None:
        return None
    with suppress(Busy), store.claim(pipeline) as claim:
        return bury(claim, store.running(pipeline), now)
    return None


def bury(claim: Claim, dead: Run | None, now: datetime) -> Run | None:
    """End a dead run's record; whoever holds the lock knows that it is dead."""
    if dead is None:
        return None
    status: Status
    if claim.left_cancelled(dead.id):
        status, reason, message = "cancelled", "Cancelled", "cancelled on request; nothing was changed"
    else:
        status, reason = "interrupted", _LOST
        message = "its process ended without a word (killed, out of memory, or its machine lost); nothing was changed"
    # What it had rejected went with its staging.
    lost = dead.model_copy(update={"counts": Counts(fetched=dead.counts.fetched)})
    ended = without_load(lost, status, reason, message, now)
    claim.end(ended)
    return ended


class Lost(BaseModel):
    """What somebody else knows of a run that could not say itself what became of it."""

    request_id: str
    trigger: Trigger
    started_at: str
    ended_at: str
    reason: str
    message: str


def complete(pipeline: EtlPipeline, store: Store, lost: Iterable[Lost], world: World) -> list[Run]:
    """Have the history tell of lost runs what others know of them: the cause where it has none, or all of it.

    Raises:
        Busy: a run holds the pipeline, or one that is lost does so still.
    """
    name, told = pipeline.full_name, []
    for one in lost:
        known = store.requested(name, one.request_id)
        if known and not known.ended:
            store.let_go(known.id)
            raise Busy(name, known.id)
        if _is_told(known):
            continue
        with store.claim(name) as claim:
            known = store.requested(name, one.request_id)
            if _is_told(known):  # by another service, a moment ago
                continue
            cause = {"reason": one.reason, "message": one.message}
            if known:
                run = known.model_copy(update=cause)
                claim.amend(run)
            else:
                begun = new_record(pipeline, one.trigger, one.request_id, world)
                run = begun.model_copy(
                    update={
                        **cause,
                        "started_at": one.started_at,
                        "ended_at": one.ended_at,
                        "status": "failed",
                        "phase": "done",
                    }
                )
                claim.end(run)
        told.append(run)
    return told


def _is_told(known: Run | None) -> bool:
    return known is not None and known.reason != _LOST
