"""Credentials reach the source, nobody else, and no message."""

from __future__ import annotations

import asyncio
import json
import logging
from base64 import b64encode
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs

import pytest

from etl_service.extract import errors
from etl_service.extract.auth import ClientCredentials
from etl_service.spec import OAuth2, Secret
from sources.hostile import Exchange, Handler, answers, in_turn, posts, redirects, status

SECRET = "s3cret/+ é"
TOKEN = {"env": "TOKEN"}


def basic(user: str, password: str) -> str:
    return "Basic " + b64encode(f"{user}:{password}".encode()).decode()


# the four kinds


def test_a_bearer_token_is_sent(serve, read):
    server = serve({"/posts": answers(posts(1, 3))})
    read.secrets = {"TOKEN": "abc.def"}

    assert read(url=server.url + "/posts", auth={"bearer": {"token": TOKEN}}) == posts(1, 3)

    assert server.requests[0].headers["authorization"] == "Bearer abc.def"


def test_a_name_and_a_password_are_sent(serve, read):
    server = serve({"/posts": answers(posts(1, 3))})
    read.secrets = {"TOKEN": SECRET}

    read(url=server.url + "/posts", auth={"basic": {"username": "ann", "password": TOKEN}})

    assert server.requests[0].headers["authorization"] == basic("ann", SECRET)


def test_a_key_is_sent_in_its_header(serve, read):
    server = serve({"/posts": answers(posts(1, 3))})
    read.secrets = {"TOKEN": "key"}

    read(url=server.url + "/posts", auth={"apiKey": {"name": "X-Api-Key", "value": TOKEN}})

    assert server.requests[0].headers["x-api-key"] == "key"


def test_a_key_is_sent_in_its_parameter_with_each_page_and_is_in_no_url_that_is_kept(serve, read):
    async def handler(exchange: Exchange) -> None:
        page = int(exchange.query.get("page", 1))
        # sources write the key into the links that they give
        target = f"/posts?key={exchange.query['key'].replace('+', '%2B')}&page={page + 1}" if page < 3 else None
        await exchange.send(200, json.dumps({"data": posts(page, page), "next": target}).encode())

    server = serve({"/posts": handler})
    read.secrets = {"TOKEN": SECRET}

    records = read(
        url=server.url + "/posts?sort=id",
        records="/data",
        auth={"apiKey": {"name": "key", "in": "query", "value": TOKEN}},
        pagination={"nextUrl": {"path": "/next"}},
    )

    assert records == posts(1, 3)
    assert [exchange.query["key"] for exchange in server.requests] == [SECRET] * 3
    assert [chunk.url.removeprefix(server.url) for chunk in read.chunks] == [
        "/posts?sort=id",
        "/posts?key=***&page=2",
        "/posts?key=***&page=3",
    ]


@pytest.mark.parametrize("secret", ["two\nlines", "é", "tab\t"])
def test_a_secret_that_a_header_cannot_hold_is_refused_and_not_shown(read, secret):
    read.secrets = {"TOKEN": secret}

    with pytest.raises(errors.SecretUnusable, match=r"spec\.extract\.auth\.bearer\.token") as caught:
        read(url="http://127.0.0.1:9/", auth={"bearer": {"token": TOKEN}})

    assert secret not in str(caught.value)


@pytest.mark.parametrize("way", ["header", "query"])
def test_no_log_has_a_secret_however_much_is_logged(serve, read, caplog, way):
    caplog.set_level(logging.DEBUG)
    server = serve({"/posts": redirects("/v2?key=s3cret-key"), "/v2": answers(posts(1, 3))})
    read.secrets = {"TOKEN": "s3cret-key"}

    read(url=server.url + "/posts", auth={"apiKey": {"name": "key", "in": way, "value": TOKEN}})

    assert "s3cret" not in caplog.text


# what a source says to it


@pytest.mark.parametrize("code", [401, 403])
def test_who_is_not_let_in_is_told_where_to_look_without_the_secret(serve, read, code):
    server = serve({"/posts": answers({"error": "bad key s3cret-key"}, status=code)})
    read.secrets = {"TOKEN": "s3cret-key"}

    with pytest.raises(errors.SourceRefused, match=r"bad key \*\*\*.*check extract\.auth") as caught:
        read(url=server.url + "/posts", auth={"apiKey": {"name": "k", "in": "query", "value": TOKEN}})

    assert caught.value.status == code
    assert "s3cret" not in str(caught.value)
    assert read.stats.retries == 0


def test_a_body_that_is_not_json_is_shown_without_the_secret_that_it_repeats(serve, read):
    page = b"<html>" + b"x" * 60 + b" no such key: s3cret-key-that-is-long"
    read.secrets = {"TOKEN": "s3cret-key-that-is-long"}

    with pytest.raises(errors.WrongContent) as caught:
        read(url=serve({"/posts": answers(page)}).url + "/posts", auth=AUTHS["bearer"])

    assert "s3c" not in str(caught.value)


