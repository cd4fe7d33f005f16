"""A source that repeats what it is let in by, wherever a source can; and how to find that in what is told of it."""

from __future__ import annotations

import asyncio
import json
import re
from base64 import b64decode, b64encode
from collections.abc import Callable
from html import escape
from typing import Any
from urllib.parse import quote, quote_plus

from sources.hostile import Exchange, Handler, head, post, posts

#: However it is written in an address, in JSON or in HTML, what it begins with stays what it is.
CANARY = 'c4naryA1b2C3/+"<&=%d4E5'
TOKEN = "c4nary-token+/of=oauth2"
PAIR, OAUTH2_PAIR = (b64encode(pair.encode()).decode() for pair in (f"ann:{CANARY}", f"me:{quote_plus(CANARY)}"))
SECRET = {"env": "CANARY"}

AUTHS: dict[str, dict[str, Any]] = {
    "bearer": {"bearer": {"token": SECRET}},
    "basic": {"basic": {"username": "ann", "password": SECRET}},
    "header": {"apiKey": {"name": "X-Api-Key", "value": SECRET}},
    "query": {"apiKey": {"name": "key", "in": "query", "value": SECRET}},
    "oauth2": {"oauth2": {"tokenUrl": "{source}/token", "clientId": "me", "clientSecret": SECRET}},
}


def told_in(text: str) -> list[str]:
    """What of a text tells a secret."""
    return re.findall(f"(?i).{{0,60}}(?:c4nary|{re.escape(PAIR)}|{re.escape(OAUTH2_PAIR)}).{{0,20}}", text)


# A source that repeats what it was told


def secret_of(exchange: Exchange) -> str:
    """What the request was let in by, as the source knows it."""
    given = exchange.headers.get("authorization", "")
    if given.startswith("Basic "):
        return b64decode(given.removeprefix("Basic ")).decode().partition(":")[2]
    return given.removeprefix("Bearer ") or exchange.headers.get("x-api-key") or exchange.query.get("key", "")


def says(status: int, written: Callable[[str], str], **headers: str) -> Handler:
    """Answer with the secret where ``{}`` is, in the body and in the headers, as ``written`` writes it."""

    async def handler(exchange: Exchange) -> None:
        secret = secret_of(exchange)
        filled = {name.replace("_", "-"): value.format(quote(secret, safe="")) for name, value in headers.items()}
        body = written(secret).encode()
        await exchange.send(status, body, {"Content-Length": str(len(body)), **filled})

    return handler


async def repeats_the_header(exchange: Exchange) -> None:
    await exchange.send(403, f"no \n\n {exchange.headers.get('authorization')} \t {exchange.target}".encode())


async def refuses_in_the_first_line(exchange: Exchange) -> None:
    secret = secret_of(exchange)
    await exchange.write(head(401, {"Content-Length": "0"}).replace(b"Status", f"No {secret}".encode(), 1))


async def breaks_a_header(exchange: Exchange) -> None:
    await exchange.write(f"HTTP/1.1 200 OK\r\n no header: {secret_of(exchange)}\r\n\r\n".encode())


async def refuses_in_pieces(exchange: Exchange) -> None:
    """The first of them ends within the secret."""
    first, second = f"no such key: {secret_of(exchange)[:-1]}", f"{secret_of(exchange)[-1:]}, none"
    await exchange.write(head(401, {"Transfer-Encoding": "chunked"}) + f"{len(first):x}\r\n{first}\r\n".encode())
    await asyncio.sleep(0.05)
    await exchange.write(f"{len(second):x}\r\n{second}\r\n0\r\n\r\n".encode())


async def pages(exchange: Exchange) -> None:
    """Two pages, the second under an address with the key; on each a record that does not fit."""
    number = int(exchange.query.get("page", "1"))
    link = f'</pages?page=2&key={quote(secret_of(exchange))}&again={quote_plus(secret_of(exchange))}>; rel="next"'
    records = [post(number), {"id": f"none-{number}"}]
    await exchange.send(200, json.dumps(records).encode(), {"Link": link} if number == 1 else {})


