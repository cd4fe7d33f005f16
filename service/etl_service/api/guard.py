"""Who may ask for what: the token, other sites, how often, and how much may be sent. Decided before any route is looked
for.
"""

from __future__ import annotations

import asyncio
import hmac
import math
import re

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from etl_service.api.problems import Problem, ProblemResponse, problem
from etl_service.api.rate import Bucket
from etl_service.settings import Settings

MAX_BODY = 1024 * 1024
#: How long a body may take to come, in seconds.
BODY_PATIENCE = 30.0

_SAFE = frozenset(("GET", "HEAD", "OPTIONS"))
#: What a load balancer, a probe and Prometheus read, and the page that asks for the token: open, token or not.
_OPEN = re.compile(r"/(health|ready|metrics|style\.css|icon\.svg|js/.*)?")

SECURITY_HEADERS = [
    (b"content-security-policy", b"default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"referrer-policy", b"same-origin"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
]
NOT_KEPT = (b"cache-control", b"no-store")  # unless the answer says otherwise


class SecurityHeaders:
    """On every answer, whoever gives it; what is meant to be kept says so itself, by a Cache-Control."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def secured(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = message["headers"]
                cached = any(name.lower() == NOT_KEPT[0] for name, _ in given)
                message["headers"] = [*given, *SECURITY_HEADERS, *([] if cached else [NOT_KEPT])]
            await send(message)

        await self._app(scope, receive, secured if scope["type"] == "http" else send)


class Guard:
    def __init__(self, app: ASGIApp, settings: Settings, body_patience: float = BODY_PATIENCE) -> None:
        self._app = app
        self._body_patience = body_patience
        # One for all clients: the processes and the database that it protects are there once, and behind a proxy all
        # clients have the proxy's address. Who is not let in takes nothing from it.
        self._changes = Bucket(settings.changes_per_minute)
        self._token = settings.api_token.encode() if settings.api_token else None
        self._protects_reads = settings.api_protect == "reads"
        self._allowed_hosts = settings.allowed_hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or (scope["method"] in _SAFE and not self._protects_reads):
            return await self._app(scope, receive, send)
        headers = Headers(scope=scope)
        more: dict[str, str] = {}
        refused = self._refusal(scope, headers)
        if refused is not None and refused.status == 401:
            more["WWW-Authenticate"] = "Bearer"
        if refused is None and scope["method"] not in _SAFE:
            if wait := self._changes.take():
                more["Retry-After"] = str(math.ceil(wait))
                refused = problem(429, "TooManyRequests", f"{_TOO_OFTEN}; try again in {math.ceil(wait)} s")
            else:
                refused, whole = await _within_limit(headers, receive, self._body_patience)
                if whole is None:
                    return
                receive = whole
        if refused is None:
            await self._app(scope, receive, send)
        else:
            await ProblemResponse(refused, more)(scope, receive, send)

    def _refusal(self, scope: Scope, headers: Headers) -> Problem | None:
        safe = scope["method"] in _SAFE
        if not safe and (reason := self._from_elsewhere(headers)):
            return problem(
                403, "CrossSite", f"{reason}; only the service's own pages may change something from a browser"
            )
        if self._token is None or (safe and _OPEN.fullmatch(scope["path"].removeprefix(scope["root_path"]))):
            return None
        scheme, _, token = headers.get("authorization", "").partition(" ")
        # Compared in constant time: how long a refusal takes tells nothing about the token.
        if hmac.compare_digest(token.strip().encode(), self._token) and scheme.lower() == "bearer":
            return None
        return problem(
            401, "Unauthorized", "this needs the header `Authorization: Bearer <token>` with the service's token"
        )

    def _from_elsewhere(self, headers: Headers) -> str | None:
        """Why a mutation looks like another site's doing, which a browser would carry out in the user's name."""
        host = headers.get("host", "").lower()
        if self._allowed_hosts and _name(host) not in self._allowed_hosts:
            return f"the request is for host {host!r}, by which this service is not known (ETL_ALLOWED_HOSTS)"
        origin = headers.get("origin")
        if origin is not None and origin.lower() not in (f"http://{host}", f"https://{host}"):
            return f"the request comes from origin {origin!r}"
        if origin is None and headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
            return "the request comes from another site"
        return None


_TOO_OFTEN = "changes are asked for more often than ETL_CHANGES_PER_MINUTE lets them be"


async def _within_limit(headers: Headers, receive: Receive, patience: float) -> tuple[Problem | None, Receive | None]:
    """The body, read whole where it is within the limits, and told again to who asks; None where its sender is gone."""
    too_large = problem(413, "ContentTooLarge", f"the body is larger than {MAX_BODY} bytes")
    length = headers.get("content-length", "0")
    if not length.isdecimal() or int(length) > MAX_BODY:
        return too_large, receive
    body, more = bytearray(), True
    try:
        async with asyncio.timeout(patience):
            while more:
                message = await receive()
                if message["type"] != "http.request":
                    return None, None
                body += message.get("body", b"")
                more = message.get("more_body", False)
                if len(body) > MAX_BODY:
                    return too_large, receive
    except TimeoutError:
        return problem(408, "RequestTimeout", f"the body did not come within {patience:g} s"), receive
    told = False

    async def again() -> Message:
        nonlocal told
        if told:
            return await receive()
        told = True
        return {"type": "http.request", "body": bytes(body), "more_body": False}

    return None, again


def _name(host: str) -> str:
    """The host without its port; empty where it is none."""
    match = re.fullmatch(r"(\[[0-9a-f:.]+\]|[^:\[\]]*)(:[0-9]*)?", host)
    return match[1].strip("[]") if match else ""
