"""YAML as Kubernetes reads it, with the line of everything in it.

Kubernetes turns YAML into JSON by the rules of go-yaml 2, which are those of YAML 1.1 save for dates and numbers of
base 60: both stay text. What it would lose or change in silence (keys that come twice, keys that are no text, tags)
is refused here.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, field
from typing import TypeAlias

import yaml

from etl_service.spec.problems import Location

#: What JSON can say.
Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | float | bool | None"


class NotYaml(ValueError):
    """Text that is no YAML, or not what JSON can say."""

    def __init__(self, message: str, remedy: str, line: int | None, location: Location = ()) -> None:
        super().__init__(message)
        self.message, self.remedy, self.line, self.location = message, remedy, line, location


@dataclass(slots=True)
class Document:
    """One of the documents of a text."""

    value: Json
    lines: dict[Location, int] = field(default_factory=dict)  #: where each field begins, from 1

    def line(self, location: Location) -> int | None:
        """The line of a field, or of the nearest that is there around it."""
        while location not in self.lines and location:
            location = location[:-1]
        return self.lines.get(location)


def documents(text: str) -> list[Document]:
    """Read all documents of a text but the empty ones; JSON is read too.

    Raises:
        NotYaml: with the line.
    """
    if text.lstrip().startswith("{") and (value := _json(text)) is not None:
        return [Document(value)]
    try:
        _measure(text)
        read = [_document(node) for node in yaml.compose_all(text, _Loader)]
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        what = ", ".join(filter(None, (error.context, error.problem)))
        raise NotYaml(f"is not YAML: {what}", "correct it there", mark.line + 1 if mark else None) from None
    except (yaml.YAMLError, UnicodeEncodeError):
        raise NotYaml("is not YAML: it holds a control character", "leave the character out", None) from None
    except RecursionError:
        raise NotYaml("is nested too deeply", "write fewer levels", None) from None
    return [document for document in read if document.value is not None]


def _measure(text: str) -> None:
    """Refuse what is nested so deeply that composing it would end the process: libyaml's stack has no guard."""
    depth = 0
    for event in yaml.parse(text, _Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > _DEEPEST:
            raise RecursionError


_DEEPEST = 100


class _Loader(getattr(yaml, "CBaseLoader", yaml.BaseLoader)):  # type: ignore[misc]
    """Composes nodes; only marks the scalars that are plain, since quotes make text of anything."""


_PLAIN = "plain"
_Loader.add_implicit_resolver(_PLAIN, re.compile(""), None)


def _json(text: str) -> Json:
    """The value of JSON; None for what is not quite JSON, of which YAML may make something."""
    try:
        value: Json = json.loads(text, object_pairs_hook=_unique, parse_float=_number, parse_constant=_number)
    except (ValueError, RecursionError):
        return None
    return value


def _unique(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    if len(dict(pairs)) < len(pairs):
        raise ValueError("a key comes twice")
    return dict(pairs)


def _document(root: yaml.Node) -> Document:
    document = Document(None)
    document.value = _Reader(document.lines).value(root, ())
    return document


class _Reader:
    """Makes values of nodes, and notes their lines."""

    def __init__(self, lines: dict[Location, int]) -> None:
        self.lines = lines
        self.read = 0

    def value(self, node: yaml.Node, at: Location) -> Json:
        self.lines.setdefault(at, node.start_mark.line + 1)
        self.read += 1
        # An alias can stand for aliases that stand for aliases: a few lines for more than any memory.
        if self.read > _MOST_VALUES:
            raise NotYaml("holds too many values", "write a smaller document", _line(node), at)
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node, at)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(child, (*at, index)) for index, child in enumerate(node.value)]
        return _scalar(node, at)

    def mapping(self, node: yaml.MappingNode, at: Location) -> dict[str, Json]:
        found: dict[str, Json] = {}
        merged: dict[str, Json] = {}
        for key_node, value_node in node.value:
            if key_node.tag == _PLAIN and key_node.value == "<<":
                merged = {**self.merged(value_node, at), **merged}
                continue
            key = _key(key_node, at)
            if key in found:
                raise NotYaml("comes twice", "keep one of them", _line(key_node), (*at, key))
            self.lines[(*at, key)] = _line(key_node)
            found[key] = self.value(value_node, (*at, key))
        return {**merged, **found}

    def merged(self, node: yaml.Node, at: Location) -> dict[str, Json]:
        """What ``<<`` brings in: a map, or several, of which the first has precedence."""
        maps = node.value if isinstance(node, yaml.SequenceNode) else [node]
        values: dict[str, Json] = {}
        for child in maps:
            if not isinstance(child, yaml.MappingNode):
                raise NotYaml("merges something that is no map", "merge maps", _line(node), (*at, "<<"))
            values = {**self.mapping(child, at), **values}
        return values


_MOST_VALUES = 50_000


def _key(node: yaml.Node, at: Location) -> str:
    key = _scalar(node, at) if isinstance(node, yaml.ScalarNode) else None
    if not isinstance(key, str):
        raise NotYaml("has a key that is no text", "put the key in quotes", _line(node), at)
    return key


def _scalar(node: yaml.Node, at: Location) -> Json:
    if node.tag == "tag:yaml.org,2002:str":
        return str(node.value)
    if node.tag != _PLAIN:
        raise NotYaml("has a tag", "write the value without one", _line(node), at)
    try:
        return plain(node.value)
    except ValueError as error:
        raise NotYaml(f"is {error}, which JSON does not have", "write a number", _line(node), at) from None


def plain(text: str) -> Json:
    """What a scalar without quotes says.

    Raises:
        ValueError: an infinity, or not a number.
    """
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in "+-.0123456789":
        return text
    digits = text if text[0] == "." else text.replace("_", "")
    if _INTEGER.fullmatch(digits):
        return int(digits, 0) if not _OCTAL.fullmatch(digits) else int(digits, 8)
    if _FLOAT.fullmatch(digits) and math.isfinite(float(digits)):
        return _number(digits)
    if _ENDLESS.fullmatch(text):
        raise ValueError(text)
    return text


_WORDS: dict[str, bool | None] = {
    **dict.fromkeys("y Y yes Yes YES true True TRUE on On ON".split(), True),
    **dict.fromkeys("n N no No NO false False FALSE off Off OFF".split(), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
}
_INTEGER = re.compile(r"[-+]?(0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO]?[0-7]+|0|[1-9][0-9]*)")
_OCTAL = re.compile("[-+]?0[0-7]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_ENDLESS = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")


def _number(text: str) -> int | float:
    """A float, or the integer that it is: Go writes both in the same way, up to 1e21."""
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return int(number) if number.is_integer() and abs(number) < 1e21 else number


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1
