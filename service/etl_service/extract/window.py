"""Working ahead of whoever reads."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable
from itertools import islice
from typing import Any, TypeVar

from etl_service.extract.page import Page
from etl_service.extract.pagination import Request

T = TypeVar("T")

#: Fetches the page that a request asks for; the second argument is its number in the run.
Fetch = Callable[[Request, int], Coroutine[Any, Any, Page]]


async def ahead(items: AsyncGenerator[T, None]) -> AsyncGenerator[T, None]:
    """The same items; while one is being used, the next is on its way. Closes what it is given."""

    async def following() -> list[T]:
        async for item in items:
            return [item]
        return []

    task = asyncio.create_task(following())
    try:
        while item := await task:
            task = asyncio.create_task(following())
            yield item.pop()
    finally:
        await _end(task)
        await items.aclose()


class Window:
    """Pages that are fetched before they are asked for, since they probably will be.

    A wrong guess costs a request and nothing else: its page is thrown away, and so is its error.
    """

    def __init__(self, fetch: Fetch, size: int) -> None:
        self._fetch = fetch
        self._size = size
        self._tasks: dict[Request, asyncio.Task[Page]] = {}

    async def take(self, request: Request, number: int) -> Page:
        """The page, if it has been expected or not; raises what fetching it does."""
        task = self._tasks.pop(request, None)
        return await (self._fetch(request, number) if task is None else task)

    async def expect(self, requests: Iterable[Request], numbers: Iterable[int]) -> None:
        """Fetch what is likely to be asked for, as pages of these numbers, as far as the window reaches."""
        expected = list(islice(requests, self._size))
        for request in self._tasks.keys() - expected:
            await self._discard(request)
        for at, request in zip(numbers, expected, strict=False):
            if request not in self._tasks:
                self._tasks[request] = asyncio.create_task(self._fetch(request, at))

    async def close(self) -> None:
        for task in self._tasks.values():
            task.cancel()
        for request in list(self._tasks):
            await self._discard(request)

    async def _discard(self, request: Request) -> None:
        task = self._tasks.pop(request)
        await _end(task)
        if not task.cancelled() and task.exception() is None:
            await task.result().close()


async def _end(task: asyncio.Task[Any]) -> None:
    """Cancel a task and wait until it has ended, however it does."""
    task.cancel()
    await asyncio.wait([task])
    if not task.cancelled():
        task.exception()  # asked for, so that it is not reported as never retrieved
