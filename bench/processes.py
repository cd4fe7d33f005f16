"""Programs run to their end, and programs kept running while others are measured."""

from __future__ import annotations

import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Finished:
    seconds: float
    megabytes: float  #: the most it ever held


class Program(subprocess.Popen[str]):
    """A Python that is running."""

    def __init__(self, arguments: Sequence[str], database: Path | None = None, *, stderr: int | None = None) -> None:
        self._began = time.perf_counter()
        environment = os.environ | ({"ETL_DATABASE": str(database)} if database else {})
        command = [sys.executable, *arguments]
        super().__init__(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=stderr, text=True)

    def finish(self) -> Finished:
        """Wait for its end.

        The kernel's figure for memory starts from that of whoever started the program: whoever measures stays small.
        """
        with self:
            said = self.stderr.read() if self.stderr else ""
            _, status, usage = os.wait4(self.pid, 0)
            seconds = time.perf_counter() - self._began
            self.returncode = os.waitstatus_to_exitcode(status)
        self.must_not_have_failed(said)
        return Finished(seconds, usage.ru_maxrss / 1024)

    def must_not_have_failed(self, said: str = "") -> None:
        if self.poll():
            raise SystemExit(f"{self.args!r} ended with {self.returncode}\n{said}")


def start(arguments: Sequence[str], database: Path | None = None) -> Program:
    """Start Python with these arguments; it sees no terminal, since drawing progress bars is not what is measured."""
    return Program(arguments, database, stderr=subprocess.PIPE)


def run(arguments: Sequence[str], database: Path | None = None) -> Finished:
    """Run Python with these arguments to its end."""
    return start(arguments, database).finish()


@contextmanager
def serving(arguments: Sequence[str], port: int, database: Path | None = None) -> Iterator[str]:
    """Keep Python with these arguments running; gives its URL once it listens."""
    with Program(arguments, database) as program:
        try:
            while not listens(port):
                program.must_not_have_failed()
                time.sleep(0.02)
            yield f"http://127.0.0.1:{port}"
        finally:
            program.terminate()


def listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def medians(repeat: int, *measures: Callable[[], float]) -> list[float]:
    """The median of each, taken in turns, so that what disturbs the machine disturbs all of them."""
    rounds = [[measure() for measure in measures] for _ in range(repeat)]
    return [statistics.median(values) for values in zip(*rounds, strict=True)]
