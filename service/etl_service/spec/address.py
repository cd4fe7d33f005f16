"""Addresses of sources."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import parse_qsl, urlsplit

from etl_service.spec.base import wrong
from etl_service.spec.credentials import is_credential, literal_secret
from etl_service.spec.text import Written, plain_text

#: Sources that the engine brings with it.
SAMPLES = ("sample:", "sample:posts")


def scheme(url: str) -> str:
    """What a source's URL begins with: http, https, file or sample."""
    return url.partition(":")[0]


def query_names(url: str) -> frozenset[str]:
    """The names of the parameters that a URL has already."""
    return frozenset(name for name, _ in parse_qsl(urlsplit(url).query, keep_blank_values=True))


def _look(text: str) -> None:
    """Find what is wrong with a URL that has the right scheme."""
    try:
        url = urlsplit(text)
        host, _ = url.hostname, url.port
    except ValueError:
        raise wrong("is no URL", "write it like https://example.com/posts") from None
    if url.scheme in ("http", "https") and not host:
        raise wrong("names no host", "write it like https://example.com/posts")
    if url.username is not None or url.password is not None:
        raise literal_secret("what stands before the @")
    if url.fragment:
        raise wrong("has a fragment, which is never sent", "leave out the # and what follows it")
    if url.scheme == "file" and (url.netloc not in ("", "localhost") or not url.path or url.query):
        raise wrong("names no file", "write file:posts.json, or file:///data/posts.json")
    if url.scheme == "sample" and text not in SAMPLES:
        raise wrong("is no sample that is there", "write sample:posts")
    for name in sorted(query_names(text)):
        if is_credential(name):
            raise literal_secret(f"the parameter {name}")


def _url(*schemes: str) -> Written[str]:
    def look(text: str) -> None:
        if scheme(text) in schemes:
            _look(text)

    beginnings = [f"{scheme}:" for scheme in schemes]
    how = f"begin it with {', '.join(beginnings[:-1])} or {beginnings[-1]}, and leave no spaces in it"
    return plain_text("a URL", how, rf"({'|'.join(schemes)}):[^\x00-\x20\x7f]*", 2048, 1, look)


SourceUrl = Annotated[str, _url("https", "http", "file", "sample")]
WebUrl = Annotated[str, _url("https", "http")]
