"""What services tell of runs that no Job carries out: those asked for over REST, in the page or by hand.

Nothing of the cluster changes when such a run ends, so the services are asked, as rarely as will do. They are their
owners', not the operator's: what they say is checked, and nothing that they say makes it ask elsewhere.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Annotated, Literal

import aiohttp
from pydantic import AfterValidator, BaseModel, Field, TypeAdapter

from etl_operator.cache import Cache, Told
from etl_operator.kinds import Key
from etl_operator.manifests import service_url
from etl_operator.manifests.run import KEPT
from etl_operator.runs import OF_JOBS

#: Seconds from one round to the next, and how many services are asked a second at most.
_ROUND, _PACE = 10.0, 20
#: Seconds until a service is given up for this round, and the most bytes of an answer: a run may have 500 partitions.
_TIMEOUT, _MOST = aiohttp.ClientTimeout(total=5), 2**22
#: How far the clock of a node may be ahead of the operator's.
_AHEAD = timedelta(minutes=5)

_log = logging.getLogger(__name__)

_Word = Annotated[str, Field(max_length=128)]
_Text = Annotated[str, Field(max_length=10_000)]


def _look_at_time(text: str) -> str:
    datetime.fromisoformat(text)
    return text


_Time = Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z$"), AfterValidator(_look_at_time)]


class _Run(BaseModel):
    """As much of a run record as the status wants."""

    id: _Word
    trigger: _Word
    request_id: _Word | None
    status: Literal["running", "succeeded", "failed", "interrupted", "cancelled"]
    reason: _Word | None
    message: _Text | None
    started_at: _Time
    ended_at: _Time | None
    counts: dict[_Word, int]


class _Stats(BaseModel):
    rows: int


_RUNS = TypeAdapter(list[_Run])


async def ask_services(cache: Cache, changed: Callable[[Key], None], clock: Callable[[], datetime]) -> None:
    """Ask each service that has a pod, round after round, until cancelled; tells whose history has changed."""
    async with aiohttp.ClientSession(timeout=_TIMEOUT, raise_for_status=True) as session:
        while True:
            begun = asyncio.get_running_loop().time()
            for key in cache.serving():
                await asyncio.sleep(1 / _PACE)
                try:
                    url = service_url(key.namespace, key.name)
                    if cache.tell(key, await _ask(session, url, cache.told(key), clock())):
                        changed(key)
                except (aiohttp.ClientError, TimeoutError, ValueError) as error:
                    _log.debug("does not tell its history: %r", error, extra={"pipeline": str(key)})
            await asyncio.sleep(max(0, begun + _ROUND - asyncio.get_running_loop().time()))


async def _ask(session: aiohttp.ClientSession, url: str, known: Told, now: datetime) -> Told:
    """What it tells now; its rows only where a run has come to something new.

    Raises:
        aiohttp.ClientError, TimeoutError, ValueError: it does not answer, or not as it should.
    """
    runs = _RUNS.validate_json(await _get(session, f"{url}/etl/runs?limit={KEPT}"))
    # One that is yet to come would be the last run, and the last success, until then.
    times = (datetime.fromisoformat(time) for run in runs for time in (run.started_at, run.ended_at) if time)
    if any(time > now + _AHEAD for time in times):
        raise ValueError(f"{url} tells of a run that is yet to come")
    history = [run.model_dump() for run in runs if run.trigger not in OF_JOBS]
    # How far one under way has come is not told.
    history = [run | {"counts": {}} if run["status"] == "running" else run for run in history]
    if history == known.history:
        return known
    return Told(history, _Stats.model_validate_json(await _get(session, f"{url}/stats")).rows)


async def _get(session: aiohttp.ClientSession, url: str) -> bytes:
    body = b""
    async with session.get(url, allow_redirects=False) as answer:
        async for part in answer.content.iter_any():
            body += part
            if len(body) > _MOST:
                raise ValueError(f"{url} answers with more than {_MOST} bytes")
    return body
