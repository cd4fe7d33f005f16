"""What services tell of runs that no Job carries out: those asked for over REST, in the page or by hand.

Nothing of the cluster changes when such a run ends, so the services are asked, as rarely as will do.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import aiohttp

from etl_operator.cache import Cache, Told
from etl_operator.kinds import Key
from etl_operator.manifests import service_url
from etl_operator.manifests.run import KEPT
from etl_operator.runs import OF_JOBS

#: Seconds from one round to the next, and how many services are asked a second at most.
_ROUND, _PACE = 10.0, 20
_TIMEOUT = aiohttp.ClientTimeout(total=5)

_log = logging.getLogger(__name__)


async def ask_services(cache: Cache, changed: Callable[[Key], None]) -> None:
    """Ask each service that has a pod, round after round, until cancelled; tells whose history has changed."""
    async with aiohttp.ClientSession(timeout=_TIMEOUT, raise_for_status=True) as session:
        while True:
            begun = asyncio.get_running_loop().time()
            for key in cache.serving():
                await asyncio.sleep(1 / _PACE)
                try:
                    if cache.tell(key, await _ask(session, key, cache)):
                        changed(key)
                except (aiohttp.ClientError, TimeoutError, ValueError, KeyError) as error:
                    _log.debug("%s does not tell its history: %r", key, error)
            await asyncio.sleep(max(0, begun + _ROUND - asyncio.get_running_loop().time()))


async def _ask(session: aiohttp.ClientSession, key: Key, cache: Cache) -> Told:
    url = service_url(key.namespace, key.name)
    runs = await _json(session, f"{url}/etl/runs?limit={KEPT}")
    history = [run for run in runs if run["trigger"] not in OF_JOBS]
    known = cache.told(key)
    if known.history == history:
        return known
    return Told(history, int((await _json(session, f"{url}/stats"))["rows"]))


async def _json(session: aiohttp.ClientSession, url: str) -> Any:
    async with session.get(url) as answer:
        return await answer.json()