async def gives_a_token(exchange: Exchange) -> None:
    await exchange.send(200, json.dumps({"access_token": TOKEN}).encode())


ROUTES: dict[str, Handler] = {
    "/token": gives_a_token,
    "/401": says(401, lambda secret: json.dumps({"error": f"no such key: {secret}"})),
    "/403-in-an-address": says(403, lambda secret: f"see /keys?key={quote(secret, safe='')}&or={quote_plus(secret)}"),
    "/403-in-small-escapes": says(403, lambda secret: f"see /keys?key={quote(secret, safe='').lower()}"),
    "/403-for-people": says(403, lambda secret: f"no key {escape(secret)}, none"),
    "/403-in-php-json": says(403, lambda secret: json.dumps(secret).replace("/", r"\/")),
    "/403-as-it-came": repeats_the_header,
    "/401-first-line": refuses_in_the_first_line,
    "/401-in-pieces": refuses_in_pieces,
    "/500": says(500, lambda secret: f"cannot look up {secret}"),
    "/429": says(429, lambda secret: secret, Retry_After="{}"),
    "/no-json": says(200, lambda secret: f"key={secret}"),
    "/no-json-again-and-again": says(200, lambda secret: " ".join([secret] * 5)),
    "/no-line": says(200, lambda secret: f"{{}}\nkey={secret}", Content_Type="application/x-ndjson"),
    "/cut-json": says(200, lambda secret: '[{"key": ' + json.dumps(secret) + ', "more": "'),
    "/html": says(200, lambda secret: f"<html>{secret}</html>", Content_Type="text/html"),
    "/type": says(200, lambda secret: "no", Content_Type="text/{}"),
    "/encoding": says(200, lambda secret: "[]", Content_Encoding="{}"),
    "/object": says(200, lambda secret: json.dumps({"key": secret})),
    "/header": breaks_a_header,
    "/redirect": says(302, lambda secret: "", Location="/404?key={}"),
    "/redirect-loop": says(302, lambda secret: "", Location="/redirect-loop?key={}"),
    "/redirect-to-nobody": says(302, lambda secret: "", Location="http://127.0.0.1:9/?k={}"),
    "/redirect-nowhere": says(302, lambda secret: "", Location="ftp://{}/"),
    "/redirect-to-no-host": says(302, lambda secret: "", Location="http://{}"),
    "/redirect-with-a-password": says(302, lambda secret: "", Location="http://user:{}@127.0.0.1:9/"),
    "/redirect-to-no-url": says(302, lambda secret: "", Location="http://[{}"),
    "/pages": pages,
    "/total": says(200, lambda secret: json.dumps({"data": posts(1, 2), "total": secret})),
    "/next": says(200, lambda secret: json.dumps({"data": posts(1, 2), "next": f"/404?x={quote(secret)}"})),
    "/next-nowhere": says(200, lambda secret: json.dumps({"data": posts(1, 2), "next": f"ftp://{secret}"})),
    "/cursor": says(200, lambda secret: json.dumps({"data": posts(1, 2), "next": secret})),
}
NEXT = {"records": "/data", "pagination": {"nextUrl": {"path": "/next"}}}
_WITH_MORE = {"/token", "/pages", "/total", "/next", "/next-nowhere", "/cursor"}

#: What to read there, and what more a document then says.
PATHS: list[tuple[str, dict[str, Any]]] = [
    *((path, {}) for path in ROUTES if path not in _WITH_MORE),
    ("/object", NEXT),
    ("/object", {"records": "/key"}),
    ("/pages", {"pagination": {"link": {}}}),
    ("/total", {"records": "/data", "pagination": {"page": {"totalPath": "/total"}}}),
    ("/next", NEXT),
    ("/next-nowhere", NEXT),
    ("/cursor", {"records": "/data", "pagination": {"cursor": {"param": "cursor", "path": "/next"}}}),
    ("/nobody-listens", {}),
]
