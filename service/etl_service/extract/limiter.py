"""Asking no more often than the source wants to be asked."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol


class Turns(Protocol):
    """Whose turn it is to ask, among all who read a source together."""

    async def take(self, interval: float) -> float:
        """Reserve the next turn, so many seconds after the one before; gives the seconds until it comes."""
        ...

    async def hold(self, seconds: float) -> None:
        """Let no turn come for so long."""
        ...


class Limiter:
    """Spaces requests evenly, first come, first served; holds all of them back where the source asks for that."""

    def __init__(
        self,
        per_second: float | None,
        *,
        now: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
        turns: Turns | None = None,
    ) -> None:
        """Turns that others take, too, matter where there is a limit: else each asks as often as it can."""
        self._interval = 1 / per_second if per_second else 0.0
        self._sleep = sleep
        self._turns = turns if turns is not None and per_second else Own(now)

    async def turn(self) -> None:
        """Wait until another request may begin."""
        if (wait := await self._turns.take(self._interval)) > 0:
            await self._sleep(wait)

    async def hold(self, seconds: float) -> None:
        """Let nothing begin for so long."""
        await self._turns.hold(seconds)


class Own:
    """The turns of one who reads a source alone."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._next = float("-inf")

    async def take(self, interval: float) -> float:
        now = self._now()
        mine = max(self._next, now)
        self._next = mine + interval
        return mine - now

    async def hold(self, seconds: float) -> None:
        self._next = max(self._next, self._now() + seconds)