# other hosts


AUTHS = {
    "bearer": {"bearer": {"token": TOKEN}},
    "basic": {"basic": {"username": "ann", "password": TOKEN}},
    "header": {"apiKey": {"name": "X-Api-Key", "value": TOKEN}},
    "query": {"apiKey": {"name": "key", "in": "query", "value": TOKEN}},
}


@pytest.fixture(params=AUTHS)
def auth(request):
    return AUTHS[request.param]


def carries_something(exchange: Exchange) -> bool:
    credentials = {"authorization", "x-api-key", "x-tenant"} & exchange.headers.keys()
    return bool(credentials or "key" in exchange.query)


def test_a_redirect_to_another_host_takes_no_credentials_along(serve, read, auth):
    elsewhere = serve({"/posts": answers(posts(1, 3))})
    source = serve({"/posts": redirects(elsewhere.url + "/posts")})
    read.secrets = {"TOKEN": "s3cret"}

    assert read(url=source.url + "/posts", auth=auth, headers={"X-Tenant": "t"}) == posts(1, 3)

    assert carries_something(source.requests[0])
    assert not carries_something(elsewhere.requests[0])


def test_a_redirect_within_the_host_takes_them_along(serve, read, auth):
    source = serve({"/posts": redirects("/v2/posts"), "/v2/posts": answers(posts(1, 3))})
    read.secrets = {"TOKEN": "s3cret"}

    read(url=source.url + "/posts", auth=auth)

    assert all(carries_something(exchange) for exchange in source.requests)


def test_once_a_redirect_has_left_the_host_credentials_stay_at_home_though_it_returns(serve, read, auth):
    routes: dict[str, Handler] = {"/admin": answers(posts(1, 3))}
    source = serve(routes)
    elsewhere = serve({"/posts": redirects(source.url + "/admin")})
    routes["/posts"] = redirects(elsewhere.url + "/posts")
    read.secrets = {"TOKEN": "s3cret"}

    read(url=source.url + "/posts", auth=auth)

    assert [carries_something(exchange) for exchange in source.requests] == [True, False]


def test_a_next_url_on_another_host_gets_no_credentials(serve, read, auth):
    elsewhere = serve({"/posts": answers({"data": posts(4, 6)})})
    source = serve({"/posts": answers({"data": posts(1, 3), "next": elsewhere.url + "/posts"})})
    read.secrets = {"TOKEN": "s3cret"}

    extract = {"records": "/data", "pagination": {"nextUrl": {"path": "/next"}}, "headers": {"X-Tenant": "t"}}
    assert read(url=source.url + "/posts", auth=auth, **extract) == posts(1, 6)

    assert not carries_something(elsewhere.requests[0])


def test_who_is_not_let_in_elsewhere_is_told_that_credentials_were_left_out(serve, read):
    elsewhere = serve({"/posts": status(401)})
    source = serve({"/posts": redirects(elsewhere.url + "/posts")})
    read.secrets = {"TOKEN": "s3cret"}

    with pytest.raises(errors.SourceRefused, match=f"left out.*{elsewhere.url}/posts.*extract.url"):
        read(url=source.url + "/posts", auth=AUTHS["bearer"])


# OAuth 2


OAUTH2 = {"clientId": "me@x", "clientSecret": TOKEN, "scopes": ["read", "all"]}


def tokens(*lifetimes: int | str | None) -> Handler:
    """The tokens token-1, token-2 and so on, each with its lifetime; the last one again and again."""

    async def handler(exchange: Exchange) -> None:
        lifetime = lifetimes[min(exchange.number, len(lifetimes)) - 1]
        token = {"access_token": f"token-{exchange.number}", "token_type": "bearer", "expires_in": lifetime}
        await exchange.send(200, json.dumps(token).encode())

    return handler


def only_for(token: str) -> Handler:
    async def handler(exchange: Exchange) -> None:
        allowed = exchange.headers.get("authorization") == f"Bearer {token}"
        page = int(exchange.query.get("page", 1))
        await (answers(posts(page, page) if page < 4 else []) if allowed else status(401))(exchange)

    return handler


def oauth2(server):
    return {"oauth2": {"tokenUrl": server.url + "/token", **OAUTH2}}


def test_a_token_is_fetched_once_and_used_for_all_pages(serve, read):
    server = serve({"/token": tokens(3600), "/posts": only_for("token-1")})
    read.secrets = {"TOKEN": SECRET}

    assert read(url=server.url + "/posts", auth=oauth2(server), pagination={"page": {}}) == posts(1, 3)

    [asked] = server.asked("/token")
    assert asked.method == "POST"
    assert asked.headers["authorization"] == basic("me%40x", "s3cret%2F%2B+%C3%A9")
    assert parse_qs(asked.body.decode()) == {"grant_type": ["client_credentials"], "scope": ["read all"]}


