"""What all ways to begin a run have in common."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta

from etl_service.load import schema
from etl_service.load.errors import Busy
from etl_service.load.store import Claim, Store, Target
from etl_service.model import Run
from etl_service.spec import EtlPipeline
from etl_service.transform import Transformer, compile_transform

#: How often somebody who waits for the lock tries again, in seconds.
_RETRY_CLAIM = 0.25

Listener = Callable[[Run], None]


def unheard(run: Run) -> None:
    """A listener that does not listen."""


def target_of(pipeline: EtlPipeline) -> Target:
    load, incremental = pipeline.spec.load, pipeline.spec.extract.incremental
    return Target(
        pipeline=pipeline.full_name,
        table=load.table,
        key=load.key,
        mode=load.mode,
        allow_empty=load.allow_empty,
        cursor_column=incremental.column if incremental else None,
        complete=incremental is None,
    )


def transformer_of(pipeline: EtlPipeline, store: Store, target: Target) -> Transformer:
    """The mapping, compiled for the table as it is.

    Raises:
        TableOwned, SchemaConflict: it can be known before the first page that the merge would be refused.
    """
    existing = store.table(target.table)
    known = schema.mapped(existing.columns) if existing else ()
    transformer = compile_transform(pipeline.spec.transform, key=target.key, known=known)
    schema.plan(existing, target, transformer.columns)
    return transformer


async def claimed(pipeline: EtlPipeline, store: Store, patience: timedelta) -> Claim:
    until = asyncio.get_running_loop().time() + patience.total_seconds()
    while True:
        try:
            return store.claim(pipeline.full_name)
        except Busy:
            if asyncio.get_running_loop().time() >= until:
                raise
            await asyncio.sleep(_RETRY_CLAIM)
