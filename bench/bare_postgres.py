"""The script that somebody who knows httpx, msgspec and psycopg writes by hand:
``POSTGRES_DSN=… python -m bench.bare_postgres URL SCHEMA``.

COPY into a temporary table, and one guarded upsert from there; no history, no rejects, no lease, no retries.
"""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime

import httpx
import msgspec
import psycopg


class Post(msgspec.Struct):
    id: int
    userId: int
    title: str
    body: str


def main(url: str, schema: str) -> None:
    response = httpx.get(url, timeout=60)
    response.raise_for_status()
    posts = msgspec.json.decode(response.content, type=list[Post])
    loaded_at = datetime.now(UTC)

    with psycopg.connect(os.environ["POSTGRES_DSN"], options=f"-c search_path={schema}") as connection:
        connection.execute(
            "CREATE TABLE IF NOT EXISTS posts"
            " (id bigint PRIMARY KEY, user_id bigint, title text, body text, loaded_at timestamptz)"
        )
        connection.execute("CREATE TEMPORARY TABLE staged (LIKE posts) ON COMMIT DROP")
        with connection.cursor().copy("COPY staged FROM STDIN (FORMAT BINARY)") as copy:
            copy.set_types(["int8", "int8", "text", "text", "timestamptz"])
            for post in posts:
                title, body = " ".join(post.title.split()), post.body.strip()
                copy.write_row((post.id, post.userId, title, body, loaded_at))
        connection.execute(
            "INSERT INTO posts SELECT * FROM staged ON CONFLICT (id) DO UPDATE SET"
            " user_id = excluded.user_id, title = excluded.title, body = excluded.body, loaded_at = excluded.loaded_at"
            " WHERE (posts.user_id, posts.title, posts.body)"
            " IS DISTINCT FROM (excluded.user_id, excluded.title, excluded.body)"
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
