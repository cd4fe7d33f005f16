"""The script that somebody who knows httpx, msgspec and sqlite3 writes by hand: ``python -m bench.bare URL DATABASE``.

It does what the pipeline document beside it says, and nothing else: no history, no rejects, no staging, no retries.
"""

from __future__ import annotations

import sqlite3
import sys
from datetime import UTC, datetime

import httpx
import msgspec


class Post(msgspec.Struct):
    id: int
    userId: int
    title: str
    body: str


def main(url: str, database: str) -> None:
    response = httpx.get(url, timeout=60)
    response.raise_for_status()
    posts = msgspec.json.decode(response.content, type=list[Post])
    loaded_at = datetime.now(UTC).isoformat()

    connection = sqlite3.connect(database)
    connection.execute("PRAGMA journal_mode = WAL")
    with connection:
        connection.execute(
            "CREATE TABLE IF NOT EXISTS posts"
            " (id INTEGER PRIMARY KEY, user_id INTEGER, title TEXT, body TEXT, loaded_at TEXT)"
        )
        connection.executemany(
            "INSERT INTO posts VALUES (?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET"
            " user_id = excluded.user_id, title = excluded.title, body = excluded.body, loaded_at = excluded.loaded_at",
            ((post.id, post.userId, " ".join(post.title.split()), post.body.strip(), loaded_at) for post in posts),
        )
    connection.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
