"""What an incremental run asks for."""

from __future__ import annotations

import pytest

from etl_service.extract import errors
from sources.hostile import answers, posts

SINCE = {"column": "updated_at", "param": "since", "start": "2024-01-01"}


@pytest.mark.parametrize(
    ("cursor", "lookback", "sent"),
    [
        (None, None, "2024-01-01"),
        (None, "1h", "2024-01-01"),  # the start is sent as it is written
        ("2024-03-01T00:30:00.000000Z", None, "2024-03-01T00:30:00.000000Z"),
        ("2024-03-01T00:30:00.000000Z", "1h", "2024-02-29T23:30:00.000000Z"),
        ("2024-03-01T00:30:00.250000Z", "500ms", "2024-03-01T00:29:59.750000Z"),
        ("2024-03-01T00:30:00+02:00", "1h", "2024-02-29T21:30:00.000000Z"),
        ("2024-03-01 00:30:00", "1h", "2024-02-29T23:30:00.000000Z"),
        ("2024-03-01", None, "2024-03-01"),
        ("2024-03-01", "1h", "2024-02-29"),
        ("2024-03-01", "24h", "2024-02-29"),
        ("2024-03-01", "25h", "2024-02-28"),
        (4711, None, "4711"),
        (47.5, None, "47.5"),
        ("abc", None, "abc"),
    ],
)
def test_the_source_is_asked_from_the_cursor_on_less_the_lookback(serve, read, cursor, lookback, sent):
    server = serve({"/posts": answers(posts(1, 3))})
    incremental = SINCE | ({"lookback": lookback} if lookback else {})

    read(url=server.url + "/posts", incremental=incremental, cursor=cursor)

    assert server.requests[0].query == {"since": sent}


@pytest.mark.parametrize("cursor", [4711, "abc", "0001-01-01", ""])
def test_a_lookback_from_what_is_no_time_is_an_error(read, cursor):
    with pytest.raises(errors.LookbackImpossible, match="updated_at"):
        read(url="http://127.0.0.1:9/", incremental=SINCE | {"lookback": "1h"}, cursor=cursor)


def test_each_page_is_asked_from_the_cursor_on(serve, read):
    async def handler(exchange):
        await answers(posts(exchange.number, exchange.number) if exchange.number < 3 else [])(exchange)

    server = serve({"/posts": handler})

    read(url=server.url + "/posts", incremental=SINCE, pagination={"page": {}}, cursor="2024-03-01")

    assert [exchange.query["since"] for exchange in server.requests] == ["2024-03-01"] * 3
