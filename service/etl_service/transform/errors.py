"""Errors of the transformation: one that is about a record, and those that end the run."""

from __future__ import annotations

from etl_service.errors import TransformError
from etl_service.model import Chunk


class Unfit(ValueError):
    """A record, or one value of it, that the mapping cannot take; what becomes of it is for ``onError`` to say.

    ``field`` is the column at fault; where it is None, the record as a whole is.
    """

    def __init__(self, reason: str, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.field = field


class RecordRefused(TransformError):
    """A record that does not fit, where the pipeline says ``onError: fail``."""

    reason = "RecordRefused"

    def __init__(self, chunk: Chunk, index: int, unfit: Unfit) -> None:
        what = f"column {unfit.field}: {unfit.message}" if unfit.field else unfit.message
        super().__init__(
            f"record {index} of page {chunk.page} ({chunk.url}) does not fit, {unfit.reason}: {what}; "
            "mend the mapping, or let transform.onError be quarantine",
            field=unfit.field,
        )


class NotAnArray(TransformError):
    """What should be an array of records is something else, or ends too early."""

    reason = "NotAnArray"

    def __init__(self, chunk: Chunk) -> None:
        super().__init__(
            f"page {chunk.page} of {chunk.url} has no whole array of records from record {chunk.index} on; "
            "check extract.records"
        )


class TooManyColumns(TransformError):
    """Records whose fields are data, not columns: objects keyed by an id or a date."""

    reason = "TooManyColumns"

    def __init__(self, chunk: Chunk, limit: int) -> None:
        super().__init__(
            f"page {chunk.page} of {chunk.url} brings the fields of its records to more than {limit}; "
            "name the columns to load in transform.columns"
        )
