"""Keys that wait for a worker: each once, never with two workers at a time, and later after each failure.

Those that have failed wait in a lane of their own, for other workers: however long they take, nobody else is held up.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Hashable
from typing import Generic, TypeVar

from etl_operator import metrics

K = TypeVar("K", bound=Hashable)

#: Seconds until the first further attempt, and at most.
FIRST, MOST = 0.25, 60.0


class Queue(Generic[K]):
    def __init__(self) -> None:
        self._quick: asyncio.Queue[K] = asyncio.Queue()
        self._slow: asyncio.Queue[K] = asyncio.Queue()
        self._wanted: set[K] = set()
        self._at_work: set[K] = set()
        self._failures: dict[K, int] = {}
        self._timers: dict[K, asyncio.TimerHandle] = {}

    def add(self, key: K) -> None:
        """Have it looked at; one that is being looked at is looked at again after that."""
        if timer := self._timers.pop(key, None):
            timer.cancel()
        if key not in self._wanted:
            self._wanted.add(key)
            if key not in self._at_work:
                self._put(key)

    async def take(self, *, slow: bool = False) -> K:
        """The next key of a lane; whoever takes it says `done`, and whether it went well."""
        key = await (self._slow if slow else self._quick).get()
        self._wanted.discard(key)
        self._at_work.add(key)
        self._count()
        return key

    def done(self, key: K, *, well: bool) -> None:
        self._at_work.discard(key)
        if well:
            self._failures.pop(key, None)
        else:
            failures = self._failures[key] = self._failures.get(key, 0) + 1
            delay = min(FIRST * 2.0 ** (failures - 1), MOST) * random.uniform(0.8, 1.2)  # nosec B311 # spreads retries, no secret
            self._timers[key] = asyncio.get_running_loop().call_later(delay, self.add, key)
        if key in self._wanted:
            self._put(key)

    def failures(self, key: K) -> int:
        """How often in a row it has failed."""
        return self._failures.get(key, 0)

    def _put(self, key: K) -> None:
        (self._slow if key in self._failures else self._quick).put_nowait(key)
        self._count()

    def _count(self) -> None:
        metrics.QUEUE.set(self._quick.qsize() + self._slow.qsize())
