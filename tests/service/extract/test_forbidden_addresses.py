"""No way of writing an address, and no answer of a source or of DNS, leads to where the platform lets nobody read."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from pydantic import ValidationError

from etl_service.extract import errors
from sources.evasions import EVASIONS, OTHER_PUBLIC, PUBLIC, gate
from sources.hostile import Handler, answers, in_turn, posts, redirects


@dataclass
class Connections:
    """What this process tries to connect to; beyond this machine, nothing comes of it."""

    on: bool = False
    tried: list[tuple[str, int]] = field(default_factory=list)

    def hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.on and event == "socket.connect" and arguments[0].family in (socket.AF_INET, socket.AF_INET6):
            host, port = arguments[1][:2]
            self.tried.append((host, port))
            if not host.startswith("127."):
                raise ConnectionRefusedError(f"{host} is not for tests")


CONNECTIONS = Connections()
sys.addaudithook(CONNECTIONS.hear)  # Python calls it at each connection; it stays as long as the process


@pytest.fixture
def tried() -> Iterator[list[tuple[str, int]]]:
    CONNECTIONS.tried.clear()
    CONNECTIONS.on = True
    yield CONNECTIONS.tried
    CONNECTIONS.on = False


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    """Somebody who listens at all addresses of this machine, and never answers."""
    with socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True) as listener:
        listener.setblocking(False)
        yield listener


def connected(listener: socket.socket) -> bool:
    try:
        listener.accept()[0].close()
    except BlockingIOError:
        return False
    return True


#: An address that cannot be read, one way or the other.
REFUSED = (errors.SourceForbidden, errors.AddressUnusable, errors.SourceUnreachable, errors.PaginationInvalid)
HASTY = {"timeout": "2s", "retries": 0}


def test_the_corpus_is_large():
    assert len(set(EVASIONS)) >= 70


@pytest.mark.parametrize("evasion", EVASIONS)
def test_an_address_in_the_document_opens_no_connection(read, listening, tried, evasion):
    read.gate = gate("public")

    with pytest.raises((*REFUSED, ValidationError)):
        read(url=evasion.format(port=listening.getsockname()[1]), limits=HASTY)

    assert not connected(listening)
    assert tried == []


@pytest.mark.parametrize("evasion", EVASIONS)
@pytest.mark.parametrize("way", ["redirect", "next url", "link", "token"])
def test_an_address_that_a_source_leads_to_opens_none_either(serve, read, listening, tried, way, evasion):
    target = evasion.format(port=listening.getsockname()[1])
    routes: dict[str, Handler] = {
        "/redirect": redirects(target),
        "/next": answers({"data": posts(1, 2), "next": target}),
    }
    routes["/link"] = answers(posts(1, 2), headers={"Link": f'<{target}>; rel="next"'})
    source = serve(routes).url.replace("127.0.0.1", "source.example")
    ways: dict[str, dict[str, Any]] = {
        "redirect": {"url": f"{source}/redirect"},
        "next url": {"url": f"{source}/next", "records": "/data", "pagination": {"nextUrl": {"path": "/next"}}},
        "link": {"url": f"{source}/link", "pagination": {"link": {}}},
        "token": {
            "url": f"{source}/redirect",
            "auth": {"oauth2": {"tokenUrl": target, "clientId": "me", "clientSecret": {"env": "SECRET"}}},
        },
    }
    read.secrets = {"SECRET": "s3cret"}
    read.gate = gate("source.example")

    with pytest.raises((*REFUSED, ValidationError)):
        read(**ways[way], limits=HASTY)

    port = int(source.rpartition(":")[2])
    assert not connected(listening)
    assert set(tried) <= {("127.0.0.1", port)}


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/", "gopher://127.0.0.1:70/", "data:,1"])
def test_a_redirect_to_another_scheme_opens_none(serve, read, target):
    source = serve({"/": redirects(target)})
    read.gate = gate("127.0.0.1")

    with pytest.raises(REFUSED):
        read(url=source.url + "/", limits=HASTY)


# What DNS can do


def changing(*answers: Sequence[str]) -> Any:
    """A name that leads elsewhere each time it is asked for."""
    left = list(answers)

    async def resolve(host: str, port: int) -> Sequence[str]:
        return left.pop(0) if len(left) > 1 else left[0]

    return resolve


def test_what_was_judged_is_what_is_connected_to_whatever_the_name_leads_to_a_moment_later(read, listening, tried):
    port = listening.getsockname()[1]
    read.gate = gate("public", changing([PUBLIC], ["127.0.0.1"]))

    with pytest.raises(errors.SourceForbidden):
        read(url=f"http://rebinding.example:{port}/", limits={"timeout": "2s", "retries": 3})

    assert tried == [(PUBLIC, port)]
    assert not connected(listening)
    assert read.stats.retries == 1, "being refused is not tried again"


def test_a_name_is_looked_up_once_for_a_connection_and_not_for_each_page(serve, read):
    asked: list[str] = []

    async def counting(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return ["127.0.0.1"]

    source = serve({"/": in_turn(*(answers(posts(n, n)) for n in range(1, 9)), answers([]))})
    read.gate = gate("source.example", counting)

    assert read(url=source.url.replace("127.0.0.1", "source.example") + "/", pagination={"page": {}}) == posts(1, 8)
    assert asked == ["source.example"]


def test_of_several_addresses_the_next_is_tried_where_one_does_not_answer(serve, read, tried):
    source = serve({"/": answers(posts(1, 2))})
    read.gate = gate("127.0.0.1", changing([OTHER_PUBLIC, PUBLIC, "127.0.0.1"]))

    assert read(url=source.url + "/") == posts(1, 2)

    assert [host for host, _ in tried] == [OTHER_PUBLIC, PUBLIC, "127.0.0.1"]


def test_a_name_that_nobody_has_is_unreachable(read, tried):
    async def nobody(host: str, port: int) -> Sequence[str]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    read.gate = gate("public", nobody)

    with pytest.raises(errors.SourceUnreachable, match="Name or service not known"):
        read(url="http://nobody.example/", limits=HASTY)


# What may be read


@pytest.mark.parametrize(
    "allowed", ["source.example", "*.example", "127.0.0.1", "127.0.0.0/8,10.0.0.0/8", "public,127.0.0.1"]
)
def test_what_is_listed_is_read_and_is_asked_by_its_name(serve, read, allowed):
    source = serve({"/": answers(posts(1, 2))})
    read.gate = gate(allowed)
    url = source.url.replace("127.0.0.1", "source.example")

    assert read(url=f"{url}/") == posts(1, 2)

    assert source.requests[0].headers["host"] == url.removeprefix("http://")


@pytest.mark.parametrize("allowed", ["public", "other.example", "10.0.0.0/8"])
@pytest.mark.parametrize("url", ["http://public.example/", f"http://{PUBLIC}/", f"http://[{OTHER_PUBLIC}]/"])
def test_public_addresses_are_read_whatever_is_listed(read, tried, allowed, url):
    read.gate = gate(allowed)

    with pytest.raises(errors.SourceUnreachable, match="cannot be reached"):
        read(url=url, limits=HASTY)

    assert tried in ([(PUBLIC, 80)], [(OTHER_PUBLIC, 80)])


def test_a_redirect_and_a_next_page_to_what_is_listed_are_followed(serve, read):
    elsewhere = serve({"/": answers({"data": posts(3, 4), "next": None})})
    target = elsewhere.url.replace("127.0.0.1", "other.example") + "/"
    source = serve({"/": answers({"data": posts(1, 2), "next": "/more"}), "/more": redirects(target)})
    read.gate = gate("source.example,other.example", changing(["127.0.0.1"]))
    url = source.url.replace("127.0.0.1", "source.example")

    assert read(url=url, records="/data", pagination={"nextUrl": {"path": "/next"}}) == posts(1, 4)


@pytest.mark.parametrize("host", ["127.0.0.2", "127.1", "2130706433", "0x7f.1", "localhost", "[::ffff:127.0.0.1]", "0"])
def test_without_a_gate_anything_is_read(read, listening, host):
    with pytest.raises(errors.SourceTimeout):
        read(url=f"http://{host}:{listening.getsockname()[1]}/", limits={"timeout": "300ms", "retries": 0})

    assert connected(listening)


# What is said


@pytest.mark.parametrize(
    ("route", "extract", "said", "field"),
    [
        ("/away", {}, "a redirect leads to 127.0.0.9, an address of this machine itself", "extract.url"),
        (
            "/next",
            {"records": "/data", "pagination": {"nextUrl": {"path": "/next"}}},
            "the address of the next page leads to private.example at 10.1.2.3, a private address",
            "extract.pagination",
        ),
    ],
)
def test_the_error_says_who_named_which_host_at_which_address_and_what_to_do(serve, read, route, extract, said, field):
    source = serve(
        {
            "/away": redirects("http://127.0.0.9/?key=s3cret"),
            "/next": answers({"data": posts(1, 1), "next": "http://private.example/"}),
        }
    )
    read.gate = gate("source.example")

    with pytest.raises(errors.SourceForbidden) as caught:
        read(url=source.url.replace("127.0.0.1", "source.example") + route, **extract)

    message = caught.value.message
    assert said in message
    assert message.endswith("add the host or its network to ETL_ALLOWED_SOURCES, or read another")
    assert (caught.value.reason, caught.value.field) == ("SourceForbidden", field)
    assert "s3cret" not in message


def test_a_token_s_address_is_named_as_such(read):
    read.secrets = {"SECRET": "s3cret"}
    read.gate = gate("public")
    oauth2 = {"tokenUrl": "http://private.example/token", "clientId": "me", "clientSecret": {"env": "SECRET"}}

    with pytest.raises(errors.SourceForbidden, match=r"tokenUrl leads to private\.example at 10\.1\.2\.3") as caught:
        read(url="http://public.example/", auth={"oauth2": oauth2})

    assert caught.value.field == "extract.auth.oauth2.tokenUrl"
