"""From what Pydantic finds to problems that a human can read: no value is repeated, since it may be a secret."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from types import NoneType
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from etl_service.spec.problems import Location, Problem, path_of


def located_problems(error: ValidationError, model: type[BaseModel]) -> list[tuple[Location, Problem]]:
    """Every error as a problem, with its place in the document that was read as this model."""
    found = []
    for details in error.errors(include_url=False):
        if not _follows(details):
            location = tuple(step for step in details["loc"] if step != "[key]")
            found.append((location, Problem(path_of(location), *_said(details, location, model))))
    return found


def _follows(details: ErrorDetails) -> bool:
    """Whether an error only follows from others: no pointer of a wrong name, no entries but wrong ones."""
    if details["type"] == "too_short":
        return bool(details["input"])
    return details["type"] == "default_factory_not_called"


def _said(details: ErrorDetails, location: Location, model: type[BaseModel]) -> tuple[str, str]:
    """The message and the remedy."""
    context = details.get("ctx", {})
    match details["type"]:
        case "wrong":
            return context["message"], context["remedy"]
        case "missing":
            return "is missing", f"add it: {_described(location, model)}"
        case "extra_forbidden":
            return _unknown(str(location[-1]), _fields(location[:-1], model))
        case "literal_error":
            expected = context["expected"].replace("'", "")
            return f"must be {expected}", "write one of these"
        case "json_invalid":
            return "is nested too deeply", "write fewer levels"
        case kind if kind in _BOUNDS:
            message, remedy = _BOUNDS[kind]
            return message.format(**context), remedy.format(**context)
        case kind if kind in _TYPES:
            return _mistyped(_TYPES[kind], details["input"])
    return "cannot be used", _described(location, model)


_TYPES = {
    "string_type": "text",
    "bool_type": "true or false",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "finite_number": "a number",
    "dict_type": "a map",
    "model_type": "a map",
    "model_attributes_type": "a map",
    "list_type": "a list",
    "tuple_type": "a list",
}

_BOUNDS = {
    "greater_than": ("must be more than {gt}", "write a larger number"),
    "greater_than_equal": ("must be at least {ge}", "write a larger number"),
    "less_than_equal": ("must be at most {le}", "write a smaller number"),
    "string_too_short": ("is empty", "write something"),
    "string_too_long": ("has more than {max_length} characters", "shorten it"),
    "too_short": ("is empty", "write at least {min_length}, or leave the field out"),
    "too_long": ("has more than {max_length} entries", "leave some out"),
}


def _mistyped(wanted: str, given: object) -> tuple[str, str]:
    kind = next(name for types, name in _KINDS if isinstance(given, types))
    message = f"must be {wanted}, and is {kind}"
    if wanted == "text" and isinstance(given, bool):
        return message, "put it in quotes; without, YAML takes yes, no, on, off, y and n for true and false"
    if wanted == "text" and isinstance(given, int | float):
        return message, "put it in quotes"
    if wanted in ("a whole number", "a number", "true or false") and isinstance(given, str):
        return message, "write it without quotes"
    return message, f"write {wanted}"


_KINDS: tuple[tuple[type | tuple[type, ...], str], ...] = (
    (bool, "true or false"),
    ((int, float), "a number"),
    (str, "text"),
    (list, "a list"),
    (dict, "a map"),
    (object, "nothing"),
)


def _unknown(name: str, fields: Mapping[str, FieldInfo]) -> tuple[str, str]:
    close = difflib.get_close_matches(_bare(name), {_bare(field): field for field in fields}, n=1, cutoff=0.6)
    similar = next((field for field in fields if close and _bare(field) == close[0]), None)
    remedy = f"did you mean {similar}?" if similar else f"the fields here are {', '.join(fields) or 'none'}"
    return "is no field that is known here", remedy


def _bare(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "")


def _described(location: Location, model: type[BaseModel]) -> str:
    """The first sentence of the field's description."""
    field = _fields(location[:-1], model).get(str(location[-1])) if location else None
    description = (field.description if field else None) or "see the schema"
    return description.partition(". ")[0].removesuffix(".")


def _fields(location: Location, model: type[BaseModel]) -> dict[str, FieldInfo]:
    """The fields that a place of the document has, by the names that it has for them."""
    annotation: Any = model
    for step in location:
        annotation = _inside(_plain(annotation), step)
    plain = _plain(annotation)
    return _by_alias(plain) if isinstance(plain, type) and issubclass(plain, BaseModel) else {}


def _inside(annotation: Any, step: str | int) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        field = _by_alias(annotation).get(str(step))
        return field.annotation if field else None
    if get_origin(annotation) is tuple:
        return get_args(annotation)[0]
    return None


def _plain(annotation: Any) -> Any:
    """Without Annotated, and without None."""
    if get_origin(annotation) is Annotated:
        return _plain(get_args(annotation)[0])
    members = get_args(annotation)
    if NoneType in members:
        return _plain(next(member for member in members if member is not NoneType))
    return annotation


def _by_alias(model: type[BaseModel]) -> dict[str, FieldInfo]:
    return {field.alias or name: field for name, field in model.model_fields.items()}
