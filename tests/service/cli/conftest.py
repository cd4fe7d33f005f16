"""The command line, called in this process where that will do, and as a process of its own where it matters."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from etl_service.cli import main
from sources import memory
from sources.memory import MemorySource

SAMPLE = """\
apiVersion: etlpipeline.dev/v1alpha1
kind: EtlPipeline
metadata: {name: posts}
spec:
  extract: {url: "sample:posts"}
  transform:
    columns:
    - {name: id, type: integer, required: true}
    - {name: user_id, from: /userId, type: integer}
    - {name: title, type: text, clean: [strip]}
  load: {table: posts, key: [id]}
"""


@dataclass(frozen=True)
class Ended:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with the sample's pipeline in ``posts.yaml``."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("ETL_")]:
        monkeypatch.delenv(name)
    (tmp_path / "posts.yaml").write_text(SAMPLE)
    return tmp_path


@pytest.fixture
def etl(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Callable[..., Ended]]:
    """Call it: ``etl("run", "posts.yaml")``."""
    root, terminate = logging.getLogger(), signal.getsignal(signal.SIGTERM)
    handlers, level = root.handlers[:], root.level

    def etl(*arguments: str) -> Ended:
        monkeypatch.setattr(sys, "argv", ["etl", *arguments])
        try:
            main()
            code: Any = 0
        except SystemExit as exit:
            code = exit.code or 0
        out, err = capsys.readouterr()
        return Ended(code, out, err)

    yield etl
    logging.captureWarnings(False)
    root.handlers[:] = handlers
    root.setLevel(level)
    signal.signal(signal.SIGTERM, terminate)


@pytest.fixture
def source() -> Iterator[MemorySource]:
    """A source that answers when it is let, read by ``held.yaml``."""
    with memory.serving(MemorySource([{"id": 1, "userId": 1, "title": "one"}])) as source:
        yield source


@pytest.fixture
def held(folder: Path, source: MemorySource) -> Path:
    path = folder / "held.yaml"
    path.write_text(SAMPLE.replace("sample:posts", source.url))
    return path


@pytest.fixture
def start(folder: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start it as a process: ``start("run", "held.yaml")``; more are arguments of Popen."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str, **more: Any) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "etl_service", *arguments]
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=folder, **more
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()
