"""What lies beside the database: a pipeline's lock, the progress of its run, the wish to cancel it.

The lock is the operating system's, on a file: it goes with the process that holds it, so that a dead run is
seen at once. Progress and cancel are files of their own, so that neither waits for a merge.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import ValidationError

from etl_service.load.errors import Busy
from etl_service.model import Run

_LOOKS = 500
_PAUSE = 0.01


class Beside:
    """The files of one pipeline beside the database ``path``, in ``<path>.d/<namespace>.<name>/``."""

    def __init__(self, path: Path, pipeline: str) -> None:
        self.pipeline = pipeline
        self.folder = path.with_name(path.name + ".d") / pipeline.replace("/", ".")
        self.staging = self.folder / "staging.db"
        self._lock = self.folder / "lock"
        self._progress = self.folder / "progress.json"
        self._cancel = self.folder / "cancel"

    def lock(self) -> Lock:
        """Take the lock.

        Raises:
            Busy: a run holds it, and stays.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        holder = ""
        for _ in range(_LOOKS):
            with self._alone():
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    holder = os.pread(descriptor, 200, 0).decode()
                else:
                    lock = Lock(descriptor)
                    lock.name("")  # a dead run's is still there
                    return lock
            if holder:
                break
            time.sleep(_PAUSE)  # whoever has only just taken it, or lets go of it, has no name
        os.close(descriptor)
        raise Busy(self.pipeline, holder or "unknown")

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One at a time looks at the lock: whoever finds it taken finds no name but its holder's."""
        descriptor = os.open(self.folder, os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def publish(self, run: Run) -> None:
        fresh = self._progress.with_suffix(".new")
        fresh.write_text(run.model_dump_json())
        fresh.replace(self._progress)

    def progress(self) -> Run | None:
        try:
            return Run.model_validate_json(self._progress.read_bytes())
        except (OSError, ValidationError):
            return None

    def cancel(self, run_id: str) -> None:
        self._cancel.write_text(run_id)

    def cancelled(self, run_id: str) -> bool:
        try:
            return self._cancel.read_text() == run_id
        except OSError:
            return False

    def tidy(self) -> None:
        """Remove what a run left, dead or ended; only for who holds the lock."""
        for left in self.folder.iterdir():
            if left != self._lock:
                left.unlink(missing_ok=True)


class Lock:
    """A held lock, with the name of the run that holds it inside."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def name(self, run_id: str) -> None:
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, run_id.encode(), 0)

    def release(self) -> None:
        fcntl.flock(self._descriptor, fcntl.LOCK_UN)  # a forked child may have the descriptor, too
        os.close(self._descriptor)
