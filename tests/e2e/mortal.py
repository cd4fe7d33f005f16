"""``python -m e2e.mortal N``: an operator that its Nth write kills; it ends with 0 where it comes to rest before."""

from __future__ import annotations

import asyncio
import os
import sys
from datetime import UTC, datetime
from typing import Any

from etl_operator.cluster import Cluster, connect
from etl_operator.operator import Operator
from etl_operator.settings import read_settings

#: Seconds without a call, after which it rests.
_REST = 4


async def main(last: int) -> None:
    calls, ask = 0, Cluster._ask
    rested = asyncio.Event()
    timer: asyncio.TimerHandle | None = None

    async def counted(self: Cluster, method: str, *arguments: Any) -> Any:
        nonlocal calls, timer
        if timer:
            timer.cancel()
        timer = asyncio.get_running_loop().call_later(_REST, rested.set)
        answer = await ask(self, method, *arguments)
        if method != "GET":
            calls += 1
            if calls == last:
                os._exit(137)  # the server has done it, and nobody has heard
        return answer

    Cluster._ask = counted  # type: ignore[method-assign, assignment]
    operator = Operator(await connect(), read_settings(os.environ), lambda: datetime.now(UTC))
    working = asyncio.create_task(operator.run(asyncio.Event()))
    await asyncio.wait([working, asyncio.create_task(rested.wait())], return_when=asyncio.FIRST_COMPLETED)
    os._exit(0 if rested.is_set() else 1)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
