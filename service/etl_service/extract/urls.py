"""Addresses: their parameters, where they lead, and how to write them without secrets."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from html import escape
from urllib.parse import quote, quote_plus, unquote_plus, urldefrag, urlencode, urljoin, urlsplit, urlunsplit

from etl_service.spec.credentials import is_credential

_PORTS = {"http": 80, "https": 443}

#: Parameters of signed addresses, beside what `is_credential` knows.
_SIGNATURES = frozenset(("sig", "signature", "x-amz-signature", "x-amz-credential", "x-amz-security-token"))

_HIDDEN = "***"


def with_params(url: str, params: Mapping[str, str]) -> str:
    """The address with these parameters in place of those of the same names; the others stay as they are written."""
    if not params:
        return url
    parts = urlsplit(url)
    kept = [pair for pair in parts.query.split("&") if pair and _name(pair) not in params]
    added = urlencode(params, quote_via=quote, safe=":,/@")
    return urlunsplit(parts._replace(query="&".join([*kept, added])))


def resolve(base: str, reference: str) -> str | None:
    """Where a reference leads from an address; None where that is nowhere on the web."""
    try:
        url = urldefrag(urljoin(base, reference.strip())).url
        parts = urlsplit(url)
        return url if parts.scheme in _PORTS and parts.hostname and parts.port != 0 else None
    except ValueError:
        return None


def origin(url: str) -> tuple[str, str | None, int | None]:
    """Scheme, host and port: who shares them may share credentials."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or _PORTS.get(parts.scheme)


class Redactor:
    """Takes out of addresses and texts what must not be shown; learns secrets as they are read."""

    def __init__(self, params: Collection[str] = ()) -> None:
        self._params = frozenset(params)
        self._secrets: set[str] = set()
        self._pattern: re.Pattern[str] | None = None

    def learn(self, secret: str) -> str:
        """Remember a secret and give it back. Very short ones are not: hiding each ``1`` would hide the text."""
        if len(secret) >= _SHORTEST:
            self._secrets |= _spellings(secret)
            longest_first = sorted(self._secrets, key=len, reverse=True)
            # Whatever the case: of headers and of escapes such as %2F it means nothing, and may have been changed.
            self._pattern = re.compile("|".join(map(re.escape, longest_first)), re.IGNORECASE)
        return secret

    def text(self, text: str) -> str:
        return self._pattern.sub(_HIDDEN, text) if self._pattern else text

    def beginning(self, text: str) -> str:
        """Of a text that was cut off: what may begin a secret at its end is taken out, too."""
        text = self.text(text.rstrip("\ufffd"))  # as which a letter that was cut through is read
        secrets = [secret.casefold() for secret in self._secrets]
        longest = max(map(len, self._secrets), default=0)
        for size in range(min(longest, len(text)), _SHORTEST - 1, -1):
            end = text[-size:].casefold()
            if any(secret.startswith(end) for secret in secrets):
                return text[:-size] + _HIDDEN
        return text

    def url(self, url: str) -> str:
        parts = urlsplit(url)
        query = "&".join(self._pair(pair) for pair in parts.query.split("&")) if parts.query else ""
        host = parts.netloc.rpartition("@")[2]
        return self.text(urlunsplit(parts._replace(netloc=host, query=query)))

    def _pair(self, pair: str) -> str:
        name = _name(pair)
        hidden = name in self._params or name.lower() in _SIGNATURES or is_credential(name)
        return f"{pair.partition('=')[0]}={_HIDDEN}" if hidden else pair


_SHORTEST = 4


def _spellings(secret: str) -> set[str]:
    """A secret as sources may write it when they repeat it: in addresses, in JSON, in pages for people."""
    in_json = json.dumps(secret)[1:-1]
    return {
        secret,
        " ".join(secret.split()),
        *(quote(secret, safe=safe) for safe in ("", "/", ":,/@")),
        quote_plus(secret),
        in_json,
        in_json.replace("/", r"\/"),
        json.dumps(secret, ensure_ascii=False)[1:-1],
        escape(secret),
        escape(secret, quote=False),
    }


def _name(pair: str) -> str:
    return unquote_plus(pair.partition("=")[0])
