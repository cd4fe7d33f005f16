"""Who may ask for what."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from starlette.types import Message, Receive

from etl_service.api.guard import MAX_BODY, Guard
from etl_service.api.rate import Bucket
from etl_service.settings import Settings

from .conftest import InProcess

TOKEN = "s3cret-token"
BEARER = {"authorization": f"Bearer {TOKEN}"}
#: A mutation that changes nothing: there is no such run.
NOWHERE = "/etl/runs/none"


@pytest.fixture
def guarded(make: Callable[..., InProcess], document: Path) -> InProcess:
    return make(document, api_token=TOKEN)


class TestToken:
    def test_reads_need_none(self, guarded: InProcess) -> None:
        assert guarded.get("/posts").status_code == 200

    @pytest.mark.parametrize(
        "header", [None, "Bearer wrong", f"Basic {TOKEN}", TOKEN, "Bearer", f"Bearer {TOKEN}x", "Bearer ÿ"]
    )
    @pytest.mark.parametrize(
        ("method", "path"), [("POST", "/etl/run"), ("POST", "/api/etl/replay"), ("DELETE", NOWHERE)]
    )
    def test_what_changes_something_is_refused_without_it(
        self, guarded: InProcess, method: str, path: str, header: str | None
    ) -> None:
        answer = guarded.ask(method, path, headers={"authorization": header.encode("latin-1")} if header else {})

        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert answer.json()["reason"] == "Unauthorized"
        assert TOKEN not in answer.text

    def test_it_opens_what_changes_something(self, guarded: InProcess) -> None:
        assert guarded.ask("DELETE", NOWHERE, headers=BEARER).status_code == 404

    @pytest.mark.parametrize(
        "path", ["/posts", "/api/posts", "/stats", "/etl/runs", "/etl/pipeline", "/openapi.json", "/no"]
    )
    def test_reads_can_be_protected_too(self, make: Callable[..., InProcess], document: Path, path: str) -> None:
        guarded = make(document, api_token=TOKEN, api_protect="reads")

        assert guarded.get(path).status_code == 401
        assert guarded.get(path, headers=BEARER).status_code in (200, 404)

    @pytest.mark.parametrize("path", ["/health", "/ready", "/metrics", "/api/health"])
    def test_probes_and_metrics_are_open_all_the_same(
        self, make: Callable[..., InProcess], document: Path, path: str
    ) -> None:
        assert make(document, api_token=TOKEN, api_protect="reads").get(path).status_code == 200


class TestOtherSites:
    @pytest.mark.parametrize(
        "headers",
        [
            {"origin": "https://evil.example"},
            {"origin": "null"},
            {"origin": "http://localhost:9999"},
            {"origin": "http://localhost.evil.example"},
            {"sec-fetch-site": "cross-site"},
            {"sec-fetch-site": "same-site"},
            {"host": "evil.example", "origin": "http://evil.example"},
            {"host": "evil.example"},
            {"host": "[::1"},
        ],
    )
    def test_a_mutation_in_anothers_name_is_refused(self, empty: InProcess, headers: dict[str, str]) -> None:
        answer = empty.ask("DELETE", NOWHERE, headers=headers)

        assert (answer.status_code, answer.json()["reason"]) == (403, "CrossSite")

    @pytest.mark.parametrize(
        "headers",
        [
            {},
            {"origin": "http://localhost", "sec-fetch-site": "same-origin"},
            {"sec-fetch-site": "none"},
            {"host": "127.0.0.1:8000", "origin": "http://127.0.0.1:8000"},
            {"host": "[::1]:8000", "origin": "http://[::1]:8000"},
            {"host": "LOCALHOST", "origin": "http://localhost"},
        ],
    )
    def test_the_services_own_pages_and_programs_are_not(self, empty: InProcess, headers: dict[str, str]) -> None:
        assert empty.ask("DELETE", NOWHERE, headers=headers).status_code == 404

    def test_reads_are_left_to_the_browsers_own_rules(self, empty: InProcess) -> None:
        answer = empty.get("/posts", headers={"origin": "https://evil.example"})

        assert answer.status_code == 200
        assert "access-control-allow-origin" not in answer.headers

    @pytest.mark.parametrize(
        ("settings", "host", "status"),
        [
            ({"host": "0.0.0.0"}, "anything.example", 404),
            ({"host": "0.0.0.0", "hosts": ("etl.example",)}, "etl.example:443", 404),
            ({"host": "0.0.0.0", "hosts": ("etl.example",)}, "other.example", 403),
        ],
    )
    def test_the_names_of_the_service_can_be_told(
        self, make: Callable[..., InProcess], document: Path, settings: Any, host: str, status: int
    ) -> None:
        assert make(document, **settings).ask("DELETE", NOWHERE, headers={"host": host}).status_code == status


class TestBodies:
    def test_a_body_within_the_limit_is_taken(self, empty: InProcess) -> None:
        assert empty.ask("DELETE", NOWHERE, content=b"x" * MAX_BODY).status_code == 404

    def test_a_larger_one_is_refused_by_its_announced_length(self, empty: InProcess) -> None:
        answer = empty.ask("DELETE", NOWHERE, content=b"x" * (MAX_BODY + 1))

        assert (answer.status_code, answer.json()["reason"]) == (413, "ContentTooLarge")

    def test_a_larger_one_that_announces_nothing_is_refused_as_it_comes(self, empty: InProcess) -> None:
        async def endless() -> AsyncIterator[bytes]:
            while True:
                yield b"x" * 65536

        assert empty.ask("DELETE", NOWHERE, content=endless()).status_code == 413

    def test_one_that_does_not_come_is_not_waited_for(self) -> None:
        async def never() -> Message:
            await asyncio.Event().wait()
            raise AssertionError

        sent = answered(never)

        assert sent[0]["status"] == 408
        assert b"RequestTimeout" in sent[1]["body"]

    def test_half_of_one_whose_sender_has_gone_is_not_taken_for_the_whole(self) -> None:
        coming: list[Message] = [
            {"type": "http.request", "body": b"{}", "more_body": True},
            {"type": "http.disconnect"},
        ]

        async def receive() -> Message:
            return coming.pop(0)

        assert answered(receive) == []


def answered(receive: Receive) -> list[Message]:
    """What the guard says by itself to a request whose body comes so."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def unasked(*arguments: Any) -> None:
        raise AssertionError("nobody is to be asked")

    scope = {"type": "http", "method": "POST", "path": "/etl/run", "root_path": "", "headers": [(b"host", b"::1")]}
    asyncio.run(Guard(unasked, Settings(host="0.0.0.0"), body_patience=0.05)(scope, receive, send))
    return sent


