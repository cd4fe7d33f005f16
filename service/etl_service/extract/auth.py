"""Telling the source who asks."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol
from urllib.parse import quote_plus

import msgspec

from etl_service.extract.errors import Place, SecretUnusable, SourceRefused, TokenRefused
from etl_service.extract.parts import NOT_JSON
from etl_service.spec import Auth, OAuth2, Secret

#: Reads a secret; the second argument is its path in the document, for messages.
SecretReader = Callable[[Secret, str], str]

#: Posts a form with headers to an address, and gives the body of the answer.
Post = Callable[[str, Mapping[str, str], Mapping[str, str]], Awaitable[bytes]]

#: Hears of secrets that come up on the way, so that they are not shown; gives them back.
Learn = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Grant:
    """What a request carries to be let in."""

    headers: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)


class Credentials(Protocol):
    async def grant(self) -> Grant:
        """What lets a request in, as of now."""
        ...

    async def renew(self, refused: Grant) -> bool:
        """Whether `grant` gives something else, now that the source has refused this."""
        ...


def credentials(
    auth: Auth | None, read: SecretReader, *, post: Post, learn: Learn, clock: Callable[[], datetime]
) -> Credentials:
    """The credentials that the document names. Secrets are read now; a token is fetched with the first request.

    Raises:
        SpecError: a secret is not where the document says.
        SecretUnusable: a secret cannot be sent in a header.
    """

    def secret(given: Secret, path: str, *, printable: bool = True) -> str:
        value = learn(read(given, path))
        if printable and not (value.isascii() and value.isprintable()):
            raise SecretUnusable("the secret has characters that a header cannot hold", Place(path))
        return value

    if auth is None:
        return Fixed(Grant())
    if auth.bearer is not None:
        token = secret(auth.bearer.token, "spec.extract.auth.bearer.token")
        return Fixed(Grant(headers={"Authorization": f"Bearer {token}"}))
    if auth.basic is not None:
        password = secret(auth.basic.password, "spec.extract.auth.basic.password", printable=False)
        return Fixed(Grant(headers={"Authorization": f"Basic {learn(_pair(auth.basic.username, password))}"}))
    if auth.api_key is not None:
        in_header = auth.api_key.in_ == "header"
        key = {auth.api_key.name: secret(auth.api_key.value, "spec.extract.auth.apiKey.value", printable=in_header)}
        return Fixed(Grant(headers=key) if in_header else Grant(params=key))
    if auth.oauth2 is not None:
        value = secret(auth.oauth2.client_secret, "spec.extract.auth.oauth2.clientSecret", printable=False)
        return ClientCredentials(auth.oauth2, value, post=post, learn=learn, clock=clock)
    return Fixed(Grant())


class Fixed:
    """Credentials that stay as they are, whatever the source says."""

    def __init__(self, grant: Grant) -> None:
        self._grant = grant

    async def grant(self) -> Grant:
        return self._grant

    async def renew(self, refused: Grant) -> bool:
        return False


class ClientCredentials:
    """A token of OAuth 2 (RFC 6749, section 4.4), fetched when it is first needed and again before it expires."""

    def __init__(self, oauth2: OAuth2, secret: str, *, post: Post, learn: Learn, clock: Callable[[], datetime]) -> None:
        self._oauth2 = oauth2
        self._secret = secret
        self._post = post
        self._learn = learn
        self._clock = clock
        self._lock = asyncio.Lock()
        self._grant: Grant | None = None
        self._until: datetime | None = None

    async def grant(self) -> Grant:
        async with self._lock:
            if self._grant is None or (self._until is not None and self._clock() >= self._until):
                token = await self._fetch()
                self._grant = Grant(headers={"Authorization": f"Bearer {self._learn(token.access_token)}"})
                self._until = self._end_of(token)
            return self._grant

    async def renew(self, refused: Grant) -> bool:
        if self._grant is refused:  # not where another request has had it renewed already
            self._grant = None
        return True

    async def _fetch(self) -> _Token:
        # RFC 6749, section 2.3.1: both are form-encoded before they are joined
        pair = _pair(quote_plus(self._oauth2.client_id), quote_plus(self._secret))
        headers = {"Authorization": f"Basic {self._learn(pair)}"}
        form = {"grant_type": "client_credentials"}
        if self._oauth2.scopes:
            form["scope"] = " ".join(self._oauth2.scopes)
        try:
            return _read_token(await self._post(self._oauth2.token_url, headers, form))
        except SourceRefused as error:
            raise TokenRefused(error.what, error.place, status=error.status) from error
        except NOT_JSON as error:
            what = "the answer holds no access_token that can be used"
            raise TokenRefused(what, Place(self._oauth2.token_url)) from error

    def _end_of(self, token: _Token) -> datetime | None:
        """When to fetch another: some time before it expires."""
        if token.expires_in is None:
            return None
        lifetime = min(token.expires_in, _LONGEST)
        return self._clock() + timedelta(seconds=lifetime - min(_EARLY, lifetime / 5))


#: How many seconds before a token expires it is not used any more.
_EARLY = 60

#: A lifetime that no run outlives, in seconds.
_LONGEST = 10**8


class _Token(msgspec.Struct):
    access_token: str
    expires_in: float | None = None


#: Not strict: some servers write the number of seconds as text.
_read_token = msgspec.json.Decoder(_Token, strict=False).decode


def _pair(user: str, password: str) -> str:
    return b64encode(f"{user}:{password}".encode()).decode()
