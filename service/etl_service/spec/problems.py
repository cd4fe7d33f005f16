"""What is wrong with a document, all of it, in a human's words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from etl_service.errors import SpecError

#: Steps from the document's root: names of fields, keys of maps, indices of lists.
Location = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, where, and what to do about it."""

    path: str  #: in the document's own terms, ``spec.transform.columns[2].name``; empty is the document as a whole
    message: str  #: reads on from the path: "is not a duration"
    remedy: str
    line: int | None = None  #: in the document's text, from 1, where that is known

    def __str__(self) -> str:
        where = f"line {self.line}: " if self.line else ""
        return f"{where}{self.path or 'the document'} {self.message}; {self.remedy}"


class SpecInvalid(SpecError):
    """A document that says something that cannot be done."""

    def __init__(self, name: str, problems: Sequence[Problem]) -> None:
        lines = "".join(f"\n  {problem}" for problem in problems)
        super().__init__(f"{name} is not a pipeline that can be run:{lines}", field=problems[0].path or None)
        self.name = name
        self.problems = tuple(problems)


def path_of(location: Location) -> str:
    """Write a place as ``spec.transform.columns[2].name``."""
    path = ""
    for step in location:
        if isinstance(step, int):
            path += f"[{step}]"
        elif re.fullmatch(r"[\w-]+", step):
            path += f".{step}" if path else step
        else:
            path += f'["{step}"]'
    return path
