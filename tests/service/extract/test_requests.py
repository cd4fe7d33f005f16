"""What is sent, when, how often, and what becomes of it."""

from __future__ import annotations

import asyncio
import json

import pytest

import etl_service
from etl_service.extract import errors
from etl_service.extract.limiter import Limiter
from sources.hostile import Exchange, answers, ends_early, in_turn, posts, redirects, resets, resets_within, status

# what is sent


def test_a_request_says_who_asks_and_what_can_be_read(serve, read):
    server = serve({"/posts": answers(posts(1, 3))})

    read(url=server.url + "/posts", headers={"X-Tenant": "t", "accept": "application/vnd.api+json"})

    headers = server.requests[0].headers
    assert headers["user-agent"] == f"etlpipeline/{etl_service.__version__}"
    assert headers["accept-encoding"] == "gzip, br"
    assert headers["accept"] == "application/vnd.api+json"
    assert headers["x-tenant"] == "t"


def test_a_post_has_its_body_on_each_page(serve, read):
    server = serve({"/search": in_turn(answers(posts(1, 3)), answers([]))})

    read(url=server.url + "/search", method="POST", body={"query": "é"}, pagination={"page": {}})

    assert [exchange.method for exchange in server.requests] == ["POST", "POST"]
    assert [json.loads(exchange.body) for exchange in server.requests] == [{"query": "é"}] * 2
    assert server.requests[0].headers["content-type"] == "application/json"


def test_a_post_without_a_body_has_none(serve, read):
    server = serve({"/search": answers(posts(1, 3))})

    read(url=server.url + "/search", method="POST")

    assert server.requests[0].body == b""


def test_cookies_are_not_kept(serve, read):
    page = answers(posts(1, 3), headers={"Set-Cookie": "session=1"})
    server = serve({"/posts": in_turn(page, answers([]))})

    read(url=server.url + "/posts", pagination={"page": {}})

    assert "cookie" not in server.requests[1].headers


# redirects


@pytest.mark.parametrize(
    ("code", "method", "then"),
    [
        (301, "GET", "GET"),
        (302, "GET", "GET"),
        (307, "GET", "GET"),
        (301, "POST", "GET"),
        (302, "POST", "GET"),
        (303, "POST", "GET"),
        (307, "POST", "POST"),
        (308, "POST", "POST"),
    ],
)
def test_a_redirect_keeps_the_method_where_the_standard_has_it_so(serve, read, code, method, then):
    server = serve({"/posts": redirects("/v2", code), "/v2": answers(posts(1, 3))})
    body = {"body": {"q": 1}} if method == "POST" else {}

    assert read(url=server.url + "/posts", method=method, **body) == posts(1, 3)

    last = server.requests[-1]
    assert last.method == then
    assert last.body == (b'{"q":1}' if then == "POST" else b"")
    assert read.chunks[0].url == server.url + "/posts"
    assert read.stats.requests == {str(code): 1, "200": 1}


def test_ten_redirects_are_followed(serve, read):
    hops = {f"/{hop}": redirects(f"/{hop + 1}") for hop in range(10)}
    server = serve({**hops, "/10": answers(posts(1, 3))})

    assert read(url=server.url + "/0") == posts(1, 3)


def test_eleven_redirects_are_too_many(serve, read):
    server = serve({f"/{hop}": redirects(f"/{hop + 1}") for hop in range(20)})

    with pytest.raises(errors.TooManyRedirects, match="more than 10 redirects"):
        read(url=server.url + "/0")
    assert len(server.requests) == 11


def test_a_redirect_that_leads_nowhere_named_is_refused_as_an_answer(serve, read):
    server = serve({"/posts": status(302)})

    with pytest.raises(errors.SourceRefused, match="answered 302"):
        read(url=server.url + "/posts")


# retries


@pytest.mark.parametrize("code", [408, 425, 429, 500, 502, 503, 504])
def test_what_may_pass_is_tried_again(serve, read, code):
    server = serve({"/posts": in_turn(status(code), status(code), answers(posts(1, 3)))})

    assert read(url=server.url + "/posts") == posts(1, 3)

    assert read.stats.retries == 2
    assert read.stats.requests == {str(code): 2, "200": 1}
    assert read.slept == [0.5, 1]  # half of a limit that doubles


