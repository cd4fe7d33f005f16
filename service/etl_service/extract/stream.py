"""Reading a body as it arrives, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from etl_service.extract.envelope import BOM, Envelope, Text, Wanted, read_envelope, records_part
from etl_service.extract.errors import EnvelopeTooLarge, Place, RecordsNotAnArray
from etl_service.extract.finder import Finder, is_open
from etl_service.extract.parts import NOT_JSON, PART, RECORD_LIMIT, Malformed, Part, Splitter

#: What a body may hold beside its records.
ENVELOPE_LIMIT = 2**23

#: Stands for the records where the rest of a body is read; no source has this text.
_RECORDS = b'"c0a7a5d2-6d0f-4f5e-9c7e-0f8f3b1f7d11"'

#: What a JSON text may begin with.
_BEGINNINGS = b'[{"-0123456789tfn'


class JsonStream:
    """Finds the records in a body, gives them in parts, and keeps the rest for the envelope.

    An object that has the member twice that leads to the records is an error: the first ones have been given away
    when the second are seen.
    """

    def __init__(
        self,
        wanted: Wanted,
        place: Place,
        *,
        part: int = PART,
        record_limit: int = RECORD_LIMIT,
        envelope_limit: int = ENVELOPE_LIMIT,
    ) -> None:
        self.envelope = Envelope()  #: of the body, after `close`
        self._wanted = wanted
        self._place = place
        self._part = part
        self._limit = envelope_limit
        self._finder = Finder(wanted.records)
        self._splitter = Splitter(place, part=part, record_limit=record_limit)
        self._head, self._tail = bytearray(), bytearray()
        self._begun = self._found = False
        self._looked = 0  # how long the head was when the records were last looked for
        self._take: Callable[[bytes | memoryview], Iterator[Part]] = self._before

    def feed(self, block: bytes | memoryview) -> Iterator[Part]:
        """Take a block; give the parts that are complete.

        Raises:
            Malformed: the body will be no JSON, whatever comes.
            RecordTooLarge, EnvelopeTooLarge: more than can be held.
        """
        for start in range(0, len(block), self._part):
            yield from self._take(block[start : start + self._part])

    def close(self) -> Iterator[Part]:
        """Give what is left, and read the envelope.

        Raises:
            Malformed: the body is no JSON as a whole.
            RecordsMissing, RecordsNotAnArray: there is no array where one should be.
        """
        if not self._found:
            yield from self._look()
        if self._found and not self._splitter.ended:
            yield from self._splitter.close()
            self._tail += self._splitter.rest
        skeleton = bytes(self._head + (_RECORDS if self._found else b"") + self._tail).removeprefix(BOM).strip()
        if not skeleton:
            raise Malformed("the body is empty")
        try:
            records, self.envelope = read_envelope(skeleton, self._wanted)
            part = None if self._stands_in(records) else records_part(records, skeleton, self._wanted, self._place)
        except NOT_JSON as error:
            raise Malformed("the body is not JSON", truncated=is_open(skeleton)) from error
        if part is not None:
            yield part

    def _before(self, block: bytes | memoryview) -> Iterator[Part]:
        """Take what comes before the records."""
        self._begin(block)
        self._head += block
        # looking may begin again with a long text that has not ended, so it is done ever more seldom
        if len(self._head) >= min(2 * self._looked, self._limit):
            yield from self._look()

    def _begin(self, block: bytes | memoryview) -> None:
        """Refuse at once what begins like no JSON, rather than when all of it has come."""
        if not self._begun:
            beginning = bytes(block).lstrip(BOM + b" \t\r\n")
            if beginning and beginning[0] not in _BEGINNINGS:
                raise Malformed("the body is not JSON")
            self._begun = bool(beginning)

    def _look(self) -> Iterator[Part]:
        """Find the records, and go on to take them."""
        self._looked = len(self._head)
        bracket = self._finder.find(self._head)
        if bracket is None:
            self._bound()
            return
        self._found = True
        self._take = self._within
        rest = bytes(self._head[bracket + 1 :])
        del self._head[bracket:]
        yield from self._within(rest)

    def _within(self, block: bytes | memoryview) -> Iterator[Part]:
        yield from self._splitter.feed(block)
        if self._splitter.ended:
            self._take = self._after
            yield from self._after(self._splitter.rest)

    def _after(self, block: bytes | memoryview) -> Iterator[Part]:
        self._tail += block
        self._bound()
        yield from ()

    def _bound(self) -> None:
        if len(self._head) + len(self._tail) > self._limit:
            what = f"the body has more than {self._limit} bytes beside its records"
            raise EnvelopeTooLarge(what, self._place)

    def _stands_in(self, records: Text | None) -> bool:
        """Whether the records that were given away are those that the whole body has."""
        if self._found and (records is None or bytes(records) != _RECORDS):
            raise RecordsNotAnArray("the member that leads to the records is there twice", self._place)
        return self._found
