"""What is kept of the partitions of a run while it is under way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Literal, TypeVar

from pydantic import ValidationError

from etl_service.load.postgres.hold import Hold
from etl_service.load.postgres.staging import Staged
from etl_service.load.sql import Connection
from etl_service.model import Counts, Partition, Run, Seconds

_M = TypeVar("_M", Counts, Seconds)


def add_partitions(link: Connection, run: Run, fence: int) -> None:
    """Let the partitions of a run that begins be taken up."""
    link.executemany(
        "INSERT INTO etl_partitions (fence, idx, pipeline) VALUES (?, ?, ?) ON CONFLICT (fence, idx) DO NOTHING",
        [(fence, partition.index, run.full_name) for partition in run.partitions or ()],
    )


def staged_name(hold: Hold, index: int, attempt: int | Literal[""]) -> str:
    """What an attempt at a partition stages into: the next attempt's is another, so that the two cannot mix."""
    return f"{hold.staging}_{index}_{attempt}"


def staged_names(link: Connection, hold: Hold) -> list[str]:
    """What the partitions of the run have staged so far, complete or not."""
    found = link.execute(
        "SELECT idx, attempt, staged FROM etl_partitions WHERE fence = ? AND attempt > 0 ORDER BY idx", [hold.fence]
    )
    return [
        Staged.from_json(staged).name if staged else staged_name(hold, index, attempt)
        for index, attempt, staged in found.fetchall()
    ]


def read_progress(link: Connection, pipeline: str) -> Run | None:
    """What the pipeline's run has published last; over all partitions, where it has such."""
    found = link.execute("SELECT progress, fence FROM etl_claims WHERE pipeline = ?", [pipeline]).fetchone()
    try:
        run = Run.model_validate_json(found[0]) if found and found[0] else None
        if run is None or run.partitions is None:
            return run
        parts = link.execute(
            "SELECT attempt, status, record FROM etl_partitions WHERE fence = ? ORDER BY idx", [found[1]]
        ).fetchall()
        return whole(run, run.partitions, parts) if len(parts) == len(run.partitions) else run
    except ValidationError:  # of another version of the engine
        return None


def whole(run: Run, partitions: Sequence[Partition], parts: Sequence[tuple[int, str, str | None]]) -> Run:
    """The run's record as it is, out of what each partition's worker has said last."""
    each, records = [], []
    for partition, (attempt, status, text) in zip(partitions, parts, strict=True):
        known: dict[str, object] = {"attempt": attempt, "status": status}
        if text:
            record = Run.model_validate_json(text)
            records.append(record)
            known |= {"fetched": record.counts.fetched, "pages": record.pages, "total": record.total}
            known |= {"reason": record.reason, "message": record.message}
        each.append(partition.model_copy(update=known))
    totals = [record.total for record in records if record.total is not None]
    answers: Counter[str] = Counter()
    for record in records:
        answers.update(record.requests)
    return run.model_copy(
        update={
            "counts": _sum(Counts, [record.counts for record in records]),
            "seconds": _sum(Seconds, [record.seconds for record in records]),
            "pages": sum(record.pages for record in records),
            "bytes": sum(record.bytes for record in records),
            "retries": sum(record.retries for record in records),
            "requests": dict(answers),
            "total": sum(totals) if len(totals) == len(each) else None,
            "phase": "merge" if all(partition.status == "succeeded" for partition in each) else "extract",
            "partitions": each,
        }
    )


def _sum(kind: type[_M], parts: Sequence[_M]) -> _M:
    return kind(**{name: sum(getattr(part, name) for part in parts) for name in kind.model_fields})
