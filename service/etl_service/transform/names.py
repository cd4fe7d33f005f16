"""Names of columns made from the keys of records, where the document names none."""

from __future__ import annotations

import re
from collections.abc import Iterable
from hashlib import sha256
from typing import Final
from unicodedata import combining, normalize

from etl_service.spec.words import ADDED, HIDDEN, SQL

LONGEST_NAME: Final = 63  #: PostgreSQL cuts off the rest


def column_name(key: str) -> str:
    """The name for a key by itself: ASCII, snake_case, nothing that SQL or the engine has taken.

    ``userId`` gives user_id, ``HTTPServer`` http_server, ``2nd Name`` _2nd_name, ``größe`` grosse, ``order`` order_.
    """
    name = key if _IS_NAME.fullmatch(key) else _snake_case(key)
    if name in SQL:
        name += "_"
    elif name in ADDED | HIDDEN:
        name = f"source_{name.strip('_')}"
    if len(name) > LONGEST_NAME:
        name = f"{name[: LONGEST_NAME - 9]}_{sha256(key.encode()).hexdigest()[:8]}"
    return name


class Names:
    """The names of a run's columns: a key keeps the name that it was given, and no two have the same."""

    def __init__(self, spelled: Iterable[str]) -> None:
        """``spelled`` are names that exist, and whose case counts: SQL does not tell ``ID`` from ``id``."""
        self._spelling = {name.lower(): name for name in spelled}
        self._by_key: dict[str, str] = {}
        self._taken: set[str] = set()

    def __contains__(self, key: str) -> bool:
        return key in self._by_key

    def __getitem__(self, key: str) -> str:
        return self._by_key[key]

    def give(self, keys: Iterable[str]) -> None:
        """Name new keys, the same way in whatever order they come.

        Among keys of one name, the one that is written so has it; the others are numbered in their order as text.
        """
        for key in sorted(keys, key=lambda key: (column_name(key) != key, key)):
            name = self._free(column_name(key))
            self._taken.add(name)
            self._by_key[key] = self._spelling.get(name, name)

    def _free(self, name: str) -> str:
        free, number = name, 1
        while free in self._taken:
            number += 1
            free = f"{name[: LONGEST_NAME - 1 - len(str(number))]}_{number}"
        return free


_IS_NAME = re.compile(r"[a-z_][a-z0-9_]*")
_WORD_BEGINS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_LETTERS = str.maketrans(dict(zip("ßæÆœŒøØłŁ", "ss ae AE oe OE o O l L".split(), strict=True)))


def _snake_case(key: str) -> str:
    plain = "".join(map(_ascii, normalize("NFKD", key.translate(_LETTERS)))).strip()
    words = _WORD_BEGINS.sub("_", plain).lower()
    name = re.sub("[^a-z0-9]+", "_", words).rstrip("_")
    if not name:
        name = "_".join(map(_code, key)) or "empty"
    return f"_{name}" if name[0].isdecimal() else name


def _ascii(character: str) -> str:
    if character.isascii():
        return character
    if combining(character):
        return ""
    return f" {_code(character)} " if character.isalnum() else "_"


def _code(character: str) -> str:
    return f"u{ord(character):04x}"
