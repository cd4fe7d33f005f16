"""The program `etl`, and ``python -m etl_service``."""

from __future__ import annotations

import gc
import signal


def main() -> None:
    # Imports make no garbage, and a run makes millions of tuples and no cycles: looking for those as often as Python
    # does takes a tenth of the time.
    gc.set_threshold(100_000, 50, 100)
    # Until the command line is there to mind it, Ctrl-C ends this program as any other, without a traceback.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    from etl_service.cli import main

    signal.signal(signal.SIGINT, signal.default_int_handler)
    main()


if __name__ == "__main__":
    main()
