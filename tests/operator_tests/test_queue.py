"""Who is looked at, and when."""

from __future__ import annotations

import asyncio

import pytest

from etl_operator import queue as queues
from etl_operator.queue import Queue


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    monkeypatch.setattr(queues, "FIRST", 0)


def run(steps):
    return asyncio.run(asyncio.wait_for(steps(Queue()), 10))


def test_a_key_is_taken_once_however_often_it_was_added():
    async def steps(queue):
        for key in "aab":
            queue.add(key)
        return await queue.take(), await queue.take()

    assert run(steps) == ("a", "b")


def test_a_key_that_is_at_work_is_taken_again_once_that_is_done():
    async def steps(queue):
        queue.add("a")
        await queue.take()
        queue.add("a")
        queue.add("b")
        first = await queue.take()
        queue.done("a", well=True)
        return first, await queue.take()

    assert run(steps) == ("b", "a")


def test_what_fails_waits_apart_until_it_goes_well():
    async def steps(queue):
        queue.add("bad")
        await queue.take()
        queue.done("bad", well=False)
        again = await queue.take(slow=True)
        queue.add("bad")
        queue.add("good")
        quick = await queue.take()
        queue.done(again, well=True)
        return again, quick, await queue.take()

    assert run(steps) == ("bad", "good", "bad")
