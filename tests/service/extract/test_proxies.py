"""The environment's proxy is used, and asked for nothing that must not be read."""

from __future__ import annotations

import asyncio
import socket

import pytest

from etl_service.extract import errors
from etl_service.extract.errors import Place
from etl_service.extract.network import proxies
from sources.evasions import gate
from sources.hostile import answers, posts, redirects


@pytest.fixture
def proxy(serve):
    """A proxy that answers for everybody."""
    return serve({"/posts": answers(posts(1, 2)), "/away": redirects("http://10.0.0.1/posts")})


@pytest.mark.parametrize(
    ("allowed", "url"),
    [
        ("public", "http://public.example/posts"),
        ("private.example", "http://private.example/posts"),
        ("nobody.invalid", "http://nobody.invalid/posts"),
    ],
)
def test_a_proxy_of_the_environment_is_used_wherever_it_is(read, proxy, allowed, url):
    read.environ = {"HTTP_PROXY": proxy.url}
    read.gate = gate(allowed)

    assert read(url=url) == posts(1, 2)

    assert proxy.requests[0].target == url


@pytest.mark.parametrize(
    "url",
    ["http://private.example/posts", "http://127.1/posts", "http://mixed.example/posts", "http://nobody.invalid/posts"],
)
def test_a_proxy_is_not_asked_for_what_must_not_be_read_or_cannot_be_judged(read, proxy, url):
    read.environ = {"http_proxy": proxy.url}
    read.gate = gate("public")

    with pytest.raises(errors.SourceForbidden):
        read(url=url)

    assert proxy.requests == []


def test_a_name_that_cannot_be_looked_up_just_now_is_asked_for_again_and_until_then_no_proxy(read, proxy):
    asked = []

    async def resolve(host, port):
        asked.append(host)
        if len(asked) < 3:
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return ["8.8.8.8"]

    read.environ = {"http_proxy": proxy.url}
    read.gate = gate("public", resolve)

    assert read(url="http://public.example/posts", limits={"retries": 2}) == posts(1, 2)
    asked.clear()
    with pytest.raises(errors.SourceUnreachable, match="cannot be looked up now"):
        read(url="http://public.example/posts", limits={"retries": 1})
    assert len(proxy.requests) == 1


def test_a_look_for_a_name_does_not_wait_for_ever(read, proxy):
    async def resolve(host, port):
        await asyncio.sleep(60)
        return ["8.8.8.8"]

    read.environ = {"http_proxy": proxy.url}
    read.gate = gate("public", resolve)

    with pytest.raises(errors.SourceTimeout, match=r"no connection came about within 1 s"):
        read(url="http://public.example/posts", limits={"retries": 0, "timeout": "1s"})


def test_a_proxy_is_not_asked_for_a_metadata_service_though_what_is_beneath_a_domain_is_listed(read, proxy):
    read.environ = {"http_proxy": proxy.url}
    read.gate = gate("*.internal,*.ec2.internal")

    with pytest.raises(errors.SourceForbidden, match="metadata service"):
        read(url="http://instance-data.ec2.internal/latest")  # a name that nobody has here

    assert proxy.requests == []


def test_a_redirect_through_a_proxy_is_judged_again(read, proxy):
    read.environ = {"all_proxy": proxy.url}
    read.gate = gate("public")

    with pytest.raises(errors.SourceForbidden, match=r"a redirect leads to 10\.0\.0\.1"):
        read(url="http://public.example/away")

    assert len(proxy.requests) == 1


@pytest.mark.parametrize(
    "but",
    ["source.example", ".example", "*.example", "*", "10.0.0.0/8, source.example", "müller.example, source.example"],
)
def test_what_is_not_for_the_proxy_is_asked_directly(serve, read, proxy, but):
    source = serve({"/": answers(posts(1, 2))})
    read.environ = {"HTTP_PROXY": proxy.url, "NO_PROXY": but}
    read.gate = gate("source.example")

    assert read(url=source.url.replace("127.0.0.1", "source.example") + "/") == posts(1, 2)

    assert (len(source.requests), len(proxy.requests)) == (1, 0)


@pytest.mark.parametrize("port", ["443", "10443"])
def test_a_port_may_be_written_with_what_is_not_for_the_proxy(port):
    said = proxies({"HTTP_PROXY": "http://proxy.example", "NO_PROXY": f"source.example:{port}"}, Place("here"))

    assert said == {"http://": "http://proxy.example", f"all://*source.example:{port}": None}


@pytest.mark.parametrize(
    "value",
    [
        "socks5://user:s3cret@proxy.example",
        "http://:s3cret@",
        "ftp://s3cret",
        "http://[s3cret",
        "http://user:s3cret\x7f@proxy.example:1",
    ],
)
def test_a_proxy_that_is_none_is_named_without_what_it_says(read, value):
    read.environ = {"HTTPS_PROXY": value}

    with pytest.raises(errors.ProxyUnusable, match="HTTPS_PROXY names no proxy") as caught:
        read(url="https://public.example/")

    assert "s3cret" not in caught.value.message
