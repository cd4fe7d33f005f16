"""`etl-operator`: the program, from its settings to its end."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from datetime import UTC, datetime

from prometheus_client import REGISTRY

from etl_operator import logs, probes
from etl_operator.cluster import connect
from etl_operator.lease import Lease
from etl_operator.operator import Operator
from etl_operator.settings import Settings, SettingsInvalid, read_settings


def main() -> None:
    try:
        settings = read_settings(os.environ)
    except SettingsInvalid as error:
        sys.exit(f"etl-operator: {error}")
    logs.configure(settings.log_level)
    sys.exit(asyncio.run(_run(settings)))


async def _run(settings: Settings) -> int:
    """Until SIGTERM, which ends it well (0); a lost lease or a dead watch ends it, too, to be started again (1)."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    cluster = await connect()
    operator = Operator(cluster, settings, _now)
    REGISTRY.register(operator.pipeline_metrics)
    try:
        async with probes.serving(
            settings.port,
            alive=lambda: not operator.is_ready or operator.is_watching,
            # One that waits for the Lease is as it should be, and a rollout goes on with it.
            ready=lambda: operator.is_ready or (settings.lease is not None and not operator.has_begun),
        ):
            return (
                await _lead(
                    settings, Lease(cluster, settings.lease, settings.home, settings.identity, _now), operator, stop
                )
                if settings.lease
                else await _ended(operator, stop)
            )
    finally:
        await cluster.close()


async def _lead(settings: Settings, lease: Lease, operator: Operator, stop: asyncio.Event) -> int:
    """Work while the lease is held."""
    waiting, told = asyncio.create_task(lease.acquire()), asyncio.create_task(stop.wait())
    await asyncio.wait([waiting, told], return_when=asyncio.FIRST_COMPLETED)
    if not waiting.done():
        waiting.cancel()
        return 0
    await waiting
    keeping, working = asyncio.create_task(lease.keep()), asyncio.create_task(_ended(operator, stop))
    await asyncio.wait([keeping, working], return_when=asyncio.FIRST_COMPLETED)
    if not working.done():
        # Another may be at work already: nothing more is to be done from here.
        os._exit(1)
    keeping.cancel()
    await lease.release()
    return await working


async def _ended(operator: Operator, stop: asyncio.Event) -> int:
    await operator.run(stop)
    return 0 if stop.is_set() else 1


def _now() -> datetime:
    return datetime.now(UTC)


if __name__ == "__main__":
    main()
