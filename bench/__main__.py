"""``python -m bench [NAME...]``: measure, and say what came out beside what was wanted.

Ends with 1 where a goal is missed.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

from bench import measures
from bench.results import Result, machine, table
from bench.workshop import Workshop, workshop

MEASURES: dict[str, Callable[[Workshop, int], list[Result]]] = {
    "start": lambda shop, repeat: [measures.start_up(shop, 5 * repeat)],
    "load": lambda shop, repeat: [measures.throughput(shop, rows, repeat) for rows in (100_000, 1_000_000)],
    "postgres": measures.postgres,
    "partitions": measures.partitions,
    "ten-million": measures.ten_million,
    "memory": lambda shop, _: [
        measures.memory(shop, rows, page) for rows in (1_000_000, 2_000_000) for page in (None, 1000)
    ],
    "reads": measures.reads,
    "during": lambda shop, repeat: [measures.reads_during_a_run(shop, 1_000_000, repeat)],
    "browse": lambda shop, _: measures.browsing(shop, 1_000_000),
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench")
    parser.add_argument("names", nargs="*", default=list(MEASURES), metavar="NAME", help=", ".join(MEASURES))
    parser.add_argument("--repeat", type=int, default=3, help="how often each is measured; the median counts")
    options = parser.parse_args()

    results: list[Result] = []
    try:
        for name in options.names:
            print(f"measuring {name} …", file=sys.stderr)
            with workshop() as shop:
                results += MEASURES[name](shop, options.repeat)
    finally:  # what was measured before something went wrong was measured all the same
        print(f"{machine()}\n\n{table(results)}")
    return 0 if all(result.met for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