@pytest.mark.parametrize("code", [400, 401, 403, 404, 405, 410, 422, 451])
def test_what_will_not_pass_is_not(serve, read, code):
    server = serve({"/posts": status(code)})

    with pytest.raises(errors.SourceRefused, match=f"answered {code}") as caught:
        read(url=server.url + "/posts")

    assert caught.value.status == code
    assert len(server.requests) == 1


@pytest.mark.parametrize("broken", [resets, resets_within, ends_early, answers(b'[{"id": 1}, {"id"')], ids=range(4))
def test_a_page_that_did_not_arrive_whole_is_asked_for_again(serve, read, broken):
    server = serve({"/posts": in_turn(broken, answers(posts(1, 3)))})

    assert read(url=server.url + "/posts") == posts(1, 3)
    assert read.stats.retries == 1


def test_retries_end_and_the_error_says_how_often_it_was_tried(serve, read):
    server = serve({"/posts": status(503)})

    with pytest.raises(errors.SourceFailed, match=r"answered 503 .*\(tried again 3 times\)"):
        read(url=server.url + "/posts", limits={"retries": 3})
    assert len(server.requests) == 4


def test_pauses_grow_no_further_than_a_minute(serve, read):
    server = serve({"/posts": status(503)})

    with pytest.raises(errors.SourceFailed):
        read(url=server.url + "/posts", limits={"retries": 10})
    assert read.slept == [0.5, 1, 2, 4, 8, 16, 30, 30, 30, 30]


@pytest.mark.parametrize("value", ["7", "07", " 7 "])
def test_a_source_is_left_alone_for_as_long_as_it_asks(serve, read, value):
    server = serve({"/posts": in_turn(status(503, Retry_After=value), answers(posts(1, 3)))})

    read(url=server.url + "/posts")

    assert read.slept == [pytest.approx(7, abs=0.1)]  # time goes by between the answer and the pause


@pytest.mark.parametrize("value", ["soon", "-1", "", "Wed, 99 Foo 2024"])
def test_a_wait_that_cannot_be_read_is_as_if_there_were_none(serve, read, value):
    server = serve({"/posts": in_turn(status(503, Retry_After=value), answers(posts(1, 3)))})

    read(url=server.url + "/posts")

    assert read.slept == [0.5]


def test_a_wait_until_a_moment_that_has_passed_is_none(serve, read):
    server = serve({"/posts": in_turn(status(429, Retry_After="Wed, 21 Oct 2015 07:28:00 GMT"), answers(posts(1, 3)))})

    read(url=server.url + "/posts")

    assert sum(read.slept) == 0


def test_a_wait_that_is_out_of_proportion_ends_the_run_at_once(serve, read):
    server = serve({"/posts": status(429, Retry_After="86400")})

    with pytest.raises(errors.RateLimited, match=r"asks to wait for 86400 s; .*requestsPerSecond"):
        read(url=server.url + "/posts")
    assert read.slept == []


# where nobody answers


@pytest.mark.parametrize("host", ["127.0.0.1:9", "no-such-host.invalid"])
def test_a_host_that_cannot_be_reached_is_an_error_with_the_cause(read, host):
    with pytest.raises(errors.SourceUnreachable, match=f"page 1 of http://{host}/posts: .*tried again once"):
        read(url=f"http://{host}/posts", limits={"retries": 1})
    assert read.stats.requests == {"error": 2}


# the limiter


def test_requests_are_spaced_evenly_first_come_first_served():
    moment = 100.0
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    async def turns() -> None:
        nonlocal moment
        limiter = Limiter(4, now=lambda: moment, sleep=sleep)
        await asyncio.gather(*(limiter.turn() for _ in range(4)))
        moment += 10
        await limiter.turn()

    asyncio.run(turns())

    assert slept == [0.25, 0.5, 0.75]  # the first and the last had nobody before them


def test_every_request_has_its_turn_retries_too(serve, read):
    server = serve({"/posts": in_turn(answers(posts(1, 3)), status(500), answers(posts(4, 6)), answers([]))})

    read(url=server.url + "/posts", pagination={"page": {}}, limits={"requestsPerSecond": 0.01})

    assert [round(seconds, -2) for seconds in read.slept if seconds > 1] == [100, 200, 300]


def test_no_limit_is_no_wait(serve, read):
    async def three_pages(exchange: Exchange) -> None:
        await answers(posts(exchange.number, exchange.number) if exchange.number < 4 else [])(exchange)

    read(url=serve({"/posts": three_pages}).url + "/posts", pagination={"page": {}})

    assert read.slept == []
