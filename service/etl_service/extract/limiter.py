"""Asking no more often than the source wants to be asked."""

from __future__ import annotations

from collections.abc import Awaitable, Callable


class Limiter:
    """Spaces requests evenly, first come, first served; holds all of them back where the source asks for that."""

    def __init__(
        self, per_second: float | None, *, now: Callable[[], float], sleep: Callable[[float], Awaitable[None]]
    ) -> None:
        self._interval = 1 / per_second if per_second else 0.0
        self._now = now
        self._sleep = sleep
        self._next = float("-inf")

    async def turn(self) -> None:
        """Wait until another request may begin."""
        now = self._now()
        mine = max(self._next, now)
        self._next = mine + self._interval
        if mine > now:
            await self._sleep(mine - now)

    def hold(self, seconds: float) -> None:
        """Let nothing begin for so long."""
        self._next = max(self._next, self._now() + seconds)
