"""What tables and columns may be called."""

from __future__ import annotations

import re
import unicodedata
from typing import Annotated, Literal

from etl_service.spec.base import wrong
from etl_service.spec.text import Written, plain_text
from etl_service.spec.words import ADDED, HIDDEN, ROUTES, SQL

Kind = Literal["table", "column", "schema"]


def name_problem(name: str, kind: Kind) -> tuple[str, str] | None:
    """Why a table or column cannot be called so, and what to do about it; None where it can.

    The same for SQLite and PostgreSQL, so that a pipeline can move from one to the other.
    """
    lower = name.lower()
    if not re.fullmatch(_IDENTIFIER, name):
        return f"is no name for a {kind}: it {_stranger(name)}", _HOW
    if lower in SQL:
        return f"is a word of SQL's own: {name}", f"call it {name}_, or another name"
    if prefix := next((prefix for prefix in _PREFIXES[kind] if lower.startswith(prefix)), None):
        return f"begins with {prefix}, which is kept for the database and the engine", "choose another name"
    if kind == "table" and lower in ROUTES:
        return f"is a path of the service's own: /{lower}", f"call it {name}_rows, or another name"
    if kind == "column" and lower in ADDED:
        return f"is a column that every row is given: {lower}", f"call it source_{lower}, or another name"
    if kind == "column" and lower in HIDDEN:
        return f"is a hidden column of the database: {lower}", f"call it source_{lower.strip('_')}, or another name"
    return None


_IDENTIFIER = "[A-Za-z_][A-Za-z0-9_]*"
_HOW = "write letters a to z, digits and _, with no digit first"
_PREFIXES: dict[Kind, tuple[str, ...]] = {
    "table": ("etl_", "sqlite_", "pg_"),
    "column": (),
    "schema": ("pg_", "information_schema"),
}


def _stranger(name: str) -> str:
    """What does not belong: by its name, since it may look as if it did."""
    stranger = next((mark for mark in name if not re.match("[A-Za-z0-9_]", mark)), None)
    if stranger is None:
        return "begins with a digit" if name else "is empty"
    if stranger.isascii():
        return f"has {stranger!r} in it"
    return f"has {unicodedata.name(stranger, 'an unnamed character')} (U+{ord(stranger):04X}) in it"


def _named(kind: Kind) -> Written[str]:
    def look(text: str) -> None:
        if problem := name_problem(text, kind):
            raise wrong(*problem)

    # PostgreSQL keeps 63 characters of a name, and silently forgets the rest.
    return plain_text(f"the name of a {kind}", _HOW, _IDENTIFIER, 63, 1, look)


TableName = Annotated[str, _named("table")]
ColumnName = Annotated[str, _named("column")]
SchemaName = Annotated[str, _named("schema")]
