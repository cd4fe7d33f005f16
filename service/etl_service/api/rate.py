"""How often something may be done."""

from __future__ import annotations

import time
from collections.abc import Callable


class Bucket:
    """So many a minute: all at once, or one after the other as the bucket fills again."""

    def __init__(self, per_minute: int, now: Callable[[], float] = time.monotonic) -> None:
        """0 sets no limit."""
        self._size = float(per_minute)
        self._per_second = per_minute / 60
        self._now = now
        self._left = self._size
        self._at = now()

    def take(self) -> float:
        """0 where it may be done now; else in how many seconds."""
        if not self._size:
            return 0.0
        now = self._now()
        self._left = min(self._size, self._left + (now - self._at) * self._per_second)
        self._at = now
        if self._left < 1:
            return (1 - self._left) / self._per_second
        self._left -= 1
        return 0.0
