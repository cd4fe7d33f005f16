"""What was measured, against what was wanted."""

from __future__ import annotations

import os
import platform
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Result:
    what: str
    ours: str
    theirs: str
    value: float  #: what the goal is about
    at_least: float | None = None
    below: float | None = None

    @property
    def met(self) -> bool:
        return (self.at_least is None or self.value >= self.at_least) and (
            self.below is None or self.value < self.below
        )

    @property
    def goal(self) -> str:
        return f"≥ {self.at_least:g}" if self.at_least is not None else f"< {self.below:g}"


def table(results: Iterable[Result]) -> str:
    lines = [("", "EtlPipeline", "compared with", "value", "goal", "")]
    lines += [(r.what, r.ours, r.theirs, f"{r.value:.2f}", r.goal, "met" if r.met else "MISSED") for r in results]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join([what.ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(cells, widths[1:], strict=True))])
        for what, *cells in lines
    )


def machine() -> str:
    """Where the figures were taken; only the ratios mean something elsewhere."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**3
    return (
        f"{processor()}, {os.cpu_count()} cores, {memory:.0f} GB, {platform.system()} {platform.release()},"
        f" Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}"
    )


def processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    return next((line.split(": ")[1] for line in lines if line.startswith("model name")), platform.machine())
