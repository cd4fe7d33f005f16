"""A rule that fields of a document keep between them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from pydantic.alias_generators import to_camel

M = TypeVar("M")


@dataclass(frozen=True, slots=True)
class Rule(Generic[M]):
    """One check of a model, small and pure, with what to say where it fails.

    What else can state the rule stands beside it, so that a document is refused alike wherever it is read.
    """

    path: str  #: the field at fault, in the document's terms, seen from the model; empty is the model itself
    message: str  #: ``{}`` stands for the breach
    remedy: str
    breach: Callable[[M], object]  #: what is at fault; anything false where the rule is kept
    schema: Mapping[str, Any] = field(default_factory=dict)  #: the JSON Schema keywords that say the same
    cel: str = ""  #: the same in CEL, where ``self`` is the model as the document has it: true where the rule is kept
    in_general: str = ""  #: what the message says for a breach where it cannot tell which

    @property
    def location(self) -> tuple[str, ...]:
        return tuple(self.path.split(".")) if self.path else ()

    @property
    def validation(self) -> dict[str, str]:
        """The rule as a CRD states it, with the message that the model gives."""
        message = f"{self.message.format(self.in_general)}; {self.remedy}"
        return {"rule": self.cel, "message": message, **({"fieldPath": f".{self.path}"} if self.path else {})}


def not_both(one: str, other: str) -> Rule[Any]:
    """Of two optional fields among others, one may be set."""
    return _union((one, other), {"not": {"required": [to_camel(one), to_camel(other)]}})


def at_most_one(*members: str) -> Rule[Any]:
    """A union: a model of nothing but optional fields, of which one may be set."""
    return _union(members, {"maxProperties": 1})


def at_least_one(*members: str) -> Rule[Any]:
    """A union of which one must be set."""
    return Rule(
        path="",
        message=f"sets none of {_listed(members, 'and')}",
        remedy=f"set {_listed(members, 'or')}",
        breach=lambda model: not _set(model, members),
        schema={"minProperties": 1},
        cel=f"{_set_in_cel(members)}.exists(one, one)",
    )


def _union(members: tuple[str, ...], schema: dict[str, Any]) -> Rule[Any]:
    def several(model: object) -> str | None:
        given = _set(model, members)
        return _listed(given, "and") if len(given) > 1 else None

    return Rule(
        path="",
        message="sets {}, of which only one may be set",
        remedy="keep one of them",
        breach=several,
        schema=schema,
        cel=f"{_set_in_cel(members)}.filter(one, one).size() <= 1",
        in_general=_listed(members, "and"),
    )


def _set(model: object, members: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(member for member in members if getattr(model, member) is not None)


def _set_in_cel(members: tuple[str, ...]) -> str:
    return f"[{', '.join(f'has(self.{to_camel(member)})' for member in members)}]"


def _listed(members: tuple[str, ...], last: str) -> str:
    names = [to_camel(member) for member in members]
    return f"{', '.join(names[:-1])} {last} {names[-1]}"
