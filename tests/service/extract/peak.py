"""Reads a source in a process of its own, and prints by how many MiB that made it grow.

``python peak.py '{"url": …}'`` takes what ``extract`` has in a document.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from pathlib import Path

import httpx  # noqa: F401  as a part of the process's size, not of what reading takes

from etl_service.extract import SourceError, open_source
from etl_service.spec import Extract, Secret


def main() -> None:
    document = Extract.model_validate(json.loads(sys.argv[1]))
    before = peak()
    outcome = asyncio.run(read(document))
    print(json.dumps({"grown": peak() - before, "outcome": outcome}))


async def read(document: Extract) -> str:
    size = 0
    try:
        async with open_source(document, base=Path(), secrets=no_secret) as source:
            async for chunk in source.chunks():
                size += len(chunk.records)
    except SourceError as error:
        return error.reason
    return f"{size // 2**20} MiB"


def no_secret(secret: Secret, path: str) -> str:
    raise AssertionError(f"nothing needs {path}")


def peak() -> float:
    """The most memory that this program has had, in MiB; a new program begins anew, unlike with getrusage."""
    status = Path("/proc/self/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert found
    return int(found[1]) / 1024


if __name__ == "__main__":
    main()
