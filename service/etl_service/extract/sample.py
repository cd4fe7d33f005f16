"""The sample: a hundred posts, the same every time, a few of them as dirty as posts are."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any

import msgspec

from etl_service.extract.body import Allowance, decoded
from etl_service.extract.envelope import Wanted
from etl_service.extract.errors import Place
from etl_service.extract.page import Answer, Page, open_page
from etl_service.extract.pagination import Request

#: What is wrong with which post, by its place. Under a mapping with integers for id and userId, three do not fit.
_DIRT: dict[int, dict[str, Any]] = {
    7: {"title": "  two  spaces,\tand a tab  "},
    12: {"id": "12"},  # a text that is an integer
    23: {"id": None},  # does not fit where an id is required
    31: {"body": None},
    42: {"userId": "abc"},  # does not fit
    55: {"body": "<p>Some <b>HTML</b> &amp; an entity</p>"},
    64: {"id": 64.5},  # does not fit
    78: {"title": "", "body": "   "},
    89: {"userId": "9", "title": "Żółć — naïve café 日本 🙂"},
}


def posts() -> list[dict[str, Any]]:
    """userId, id, title and body, like the posts of jsonplaceholder."""
    return [_post(number) | _DIRT.get(number, {}) for number in range(1, 101)]


@dataclass(frozen=True, slots=True)
class SampleFetch:
    """Gives the sample as one page, the way a body from elsewhere is read."""

    wanted: Wanted
    allowance: Allowance

    async def __call__(self, request: Request, number: int) -> Page:
        place = Place(request.url, number)
        body = decoded(_body(), "", place, self.allowance)
        return await open_page(Answer(place=place, url=request.url, body=body, close=_nothing), self.wanted)


async def _body() -> AsyncGenerator[bytes, None]:
    yield msgspec.json.encode(posts())


async def _nothing() -> None:
    pass


_WORDS = """
harbour lantern quiet orchard river copper winter meadow signal thread marble candle ladder forest paper
engine garden silver morning village anchor cloud window bridge season feather stone market summer valley
""".split()


def _post(number: int) -> dict[str, Any]:
    return {
        "userId": (number - 1) // 10 + 1,
        "id": number,
        "title": " ".join(_words(number, 3 + number % 4)),
        "body": "\n".join(" ".join(_words(number * 7 + line, 6)).capitalize() + "." for line in range(3)),
    }


def _words(seed: int, count: int) -> list[str]:
    """Words that look chosen at random and are not; 17 has no divisor in common with their number."""
    return [_WORDS[(seed * seed + 17 * place + seed) % len(_WORDS)] for place in range(count)]
