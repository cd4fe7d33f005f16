"""Reading a body of JSON: whole where it is short, as it arrives where it is long."""

from __future__ import annotations

from collections.abc import Iterator

from etl_service.extract.envelope import BOM, Envelope, Wanted, read_envelope, records_part
from etl_service.extract.errors import Place
from etl_service.extract.parts import NOT_JSON, PART, Part
from etl_service.extract.stream import JsonStream

#: A body up to here is collected before it is read; a longer one is read as it arrives.
THRESHOLD = 2**23


class JsonReader:
    """Takes a body in blocks and gives its records in parts: one for a short body, many for a long one.

    Both ways give the same records and the same envelope.
    """

    def __init__(self, wanted: Wanted, place: Place, *, threshold: int = THRESHOLD, part: int = PART) -> None:
        self.envelope = Envelope()  #: of the body, after `close`
        self._wanted = wanted
        self._place = place
        self._threshold = threshold
        self._part = part
        self._held = bytearray()
        self._stream: JsonStream | None = None

    def feed(self, block: bytes) -> Iterator[Part]:
        """Take a block; raises what `JsonStream.feed` does."""
        if self._stream is not None:
            yield from self._stream.feed(block)
            return
        self._held += block
        if len(self._held) > self._threshold:
            self._stream = JsonStream(self._wanted, self._place, part=self._part)
            yield from self._stream.feed(self._release())

    def close(self) -> Iterator[Part]:
        """Give what is left; raises what `JsonStream.close` does."""
        if self._stream is None:
            parts, self.envelope = read_whole(self._release(), self._wanted, self._place)
            yield from parts
        else:
            yield from self._stream.close()
            self.envelope = self._stream.envelope

    def _release(self) -> bytes:
        held = bytes(self._held)
        self._held.clear()
        return held


def read_whole(body: bytes, wanted: Wanted, place: Place) -> tuple[list[Part], Envelope]:
    """The records and the envelope of a body that is all there.

    A body in which some records are no JSON is read too: they are for the mapping to reject.

    Raises:
        Malformed: the body is no JSON as a whole.
        RecordsMissing, RecordsNotAnArray: there is no array where one should be.
    """
    body = body.removeprefix(BOM).strip()
    try:
        records, envelope = read_envelope(body, wanted)
        part = records_part(records, body, wanted, place)
    except NOT_JSON:
        stream = JsonStream(wanted, place)
        parts = [*stream.feed(body), *stream.close()]
        return parts, stream.envelope
    return [part] if part else [], envelope
