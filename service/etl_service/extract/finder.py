"""Finding an array in a text that is still arriving."""

from __future__ import annotations

import re

import msgspec

from etl_service.extract.envelope import Pointer
from etl_service.extract.parts import NOT_JSON

#: As `jsontext.TOKEN`, and colons. A string that has not ended yet goes to the end of the text, and has no group.
_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:(")|\\?\Z)|[\[\]{},:]', re.DOTALL)


class _Level:
    """An object or array on the way to the pointer, open."""

    def __init__(self, token: str, *, is_array: bool) -> None:
        self.token = token
        self.index = 0 if is_array else None
        #: The value that comes is the one on the way.
        self.here = is_array and token == "0"  # nosec B105 # a token of a JSON pointer

    def key(self, string: bytes) -> None:
        self.here = self.index is None and _text(string) == self.token

    def comma(self) -> None:
        if self.index is not None:
            self.index += 1
            self.here = str(self.index) == self.token


class Finder:
    """Follows a pointer through a text, bracket by bracket.

    It believes what it sees: that the text is well-formed is for others to prove.
    """

    def __init__(self, pointer: Pointer) -> None:
        self._pointer = pointer
        self._levels: list[_Level] = []
        self._aside = 0  #: how many brackets are open beside the way
        self._at = 0
        self._string = b""

    def find(self, text: bytes | bytearray) -> int | None:
        """Where the array's opening bracket is; None so far. ``text`` is the last one and what has come since."""
        for token in _TOKEN.finditer(text, self._at):
            mark = token[0][:1]
            if mark == b'"':
                if token[1] is None:
                    return None
                self._string = token[0]
            elif mark in b"[{":
                if self._opens(mark):
                    return token.start()
            elif mark in b"]}":
                self._closes()
            elif self._levels and not self._aside:
                if mark == b":":
                    self._levels[-1].key(self._string)
                else:
                    self._levels[-1].comma()
            self._at = token.end()
        return None

    def _opens(self, mark: bytes) -> bool:
        """Whether this is the array."""
        on_the_way = not self._aside and (not self._levels or self._levels[-1].here)
        if not on_the_way:
            self._aside += 1
        elif len(self._levels) < len(self._pointer):
            self._levels.append(_Level(self._pointer[len(self._levels)], is_array=mark == b"["))
        elif mark == b"[":
            return True
        else:
            self._aside += 1
        return False

    def _closes(self) -> None:
        if self._aside:
            self._aside -= 1
        elif self._levels:
            self._levels.pop()


def is_open(text: bytes) -> bool:
    """Whether the text looks like JSON that lacks its end."""
    depth = 0
    for token in _TOKEN.finditer(text):
        mark = token[0][:1]
        if mark == b'"' and token[1] is None:
            return True
        depth += (mark in b"[{") - (mark in b"]}")
    return depth > 0


def _text(string: bytes) -> str | None:
    """What a string says; None where it is none."""
    try:
        return msgspec.json.decode(string, type=str)
    except NOT_JSON:
        return None