@pytest.mark.parametrize("lifetime", [100, "100"], ids=["number", "text"])
def test_a_token_is_fetched_again_before_it_expires(serve, read, lifetime):
    seconds = 0
    read.clock = lambda: datetime(2024, 5, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    seen: list[str] = []

    async def handler(exchange: Exchange) -> None:
        nonlocal seconds
        seconds += 30
        seen.append(exchange.headers["authorization"])
        await answers(posts(exchange.number, exchange.number) if exchange.number < 4 else [])(exchange)

    server = serve({"/token": tokens(lifetime), "/posts": handler})
    read.secrets = {"TOKEN": "s3cret"}

    read(url=server.url + "/posts", auth=oauth2(server), pagination={"page": {}})

    assert seen == ["Bearer token-1", "Bearer token-1", "Bearer token-1", "Bearer token-2"]


def test_a_token_that_is_refused_is_fetched_again_once(serve, read):
    server = serve({"/token": tokens(None), "/posts": only_for("token-2")})
    read.secrets = {"TOKEN": "s3cret"}

    assert read(url=server.url + "/posts", auth=oauth2(server), pagination={"page": {}}) == posts(1, 3)
    assert len(server.asked("/token")) == 2
    assert read.stats.requests == {"200": 6, "401": 1}


def test_a_token_that_is_refused_again_is_an_error(serve, read):
    server = serve({"/token": tokens(3600), "/posts": status(401)})
    read.secrets = {"TOKEN": "s3cret"}

    with pytest.raises(errors.SourceRefused, match="401"):
        read(url=server.url + "/posts", auth=oauth2(server))
    assert len(server.asked("/token")) == 2


def test_many_requests_at_a_time_share_one_token(serve, read):
    async def handler(exchange: Exchange) -> None:
        await asyncio.sleep(0.02)
        page = int(exchange.query["page"])
        allowed = exchange.headers["authorization"] == ("Bearer token-1" if page == 1 else "Bearer token-2")
        body = {"data": posts(page * 10 - 9, page * 10), "total": 80}
        await (answers(body) if allowed else status(401))(exchange)

    server = serve({"/token": tokens(3600), "/posts": handler})
    read.secrets = {"TOKEN": "s3cret"}

    records = read(
        url=server.url + "/posts",
        records="/data",
        auth=oauth2(server),
        pagination={"page": {"totalPath": "/total"}},
    )

    assert records == posts(1, 80)
    assert len(server.asked("/token")) == 2


def test_who_asks_at_the_same_time_gets_the_same_token_and_a_late_refusal_of_an_old_one_renews_nothing():
    fetched = 0

    async def post(url: str, headers: Mapping[str, str], form: Mapping[str, str]) -> bytes:
        nonlocal fetched
        fetched += 1
        await asyncio.sleep(0)
        return json.dumps({"access_token": f"token-{fetched}"}).encode()

    async def scenario() -> None:
        oauth2 = OAuth2(token_url="https://login.test/token", client_id="me", client_secret=Secret(env="TOKEN"))
        credentials = ClientCredentials(oauth2, "s3cret", post=post, learn=str, clock=lambda: datetime.now(UTC))

        first, *others = await asyncio.gather(*(credentials.grant() for _ in range(5)))
        assert others == [first] * 4

        await credentials.renew(first)
        second = await credentials.grant()
        await credentials.renew(first)
        assert await credentials.grant() is second
        assert second.headers == {"Authorization": "Bearer token-2"}

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "answer",
    [
        status(401),
        answers({"error": "invalid_client"}, status=400),
        answers({"token": "x"}),
        answers({"access_token": 7}),
        answers(b"<html>"),
        redirects("/elsewhere"),
    ],
    ids=["401", "400", "no token", "a number", "html", "a redirect"],
)
def test_a_server_that_gives_no_token_is_an_error_of_its_own(serve, read, answer):
    server = serve({"/token": answer, "/posts": answers([])})
    read.secrets = {"TOKEN": "s3cret"}

    with pytest.raises(errors.TokenRefused, match=r"/token: .*check extract\.auth\.oauth2"):
        read(url=server.url + "/posts", auth=oauth2(server))
    assert server.asked("/posts") == []


def test_a_token_server_that_recovers_is_asked_again(serve, read):
    server = serve({"/token": in_turn(status(503), tokens(3600)), "/posts": only_for("token-2")})
    read.secrets = {"TOKEN": "s3cret"}

    assert read(url=server.url + "/posts", auth=oauth2(server)) == posts(1, 1)
    assert read.stats.retries == 1