class TestRate:
    def test_more_changes_than_are_let_be_are_refused_with_when_to_try_again(
        self, make: Callable[..., InProcess], document: Path
    ) -> None:
        service = make(document, changes_per_minute=3)

        answers = [service.ask("DELETE", NOWHERE) for _ in range(5)]

        assert [answer.status_code for answer in answers] == [404, 404, 404, 429, 429]
        assert answers[-1].json()["reason"] == "TooManyRequests"
        assert "ETL_CHANGES_PER_MINUTE" in answers[-1].json()["detail"]
        assert answers[-1].headers["retry-after"] == "20"
        assert answers[-1].headers["x-content-type-options"] == "nosniff"

    def test_reads_are_counted_by_nobody_and_who_is_not_let_in_takes_nothing_from_others(
        self, make: Callable[..., InProcess], document: Path
    ) -> None:
        service = make(document, changes_per_minute=1, api_token=TOKEN)

        assert [service.get("/posts").status_code for _ in range(3)] == [200] * 3
        assert [service.ask("DELETE", NOWHERE).status_code for _ in range(3)] == [401] * 3
        assert service.ask("DELETE", NOWHERE, headers={**BEARER, "origin": "https://evil.example"}).status_code == 403
        assert service.ask("DELETE", NOWHERE, headers=BEARER).status_code == 404

    def test_a_bucket_that_is_empty_fills_again_as_time_goes_by(self) -> None:
        seconds = 0.0
        bucket = Bucket(60, now=lambda: seconds)
        assert [bucket.take() for _ in range(61)] == [0.0] * 60 + [1.0]

        seconds = 0.25
        assert bucket.take() == 0.75
        seconds = 2.0
        assert [bucket.take() for _ in range(3)] == [0.0, 0.0, 1.0]
        seconds = 3600.0
        assert sum(bucket.take() == 0.0 for _ in range(100)) == 60

    def test_nought_sets_no_limit(self) -> None:
        assert {Bucket(0).take() for _ in range(1000)} == {0.0}


class TestHeaders:
    @pytest.mark.parametrize("path", ["/posts", "/no", "/docs", "/posts?limit=0", "/health"])
    def test_every_answer_carries_them(self, empty: InProcess, path: str) -> None:
        headers = empty.get(path).headers

        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert "default-src 'self'" in headers["content-security-policy"]
        assert headers["cache-control"] == "no-store"
        assert headers["referrer-policy"] == "same-origin"

    def test_refusals_carry_them_too(self, guarded: InProcess) -> None:
        assert guarded.ask("POST", "/etl/run").headers["x-content-type-options"] == "nosniff"


def test_head_is_get_without_a_body(empty: InProcess) -> None:
    answer = empty.ask("HEAD", "/health")

    assert (answer.status_code, answer.headers["content-length"]) == (200, "15")


def test_options_ask_nobody_in(empty: InProcess) -> None:
    assert empty.ask("OPTIONS", "/etl/run", headers={"origin": "https://evil.example"}).status_code == 405
