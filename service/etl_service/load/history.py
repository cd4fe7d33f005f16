"""Run records and rejected records. Each function is one or two statements; callers own the transaction."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from etl_service.load.sql import Connection, Cursor
from etl_service.load.store import StoredReject
from etl_service.model import Counts, Reject, Run, Seconds, Status

#: What is kept of each pipeline; older runs and rejects go when a run ends.
RUNS_KEPT = 10_000
REJECTS_KEPT = 100_000
#: A longer raw record is cut: it can be looked at, and not be replayed.
RAW_LIMIT = 1024 * 1024

_RUN_COLUMNS = tuple(
    "id pipeline trigger request_id attempt status reason message started_at ended_at phase "
    "fetched inserted updated unchanged rejected skipped deleted pages bytes retries requests "
    "extract_seconds transform_seconds load_seconds schema_changes spec_hash total partitions".split()
)
#: Of a rejected record, in staging as in the history.
REJECT_COLUMNS = "url, page, idx, field, reason, message, raw, whole, fetched_at"
_SELECT_RUN = f"SELECT {', '.join(_RUN_COLUMNS)} FROM etl_runs"


def save_run(connection: Connection, run: Run) -> None:
    """Write the record, new or over its earlier state."""
    row = _row(run)
    connection.execute(
        f"INSERT INTO etl_runs ({', '.join(row)}) VALUES ({', '.join('?' * len(row))}) "
        f"ON CONFLICT (id) DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in row if name != 'id')}",
        list(row.values()),
    )


def begin_run(connection: Connection, run: Run) -> None:
    """Write the record of a run that begins; what an earlier attempt under its id rejected is read again."""
    save_run(connection, run)
    connection.execute("DELETE FROM etl_rejects WHERE pipeline = ? AND run_id = ?", [run.full_name, run.id])


def end_run(connection: Connection, run: Run) -> None:
    """Write the record of a run that has ended, add it to the totals, and let go of what is too old."""
    save_run(connection, run)
    add_totals(connection, run.full_name, {(name, label): value for name, label, value in _totals(run) if value})
    for table, order, kept in (("etl_runs", "seq", RUNS_KEPT), ("etl_rejects", "id", REJECTS_KEPT)):
        connection.execute(
            f"DELETE FROM {table} WHERE pipeline = ? AND {order} <= "
            f"(SELECT {order} FROM {table} WHERE pipeline = ? ORDER BY {order} DESC LIMIT 1 OFFSET {kept})",
            [run.full_name, run.full_name],
        )


def add_totals(connection: Connection, pipeline: str, totals: Mapping[tuple[str, str], float]) -> None:
    connection.executemany(
        "INSERT INTO etl_totals (pipeline, name, label, value) VALUES (?, ?, ?, ?) "
        "ON CONFLICT (pipeline, name, label) DO UPDATE SET value = etl_totals.value + excluded.value",
        [(pipeline, name, label, value) for (name, label), value in totals.items()],
    )


def find_run(connection: Connection, run_id: str) -> Run | None:
    return _first(connection.execute(f"{_SELECT_RUN} WHERE id = ?", [run_id]))


def find_request(connection: Connection, pipeline: str, request_id: str) -> Run | None:
    return _first(connection.execute(f"{_SELECT_RUN} WHERE pipeline = ? AND request_id = ?", [pipeline, request_id]))


def runs(connection: Connection, pipeline: str, *, limit: int, before: str | None, status: Status | None) -> list[Run]:
    where, values = ["pipeline = ?"], [pipeline]
    if status is not None:
        where.append("status = ?")
        values.append(status)
    if before is not None:
        where.append("seq < (SELECT seq FROM etl_runs WHERE id = ?)")
        values.append(before)
    found = connection.execute(f"{_SELECT_RUN} WHERE {' AND '.join(where)} ORDER BY seq DESC LIMIT ?", [*values, limit])
    return [_run(row) for row in found]


def pipelines(connection: Connection) -> list[str]:
    return [name for (name,) in connection.execute("SELECT DISTINCT pipeline FROM etl_runs ORDER BY pipeline")]


def staged_reject(reject: Reject, fetched_at: str) -> tuple[str | int | bool | None, ...]:
    """A rejected record as staging holds it, by `REJECT_COLUMNS`; ``fetched_at`` is for one that this run fetched."""
    raw = reject.raw[:RAW_LIMIT].decode("utf-8", errors="backslashreplace").replace("\0", "\\u0000")
    return (
        reject.url,
        reject.page,
        reject.index,
        reject.field,
        reject.reason,
        reject.message,
        raw,
        len(reject.raw) <= RAW_LIMIT,
        reject.fetched_at or fetched_at,
    )


def keep_rejects(connection: Connection, run: Run, staged: str) -> None:
    """Make the staged rejects permanent; ``staged`` is where they are, in SQL, and their order."""
    connection.execute(
        f"INSERT INTO etl_rejects (pipeline, run_id, {REJECT_COLUMNS}) SELECT ?, ?, {REJECT_COLUMNS} FROM {staged}",
        [run.full_name, run.id],
    )


def copy_rejects(connection: Connection, pipeline: str, rejects: Iterable[StoredReject]) -> None:
    """Keep those of another store; each gets an id of this one's, in the same order."""
    columns = ("run_id", *REJECT_COLUMNS.replace("idx", "index").split(", "))
    connection.executemany(
        f"INSERT INTO etl_rejects (pipeline, run_id, {REJECT_COLUMNS}) VALUES (?{', ?' * len(columns)})",
        ([pipeline, *(getattr(reject, name) for name in columns)] for reject in rejects),
    )


