"""How a run is divided among workers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from etl_service.spec.base import Model, wrong
from etl_service.spec.request import ParamName, Scalar, as_text
from etl_service.spec.rule import Rule
from etl_service.spec.text import Items, Written

if TYPE_CHECKING:
    from etl_service.spec.extract import Extract

#: A run has no more partitions: its record tells of each.
MOST = 500

_DATE = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_TIME = f"{_DATE}T[0-9]{{2}}:[0-9]{{2}}:[0-9]{{2}}Z"


def _look_at_bound(text: str) -> None:
    if re.fullmatch(f"{_DATE}|{_TIME}", text):
        try:
            datetime.fromisoformat(text)
        except ValueError:
            raise wrong("is no day of the calendar, or no time of a day", _A_BOUND) from None


_A_BOUND = "write a whole number, a date like 2024-01-31, or a time like 2024-01-31T12:00:00Z"

Bound = Annotated[
    str,
    Written(
        "a number, a date or a time",
        _A_BOUND,
        f"-?[0-9]{{1,15}}|{_DATE}|{_TIME}",
        20,
        1,
        str,
        read=str,
        write=str,
        look=_look_at_bound,
        or_integer=True,
    ),
]
Step = Annotated[
    str,
    Written(
        "a step",
        "write a number for numbers, days like 7d for dates, and days, hours, minutes or seconds like 6h for times",
        "[1-9][0-9]{0,14}|[1-9][0-9]{0,4}[dhms]",
        16,
        1,
        str,
        read=str,
        write=str,
        or_integer=True,
    ),
]


@dataclass(frozen=True, slots=True)
class Kind:
    """Numbers, dates or times: each is a whole number on its own scale."""

    name: str
    read: Callable[[str], int]
    write: Callable[[int], str]
    units: Mapping[str, int]  #: the length of a step's unit

    def length(self, step: str) -> int | None:
        """Of a step; None where it measures something else."""
        digits = step.rstrip("dhms")
        unit = self.units.get(step[len(digits) :])
        return None if unit is None else int(digits) * unit


_NUMBERS = Kind("a number", int, str, {"": 1})
_DATES = Kind(
    "a date",
    lambda text: date.fromisoformat(text).toordinal(),
    lambda number: date.fromordinal(number).isoformat(),
    {"d": 1},
)
_TIMES = Kind(
    "a time",
    lambda text: int(datetime.fromisoformat(text).timestamp()),
    lambda number: f"{datetime.fromtimestamp(number, UTC).isoformat()[:19]}Z",
    {"d": 86_400, "h": 3600, "m": 60, "s": 1},
)


def kind_of(bound: str) -> Kind:
    if "T" in bound:
        return _TIMES
    return _DATES if bound.count("-") == 2 else _NUMBERS


def _other_than_one(partitions: Partitions) -> str | None:
    given = sum(way is not None for way in (partitions.count, partitions.values, partitions.from_))
    return None if given == 1 else "several" if given else "none"


def _of_ranges(partitions: Partitions) -> Iterator[str]:
    """What is set that only ranges have."""
    return (
        name
        for name, value in (
            ("to", partitions.to),
            ("step", partitions.step),
            ("toParam", partitions.to_param),
            ("inclusive", partitions.inclusive),
        )
        if value
    )


def _missing_of_ranges(partitions: Partitions) -> Iterator[str]:
    given = (("to", partitions.to), ("step", partitions.step))
    return (name for name, value in given if value is None and partitions.from_ is not None)


def _wrong_end(partitions: Partitions) -> str | None:
    if partitions.from_ is None or partitions.to is None:
        return None
    first, last = kind_of(partitions.from_), kind_of(partitions.to)
    if first is not last:
        return f"is {last.name}, and from is {first.name}"
    return None if first.read(partitions.from_) < last.read(partitions.to) else "does not come after from"


def _wrong_step(partitions: Partitions) -> str | None:
    if partitions.from_ is None or partitions.to is None or partitions.step is None or _wrong_end(partitions):
        return None
    kind = kind_of(partitions.from_)
    length = kind.length(partitions.step)
    if length is None:
        return f"is no length for {kind.name}"
    count = -(-(kind.read(partitions.to) - kind.read(partitions.from_)) // length)
    return f"makes {count:,} ranges, which is more than {MOST}" if count > MOST else None


# The API server compiles no rule that names a list of values of several types, save without types: dyn().
PARTITIONS_RULES: tuple[Rule[Partitions], ...] = (
    Rule(
        path="",
        message="sets {} of count, values and from",
        remedy="set one of them",
        breach=_other_than_one,
        cel="[has(self.count), has(dyn(self).values), has(self.from)].filter(one, one).size() == 1",
        in_general="none or several",
    ),
    Rule(
        path="param",
        message="is missing: each partition has a value of it, or a range",
        remedy="name the query parameter, such as category or since",
        breach=lambda partitions: partitions.param is None and (partitions.values or partitions.from_),
        cel="has(self.param) || !has(dyn(self).values) && !has(self.from)",
    ),
    Rule(
        path="",
        message="sets {}, which belongs to ranges, and no from",
        remedy="set from, to and step, or leave it out",
        breach=lambda partitions: next(_of_ranges(partitions), None) if partitions.from_ is None else None,
        cel="has(self.from) || !has(self.to) && !has(self.step) && !has(self.toParam) && "
        "!(has(self.inclusive) && self.inclusive)",
        in_general="a field",
    ),
    Rule(
        path="param",
        message="is set, and count divides the pages, whatever they are asked for",
        remedy="leave one of them out",
        breach=lambda partitions: partitions.param is not None and partitions.count is not None,
        cel="!has(self.param) || !has(self.count)",
    ),
    Rule(
        path="from",
        message="is set without {}",
        remedy="add it: a range has a beginning, an end and a step",
        breach=lambda partitions: next(_missing_of_ranges(partitions), None),
        cel="!has(self.from) || has(self.to) && has(self.step)",
        in_general="to or step",
    ),
    Rule(
        path="to",
        message="{}",
        remedy="write from and to alike, as numbers, dates or times, the later one last",
        breach=_wrong_end,
    ),
    Rule(
        path="step",
        message="{}",
        remedy="write it like 1000 for numbers, 7d for dates and 6h for times, for at most 500 ranges",
        breach=_wrong_step,
    ),
)


class Partitions(Model):
    """Divide a run among workers: by pages (count), by values of a parameter, or by ranges of one.

    On a cluster each partition is a pod of one Indexed Job, elsewhere a process. All of them load together, or
    nothing does.
    """

    count: int | None = Field(
        default=None,
        ge=2,
        le=MOST,
        description="Divide the pages into so many partitions; by page or offset, with the number of all records.",
    )
    param: ParamName | None = Field(
        default=None, description="Query parameter for a partition's value, or for where its range begins."
    )
    values: Annotated[Items[Scalar], Field(min_length=1, max_length=MOST)] | None = Field(
        default=None, description="A partition for each value of the parameter."
    )
    from_: Bound | None = Field(
        default=None, description="Where the first range begins: a whole number, a date, or a time in UTC."
    )
    to: Bound | None = Field(default=None, description="Where the last range ends; it is not part of it.")
    step: Step | None = Field(
        default=None, description="Length of a range: a number, or a time such as 7d. At most 500 ranges."
    )
    to_param: ParamName | None = Field(
        default=None, description="Query parameter for where a range ends. Default: it is not sent."
    )
    inclusive: bool = Field(
        default=False,
        description="Whether the source counts the end as part of a range, which is then sent one number, day or "
        "second earlier. Default: false.",
    )
    parallelism: int = Field(default=4, ge=1, le=100, description="Workers at a time, at most. Default: 4.")

    rules = PARTITIONS_RULES


@dataclass(frozen=True, slots=True)
class Share:
    """What one worker reads."""

    index: int  #: from 0
    name: str  #: for people: what sets it apart
    params: dict[str, str] = field(default_factory=dict)  #: that its requests have, beside others
    stride: int = 1  #: it reads a page and leaves out the next ``stride - 1``; its first page is the one of its index


def shares(extract: Extract) -> tuple[Share, ...]:
    """The partitions of a run, by their index; none where it is not divided."""
    wanted = extract.partitions
    if wanted is None:
        return ()
    if wanted.count is not None:
        every = f" and every {wanted.count}th after it"
        return tuple(Share(index, f"page {index + 1}{every}", stride=wanted.count) for index in range(wanted.count))
    assert wanted.param is not None
    if wanted.values is not None:
        asked = [{wanted.param: as_text(value)} for value in wanted.values]
    else:
        ends = (wanted.to_param,) if wanted.to_param else ()
        asked = [dict(zip((wanted.param, *ends), between, strict=False)) for between in ranges(wanted)]
    return tuple(
        Share(index, ", ".join(f"{name}={value}" for name, value in params.items()), params)
        for index, params in enumerate(asked)
    )


def ranges(wanted: Partitions) -> Iterator[tuple[str, str]]:
    """The ranges of a document that keeps the rules: each with its beginning and the end to send."""
    assert wanted.from_ is not None and wanted.to is not None and wanted.step is not None
    kind = kind_of(wanted.from_)
    first, end = kind.read(wanted.from_), kind.read(wanted.to)
    step = kind.length(wanted.step)
    assert step is not None
    while first < end:
        following = min(first + step, end)
        yield kind.write(first), kind.write(following - wanted.inclusive)
        first = following
