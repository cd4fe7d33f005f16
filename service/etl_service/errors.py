"""The family of errors: each says what happened, where, and carries its stable reason."""

from __future__ import annotations

from typing import ClassVar


class EtlError(Exception):
    """Something that a user can act on.

    ``reason`` is the stable word that run records, REST and conditions carry; the message says what
    happened, where, and what to do. Neither ever holds a secret.
    """

    reason: ClassVar[str] = "Error"

    def __init__(self, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.field = field


class SpecError(EtlError):
    """The pipeline document says something that cannot be done."""

    reason = "InvalidSpec"


class ExtractError(EtlError):
    """The source did not give what the document promises of it."""

    reason = "ExtractFailed"


class TransformError(EtlError):
    """Records that the mapping cannot take."""

    reason = "TransformFailed"


class LoadError(EtlError):
    """The store could not take the rows."""

    reason = "LoadFailed"


class RunError(EtlError):
    """A run that could not begin, or had to end."""

    reason = "RunFailed"
