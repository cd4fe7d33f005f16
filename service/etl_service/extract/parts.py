"""Cutting a JSON array, as it arrives, into smaller arrays of whole records."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from etl_service.extract.errors import Place, RecordTooLarge

#: How much of an array makes a part: small enough to hold several, large enough for a part to cost nothing.
PART = 2**20

#: The longest record that is waited for.
RECORD_LIMIT = 2**24

#: What msgspec raises over text that is no JSON, or too deep for it.
NOT_JSON = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

_STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'

#: As far as the next bracket; or, between records, the next bracket or comma. No match means that the text ends before.
_WITHIN = re.compile(rb'[^"\[\]{}]*+(?:' + _STRING + rb'[^"\[\]{}]*+)*+[\[\]{}]', re.DOTALL)
_BETWEEN = re.compile(rb'[^"\[\]{},]*+(?:' + _STRING + rb'[^"\[\]{},]*+)*+[\[\]{},]', re.DOTALL)

#: The end of a record, the comma, and the beginning of the next record as far as its first key.
_SEAM = re.compile(rb"[\]}]\s*+(,)\s*+(?:\{\s*+" + _STRING + rb"|\[)", re.DOTALL)

_COMMA, _OPENING = ord(","), b"[{"

#: How many seams to try: a wrong one costs a twentieth of a search at most.
_GUESSES = 8

_elements = msgspec.json.Decoder(list[msgspec.Raw]).decode


class Malformed(ValueError):
    """The text is no JSON, not even with records that are none; ``truncated`` where it only lacks its end."""

    def __init__(self, what: str, *, truncated: bool = False) -> None:
        super().__init__(what)
        self.truncated = truncated


@dataclass(frozen=True, slots=True)
class Part:
    """Consecutive records: the text of a JSON array, and how many there are.

    The parts' texts without their brackets, joined by commas, are the whole array's text without its brackets.
    """

    array: bytes | memoryview
    count: int


def count_records(array: bytes | memoryview | msgspec.Raw) -> int:
    """The number of elements of an array, which proves that it is well-formed; raises one of `NOT_JSON`."""
    return len(_elements(array))


class Splitter:
    """Takes the text that follows an array's opening bracket, in blocks, and gives it back in parts.

    Where to cut is guessed first: at the last place that looks like the seam between two earlier records. If
    everything before it is a well-formed array, the guess was right, since JSON can be read in one way only; and
    parsing is twenty times as fast as looking at each bracket. Where no guess holds, each bracket is looked at,
    which also cuts out records that no parser takes, as `jsontext.split` does.
    """

    def __init__(self, place: Place, *, part: int = PART, record_limit: int = RECORD_LIMIT) -> None:
        self.ended = False  #: whether the array's end has been found
        self.rest = b""  #: what follows it
        self._place = place
        self._part = part
        self._record_limit = record_limit
        self._records = 0
        self._seam, self._seam_comma = b"", 0
        self._enough = part
        self._hold(b"")

    def feed(self, block: bytes | memoryview) -> Iterator[Part]:
        """Take a block, unless the array has ended; give a part where enough has come together.

        Raises:
            RecordTooLarge: a record is longer than can be held.
            Malformed: there is nothing between two commas.
        """
        self._held += block
        if len(self._held) < self._enough:
            return
        part = self._next()
        if part is not None:
            yield part
        elif not self.ended:
            if len(self._held) > self._record_limit:
                what = f"record {self._records + 1} is longer than {self._record_limit} bytes"
                raise RecordTooLarge(what, self._place)
            self._enough = len(self._held) + self._part

    def close(self) -> Iterator[Part]:
        """Give what is left when no more is to come.

        Raises:
            Malformed: the array does not end, or there is nothing between two commas.
        """
        while not self.ended and (part := self._next()) is not None:
            yield part
        if not self.ended:
            raise Malformed(f"the text ends within record {self._passed + 1}", truncated=True)

    def _hold(self, text: bytes | bytearray) -> None:
        """Begin a part with ``text``, which stands after the opening bracket or a comma."""
        self._held = bytearray(b"[") + text
        self._enough = len(self._held) + self._part
        self._at, self._depth = 1, 0  # where the search goes on
        self._comma, self._commas = 0, 0  # the last comma between records, and how many there were

    def _next(self) -> Part | None:
        return self._guess() or self._search()

    def _guess(self) -> Part | None:
        """Cut at the last seam, if that is one."""
        if not self._seam or self._at > 1:
            return None
        seam = len(self._held)
        for _ in range(_GUESSES):
            seam = self._held.rfind(self._seam, 0, seam)
            if seam < 0:
                return None
            comma = seam + self._seam_comma
            self._held[comma : comma + 1] = b"]"
            try:
                count = count_records(memoryview(self._held)[: comma + 1])
            except NOT_JSON:
                self._held[comma : comma + 1] = b","
            else:
                return self._give(comma, count)
        return None

    def _search(self) -> Part | None:
        """Look at each bracket from where the last search ended; cut at the array's end or the last comma."""
        closed, learnt = 0, False
        while token := (_WITHIN if self._depth else _BETWEEN).match(self._held, self._at):
            self._at = token.end()
            mark, position = self._held[self._at - 1], self._at - 1
            if mark in _OPENING:
                self._depth += 1
            elif mark == _COMMA:
                self._separate(position)
                learnt = learnt or self._learn(closed)
            elif self._depth:
                self._depth -= 1
                closed = position
            else:
                return self._end(position)
        if not self._comma:
            return None
        self._held[self._comma : self._comma + 1] = b"]"
        return self._give(self._comma, self._commas)

    def _separate(self, comma: int) -> None:
        if self._blank(self._comma + 1, comma):
            raise Malformed(f"there is nothing before the comma after record {self._passed}")
        self._comma = comma
        self._commas += 1

    def _learn(self, closed: int) -> bool:
        """Remember how one record ends and the next begins."""
        seam = _SEAM.match(self._held, closed)
        if seam:
            self._seam, self._seam_comma = seam[0], seam.start(1) - closed
        return seam is not None

    def _end(self, bracket: int) -> Part | None:
        if self._held[bracket : bracket + 1] != b"]":
            raise Malformed(f"there is a closing brace too many after record {self._passed}")
        blank = self._blank(self._comma + 1, bracket)
        if blank and self._passed:
            raise Malformed(f"there is nothing after the comma after record {self._passed}")
        self.ended, self.rest = True, bytes(self._held[bracket + 1 :])
        return None if blank else Part(memoryview(self._held)[: bracket + 1], self._commas + 1)

    def _give(self, comma: int, count: int) -> Part:
        """Part with what is held up to the comma, which has become the closing bracket."""
        held = self._held
        self._records += count
        self._hold(held[comma + 1 :])
        return Part(memoryview(held)[: comma + 1], count)

    def _blank(self, start: int, end: int) -> bool:
        return not self._held[start:end].strip()

    @property
    def _passed(self) -> int:
        """How many records are complete."""
        return self._records + self._commas
