"""Why a run could not begin, or had to end."""

from __future__ import annotations

from etl_service.errors import RunError


class TooManyRejects(RunError):
    """More records did not fit than the document bears."""

    reason = "TooManyRejects"


class NothingToReplay(RunError):
    """There is no rejected record to load again."""

    reason = "NothingToReplay"


class AccountingMismatch(RunError):
    """The counts of a run do not add up: it must not be trusted, and nothing of it is kept."""

    reason = "AccountingMismatch"


class DocumentChanged(RunError):
    """The document is not what it was when the run began: its workers would not do the same."""

    reason = "DocumentChanged"


class NotBegun(RunError):
    """The worker that begins a run for all did not come."""

    reason = "NotBegun"


class PartitionLost(RunError):
    """The workers of a partition ended without a word, as often as they may."""

    reason = "PartitionLost"


class Suspended(RunError):
    """The document says that no run is to begin by itself or on request."""

    reason = "Suspended"

    def __init__(self, pipeline: str) -> None:
        super().__init__(
            f"pipeline {pipeline} is suspended; set spec.suspend to false, or run it by hand with `etl run`",
            field="spec.suspend",
        )


class RunElsewhere(RunError):
    """The workers of a run in partitions are not to be started by this service."""

    reason = "RunElsewhere"

    def __init__(self, command: str) -> None:
        super().__init__(
            f"this service does not start the workers of a run in partitions; ask for one with: {command}",
            field="spec.extract.partitions",
        )


class RunNotFound(RunError):
    """No run of that id is kept."""

    reason = "RunNotFound"

    def __init__(self, run_id: str) -> None:
        super().__init__(f"there is no run {run_id}; `etl runs` and GET /etl/runs list those that are kept")


class NotRunning(RunError):
    """A run that has ended cannot be cancelled."""

    reason = "NotRunning"

    def __init__(self, run_id: str, status: str) -> None:
        super().__init__(f"run {run_id} has ended already, as {status}; there is nothing to cancel")
