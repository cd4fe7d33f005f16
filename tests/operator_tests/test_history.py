"""What services tell of their runs, asked over HTTP."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from etl_operator.cache import Told
from etl_operator.history import _ask
from operator_tests.cluster_state import NOW

RUN = {
    "id": "r-1",
    "trigger": "rest",
    "request_id": None,
    "status": "succeeded",
    "reason": None,
    "message": None,
    "started_at": "2026-03-01T12:00:05Z",
    "ended_at": "2026-03-01T12:00:09Z",
    "counts": {"fetched": 100},
}


NOTHING = Told()


def ask(runs: Any, stats: Any = None, known: Told = NOTHING) -> Told:
    """What is made of a service that answers so."""
    answers = {"/etl/runs": runs, "/stats": stats, "/elsewhere": [RUN]}

    async def answer(request: web.Request) -> web.Response:
        if answers[request.path] == "elsewhere":
            raise web.HTTPFound("/elsewhere")
        return web.Response(text=json.dumps(answers[request.path]), content_type="application/json")

    async def asked() -> Told:
        app = web.Application()
        app.router.add_get("/{path:.*}", answer)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        try:
            async with aiohttp.ClientSession(raise_for_status=True) as session:
                return await _ask(session, f"http://127.0.0.1:{runner.addresses[0][1]}", known, NOW)
        finally:
            await runner.cleanup()

    return asyncio.run(asked())


def test_runs_that_no_job_carries_out_are_told_with_the_rows_after_them():
    told = ask([RUN | {"id": "r-2", "trigger": "request"}, RUN], {"rows": 97, "table": "posts"})

    assert told == Told([RUN], 97)


def test_a_history_of_runs_in_as_many_partitions_as_there_may_be_is_read():
    partition = {
        "index": 0,
        "name": "since=2024-01-01",
        "status": "failed",
        "reason": "HttpError",
        "message": "x" * 200,
    }
    long = [RUN | {"id": f"r-{number}", "trigger": "request", "partitions": [partition] * 500} for number in range(9)]

    assert ask([RUN, *long], {"rows": 97}) == Told([RUN], 97)


def test_a_node_whose_clock_is_a_little_ahead_is_believed():
    ahead = RUN | {"ended_at": "2026-03-01T12:02:00Z"}

    assert ask([ahead], {"rows": 97}) == Told([ahead], 97)


def test_rows_are_not_asked_for_again_while_nothing_is_new():
    known = Told([RUN], 97)

    assert ask([RUN], "no stats", known) is known


def test_how_far_a_run_has_come_is_nothing_new():
    running = RUN | {"status": "running", "ended_at": None}
    known = ask([running | {"counts": {"fetched": 1}}], {"rows": 0})

    assert ask([running | {"counts": {"fetched": 2}}], "no stats", known) is known


@pytest.mark.parametrize(
    "runs",
    [
        {"items": []},
        7,
        None,
        [{}],
        [RUN | {"status": "queued"}],
        [RUN | {"id": 7}],
        [RUN | {"started_at": "once"}],
        [RUN | {"ended_at": "2026-02-30T12:00:09Z"}],
        [RUN | {"ended_at": "2026-03-01T12:00:09+01:00"}],
        [RUN | {"ended_at": "9999-12-31T23:59:59Z"}],
        [RUN | {"started_at": "2026-03-01T12:10:00Z", "ended_at": None, "status": "running"}],
        [RUN | {"message": "x" * 20_000}],
        "elsewhere",
        ["x" * 2**22],
    ],
)
def test_what_is_no_history_is_not_taken_for_one(runs):
    with pytest.raises((ValueError, aiohttp.ClientError)):
        ask(runs, {"rows": 1})
