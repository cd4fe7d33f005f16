"""A run in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from etl_service.model import Counts, Partition, Run

_OUTCOMES = (
    ("inserted", "new"),
    ("updated", "changed"),
    ("unchanged", "the same"),
    ("rejected", "rejected"),
    ("skipped", "skipped"),
    ("deleted", "deleted"),
)


def outcome(run: Run) -> str:
    """`100 fetched: 3 new, 1 changed, 94 the same, 2 rejected in 0.4 s → etl rejects`."""
    more = " → etl rejects" if run.counts.rejected else ""
    return f"{counts(run.counts)} in {duration(seconds_of(run))}{more}"


def counts(counts: Counts) -> str:
    parts = [f"{getattr(counts, name):,} {word}" for name, word in _OUTCOMES if getattr(counts, name)]
    return f"{counts.fetched:,} fetched" + (f": {', '.join(parts)}" if parts else "")


def progress(run: Run) -> str:
    """Where a run under way is."""
    of = f" of {run.total:,}" if run.total else ""
    parts = f"{partitions(run.partitions)}, " if run.partitions else ""
    return f"{run.phase}: {parts}{run.counts.fetched:,}{of} records, {run.pages:,} pages, {size(run.bytes)}"


def partitions(each: Sequence[Partition]) -> str:
    """`7 of 12 partitions, 4 under way`."""
    count = Counter(partition.status for partition in each)
    under_way = f", {count['running']} under way" if count["running"] else ""
    return f"{count['succeeded']} of {len(each)} partitions{under_way}"


def partition(one: Partition) -> str:
    """`  3 succeeded  category=books: 1,200 records, 12 pages`."""
    again = f", attempt {one.attempt}" if one.attempt > 1 else ""
    why = f"; {one.reason}: {one.message}" if one.reason and one.status != "succeeded" else ""
    return f"{one.index:>3} {one.status:<11} {one.name}: {one.fetched:,} records, {one.pages:,} pages{again}{why}"


def duration(seconds: float) -> str:
    if seconds < 0.1:
        return f"{1000 * seconds:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {seconds:02} s"


def size(amount: float) -> str:
    for unit in ("B", "kB", "MB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} GB"


def seconds_of(run: Run, now: datetime | None = None) -> float:
    """From its beginning to its end, or to now."""
    end = datetime.fromisoformat(run.ended_at) if run.ended_at else now or datetime.fromisoformat(run.started_at)
    return max(0.0, (end - datetime.fromisoformat(run.started_at)).total_seconds())
