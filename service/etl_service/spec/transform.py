"""What becomes of a record."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from etl_service.spec.base import Model
from etl_service.spec.names import ColumnName
from etl_service.spec.rules import TRANSFORM_RULES
from etl_service.spec.text import Items, Pointer

ColumnType = Literal["integer", "number", "text", "boolean", "timestamp", "date", "json"]
Clean = Literal[
    "strip",
    "collapse_spaces",
    "lower",
    "upper",
    "empty_to_null",
    "placeholder_to_null",
    "strip_html",
    "strip_control",
    "normalize_unicode",
    "milliseconds",
]
OnError = Literal["quarantine", "skip", "fail"]


def _same_name(column: dict[str, Any]) -> str:
    return f"/{column['name']}"


class ColumnSpec(Model):
    """A column of the table, and the field of the record that fills it."""

    name: ColumnName = Field(
        description="Name of the column: letters a to z, digits and _, at most 63 characters, no word of SQL's own."
    )
    from_: Pointer = Field(
        default_factory=_same_name,
        description="JSON Pointer to the field in the record. Default: the top-level field of the column's name.",
    )
    type: ColumnType = Field(
        description="Type of the column: integer (64 bits), number, text, boolean, timestamp (kept in UTC), date, json."
    )
    required: bool = Field(
        default=False,
        description="Whether a record without the field, or with null there, is rejected. Default: false.",
    )
    clean: Annotated[Items[Clean], Field(max_length=16)] = Field(
        default=(),
        description="Steps of cleaning, in order, before text is converted: strip, collapse_spaces, lower, upper, "
        "empty_to_null, placeholder_to_null (n/a, none, -), strip_html, strip_control, normalize_unicode (NFC), "
        "milliseconds (divides by 1000). Default: none.",
    )


class Transform(Model):
    """The mapping: what becomes of a record."""

    columns: Annotated[Items[ColumnSpec], Field(min_length=1, max_length=256)] | None = Field(
        default=None,
        description="Columns of the table. Default: every top-level field is a column, named in snake_case, its type "
        "inferred; new fields add columns.",
    )
    on_error: OnError = Field(
        default="quarantine",
        description="What becomes of a record that does not fit: quarantine keeps it with the reason, skip counts it, "
        "fail ends the run. Default: quarantine.",
    )
    max_errors: int = Field(
        default=100,
        ge=0,
        le=1_000_000,
        description="More records than that which do not fit fail the run. Default: 100.",
    )

    rules = TRANSFORM_RULES
