"""By what a pipeline is known to the server: its lock, and the tables in which its runs stage."""

from __future__ import annotations

import hashlib


def key(schema: str, pipeline: str) -> int:
    """The advisory lock of a pipeline: 63 bits, since what else uses such locks in the database has small numbers."""
    digest = hashlib.sha256(f"etlpipeline {schema} {pipeline}".encode()).digest()
    return int.from_bytes(digest[:8]) >> 1


def staging_prefix(key: int) -> str:
    return f"etl_stage_{key:x}_"