def drop_rejects(connection: Connection, ids: Sequence[int]) -> None:
    connection.executemany("DELETE FROM etl_rejects WHERE id = ?", [(reject,) for reject in ids])


def rejects(
    connection: Connection, pipeline: str, *, run_id: str | None, limit: int | None, after: int
) -> list[StoredReject]:
    if run_id is not None:
        where, values = "pipeline = ? AND run_id = ?", [pipeline, run_id]
    else:
        # By id: the index is in the order of runs, and each page would sort all of them.
        where, values = "pipeline || '' = ?", [pipeline]
    found = connection.execute(
        f"SELECT id, run_id, {REJECT_COLUMNS} FROM etl_rejects WHERE {where} AND id > ? ORDER BY id"
        + ("" if limit is None else f" LIMIT {limit:d}"),
        [*values, after],
    )
    return [replace(reject, whole=bool(reject.whole)) for reject in (StoredReject(*row) for row in found)]


def totals(connection: Connection, pipeline: str) -> dict[tuple[str, str], float]:
    found = connection.execute("SELECT name, label, value FROM etl_totals WHERE pipeline = ?", [pipeline])
    return {(name, label): value for name, label, value in found}


def _totals(run: Run) -> Iterable[tuple[str, str, float]]:
    yield "runs", run.status, 1
    yield "pages", "", run.pages
    yield "bytes", "", run.bytes
    yield "retries", "", run.retries
    for outcome, count in run.counts.model_dump().items():
        yield "records", outcome, count
    for phase, seconds in run.seconds.model_dump().items():
        yield "seconds", phase, seconds
    for status, count in run.requests.items():
        yield "requests", status, count


def _row(run: Run) -> dict[str, Any]:
    flat = run.model_dump(exclude={"namespace", "counts", "seconds"})
    flat |= run.counts.model_dump()
    flat |= {f"{phase}_seconds": seconds for phase, seconds in run.seconds.model_dump().items()}
    return flat | {
        "pipeline": run.full_name,
        "requests": json.dumps(run.requests),
        "schema_changes": json.dumps(run.schema_changes),
        "partitions": json.dumps(flat["partitions"]) if flat["partitions"] is not None else None,
    }


def _run(row: Sequence[Any]) -> Run:
    flat = dict(zip(_RUN_COLUMNS, row, strict=True))
    partitions = flat.pop("partitions")
    namespace, _, name = flat.pop("pipeline").partition("/")
    return Run(
        namespace=namespace,
        pipeline=name,
        counts=Counts(**{outcome: flat.pop(outcome) for outcome in Counts.model_fields}),
        seconds=Seconds(**{phase: flat.pop(f"{phase}_seconds") for phase in Seconds.model_fields}),
        requests=json.loads(flat.pop("requests")),
        schema_changes=json.loads(flat.pop("schema_changes")),
        partitions=json.loads(partitions) if partitions else None,
        **flat,
    )


def _first(found: Cursor) -> Run | None:
    row = found.fetchone()
    return _run(row) if row else None
