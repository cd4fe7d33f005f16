"""Reading lines of JSON (NDJSON, JSON Lines) as they arrive."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from etl_service import jsontext
from etl_service.extract.envelope import BOM, Envelope
from etl_service.extract.errors import Place, RecordTooLarge
from etl_service.extract.parts import NOT_JSON, PART, RECORD_LIMIT, Malformed, Part

_prove = msgspec.json.Decoder(msgspec.Raw).decode

#: What a value begins with, those included that JSON does not have but some writers do: NaN and Infinity.
_BEGINNINGS = b'[{"-0123456789tfnNI'

#: How much of a bad line a message shows.
_SHOWN = 60


class LineReader:
    """Gives each line that is not blank as a record."""

    def __init__(self, place: Place, *, part: int = PART, record_limit: int = RECORD_LIMIT) -> None:
        self.envelope = Envelope()  #: there is none
        self._place = place
        self._part = part
        self._record_limit = record_limit
        self._held = bytearray()
        self._lines = 0
        self._enough = part

    def feed(self, block: bytes | memoryview) -> Iterator[Part]:
        """Take a block; give the lines that are complete where enough have come together.

        Raises:
            Malformed: a line is no JSON value, nor one that has a mistake within; the message names it.
            RecordTooLarge: a line is longer than can be held.
        """
        self._held += block
        if len(self._held) < self._enough:
            return
        end = self._held.rfind(b"\n") + 1
        lines = bytes(self._held[:end])
        del self._held[:end]
        if len(self._held) > self._record_limit:
            raise RecordTooLarge(f"line {self._lines + 1} is longer than {self._record_limit} bytes", self._place)
        self._enough = len(self._held) + self._part
        yield from self._join(lines)

    def close(self) -> Iterator[Part]:
        """Give the lines that are left.

        Raises:
            Malformed: as in `feed`; ``truncated`` if it is the last line and has no end.
        """
        yield from self._join(bytes(self._held))

    def _join(self, text: bytes) -> Iterator[Part]:
        if not self._lines:
            text = text.removeprefix(BOM)
        lines = [line.strip() for line in text.split(b"\n")]
        records = [line for line in lines if line]
        try:
            for record in records:
                _prove(record)
        except NOT_JSON:
            self._judge(lines)
        self._lines += len(lines) - 1
        if records:
            yield Part(b"[" + b",".join(records) + b"]", len(records))

    def _judge(self, lines: list[bytes]) -> None:
        """Let lines pass that are one value with a mistake within, such as NaN; those are for the mapping to reject."""
        for number, line in enumerate(lines):
            if line and not _is_one_value(line):
                shown = line[:_SHOWN].decode(errors="replace")
                # what follows the last line break is blank, unless the body ends within a line
                truncated = number == len(lines) - 1
                raise Malformed(f"line {self._lines + number + 1} is not JSON: {shown}", truncated=truncated)


def _is_one_value(line: bytes) -> bool:
    try:
        return line[0] in _BEGINNINGS and jsontext.split(b"[" + line + b"]") == [line]
    except ValueError:
        return False
