"""The engine's own tables, and how a newer version finds them changed."""

from __future__ import annotations

from collections.abc import Sequence

from etl_service.load.errors import DatabaseUnsuitable, SchemaTooNew
from etl_service.load.postgres.connection import Database, Link
from etl_service.load.postgres.errors import translated

Migration = Sequence[str]

_TEXT = 'text COLLATE "C"'

#: The n-th brings the engine's tables from version n to version n + 1. Never change one: add another.
#: They are SQLite's, column by column, so that the same statements read and write both; etl_claims is in its lock.
MIGRATIONS: Sequence[Migration] = (
    (
        f"""CREATE TABLE etl_runs (
            seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            id {_TEXT} NOT NULL UNIQUE,
            pipeline {_TEXT} NOT NULL,
            trigger text NOT NULL,
            request_id {_TEXT},
            attempt bigint NOT NULL,
            status text NOT NULL,
            reason text,
            message text,
            started_at {_TEXT} NOT NULL,
            ended_at {_TEXT},
            phase text NOT NULL,
            fetched bigint NOT NULL,
            inserted bigint NOT NULL,
            updated bigint NOT NULL,
            unchanged bigint NOT NULL,
            rejected bigint NOT NULL,
            skipped bigint NOT NULL,
            deleted bigint NOT NULL,
            pages bigint NOT NULL,
            bytes bigint NOT NULL,
            retries bigint NOT NULL,
            requests text NOT NULL,
            extract_seconds double precision NOT NULL,
            transform_seconds double precision NOT NULL,
            load_seconds double precision NOT NULL,
            schema_changes text NOT NULL,
            spec_hash text NOT NULL,
            total bigint,
            UNIQUE (pipeline, request_id)
        )""",
        "CREATE INDEX etl_runs_by_pipeline ON etl_runs (pipeline, seq)",
        "CREATE INDEX etl_runs_by_status ON etl_runs (pipeline, status, seq)",
        f"""CREATE TABLE etl_rejects (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            pipeline {_TEXT} NOT NULL,
            run_id {_TEXT} NOT NULL,
            url text NOT NULL,
            page bigint NOT NULL,
            idx bigint NOT NULL,
            field text,
            reason text NOT NULL,
            message text NOT NULL,
            raw text NOT NULL,
            whole boolean NOT NULL,
            fetched_at text NOT NULL
        )""",
        "CREATE INDEX etl_rejects_by_run ON etl_rejects (pipeline, run_id, id)",
        f"""CREATE TABLE etl_tables (
            name {_TEXT} PRIMARY KEY,
            pipeline {_TEXT} NOT NULL,
            columns text NOT NULL,
            key text NOT NULL
        )""",
        f"""CREATE TABLE etl_cursors (
            pipeline {_TEXT} NOT NULL,
            tbl {_TEXT} NOT NULL,
            col {_TEXT} NOT NULL,
            value json NOT NULL,
            PRIMARY KEY (pipeline, tbl, col)
        )""",
        f"""CREATE TABLE etl_totals (
            pipeline {_TEXT} NOT NULL,
            name {_TEXT} NOT NULL,
            label {_TEXT} NOT NULL,
            value double precision NOT NULL,
            PRIMARY KEY (pipeline, name, label)
        )""",
        # Written twice a second while a run is on: room is left, so that it is rewritten in place.
        f"""CREATE TABLE etl_claims (
            pipeline {_TEXT} PRIMARY KEY,
            fence bigint NOT NULL,
            backend integer,
            run_id text NOT NULL,
            expires_at timestamptz NOT NULL,
            cancel text,
            progress text
        ) WITH (fillfactor = 20)""",
    ),
    (
        "ALTER TABLE etl_runs ADD COLUMN partitions text",
        # Runs that are divided among workers: nobody may take over before `until`, though no worker is there just now.
        "ALTER TABLE etl_claims ADD COLUMN until timestamptz, ADD COLUMN turn timestamptz",
        f"""CREATE TABLE etl_partitions (
            fence bigint NOT NULL,
            idx integer NOT NULL,
            pipeline {_TEXT} NOT NULL,
            attempt integer NOT NULL DEFAULT 0,
            status text NOT NULL DEFAULT 'pending',
            merges boolean NOT NULL DEFAULT false,
            record text,
            staged text,
            PRIMARY KEY (fence, idx)
        ) WITH (fillfactor = 20)""",
    ),
)


def prepare(database: Database, migrations: Sequence[Migration] = MIGRATIONS) -> None:
    """Bring the engine's tables to this version, all of it or nothing; a standby that has them already will do.

    Raises:
        DatabaseUnsuitable: the database cannot hold every text.
        SchemaTooNew: a newer version has been here.
    """
    connection = database.connect()
    try:
        if (encoding := connection.info.parameter_status("server_encoding")) != "UTF8":
            raise DatabaseUnsuitable(
                f"the database at {database.where} keeps text as {encoding}; make the database with ENCODING UTF8",
                field="load.postgres.dsn",
            )
        link = Link(connection)
        with translated(database):
            if version(link, database, len(migrations)) == len(migrations):
                return
            with connection.transaction():
                # One at a time, of all that come up at once.
                link.execute("SELECT pg_advisory_xact_lock(hashtext(?))", [f"etlpipeline {database.schema}"])
                for migration in migrations[version(link, database, len(migrations)) :]:
                    for statement in migration:
                        link.execute(statement)
                link.execute("CREATE TABLE IF NOT EXISTS etl_version (version integer NOT NULL)")
                link.execute("DELETE FROM etl_version")
                link.execute("INSERT INTO etl_version VALUES (?)", [len(migrations)])
    finally:
        connection.close()


def version(link: Link, database: Database, newest: int) -> int:
    """The version of the engine's tables in the schema; 0 where there are none.

    Raises:
        SchemaTooNew: above ``newest``.
    """
    found = link.execute("SELECT to_regclass('etl_version') IS NOT NULL").fetchone()[0]
    current = int(link.execute("SELECT version FROM etl_version").fetchone()[0]) if found else 0
    if current > newest:
        raise SchemaTooNew(
            f"schema {database.schema} of {database.where} was written by a newer version of etl "
            f"(its tables are version {current}, this one knows {newest}); install the newer version"
        )
    return current
