"""The command line with a document that names PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from sources.postgres import PASSWORD, Server

from .conftest import SAMPLE, Ended


@pytest.fixture
def schema(postgres: Server) -> str:
    return f"cli_{next(postgres.numbers)}"


@pytest.fixture
def user(postgres: Server) -> str:
    """Without a right to anything."""
    name = f"cli_user_{next(postgres.numbers)}"
    postgres.execute(f"CREATE ROLE {name} LOGIN PASSWORD '{PASSWORD}'")
    return name


@pytest.fixture
def document(folder: Path, postgres: Server, schema: str, user: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("POSTGRES_DSN", postgres.dsn(user=user))
    load = f"key: [id], postgres: {{dsn: {{env: POSTGRES_DSN}}, schema: {schema}}}"
    (folder / "there.yaml").write_text(SAMPLE.replace("key: [id]", load))
    return "there.yaml"


def test_what_grants_prints_is_all_that_is_needed(
    etl: Callable[..., Ended], document: str, postgres: Server, user: str, schema: str
) -> None:
    # given neither a schema nor a right to it
    refused = etl("run", document)
    assert (refused.code, "DatabaseNotFound" in refused.err, "`etl grants`" in refused.err) == (1, True, True)

    # when, and again, since it may be run again
    postgres.execute("CREATE ROLE looking LOGIN PASSWORD 'looking'")
    for _ in range(2):
        postgres.execute(etl("grants", document, "--role", user, "--reader", "looking").out)

    # then
    assert etl("run", document).code == 0
    assert etl("preview", document).code == 0
    assert "97 new" in etl("runs", "--file", document).out
    with psycopg.connect(postgres.dsn(user="looking", password="looking")) as reader:
        assert reader.execute(f"SELECT count(*) FROM {schema}.posts".encode()).fetchone() == (97,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            reader.execute(f"DELETE FROM {schema}.posts".encode())


def test_grants_serve_an_owner_who_is_no_superuser(
    etl: Callable[..., Ended], document: str, postgres: Server, user: str, schema: str
) -> None:
    # given an owner of a database who may make roles
    owner, reader = f"owner_{schema}", f"reader_{schema}"
    postgres.execute(f"CREATE ROLE {owner} LOGIN CREATEROLE PASSWORD 'owner'")
    postgres.execute(f"CREATE ROLE {reader} LOGIN PASSWORD 'reader'")
    postgres.execute(f"CREATE DATABASE {owner} OWNER {owner}")

    with psycopg.connect(postgres.dsn(owner, owner, "owner"), autocommit=True) as connection:
        for _ in range(2):
            connection.execute(etl("grants", document, "--role", user, "--reader", reader).out.encode())

    with psycopg.connect(postgres.dsn(owner, user), autocommit=True) as connection:
        connection.execute(f"CREATE TABLE {schema}.later AS SELECT 1 AS one".encode())
    with psycopg.connect(postgres.dsn(owner, reader, "reader")) as connection:
        assert connection.execute(f"SELECT one FROM {schema}.later".encode()).fetchone() == (1,)


def test_grants_serve_who_is_the_owner_and_the_user(
    etl: Callable[..., Ended], document: str, postgres: Server, user: str
) -> None:
    postgres.execute(f"CREATE DATABASE {user} OWNER {user}")
    with psycopg.connect(postgres.dsn(user, user), autocommit=True) as connection:
        connection.execute(etl("grants", document, "--role", user, "--reader", user).out.encode())


def test_a_wrong_password_is_told_of_and_not_repeated(
    etl: Callable[..., Ended], document: str, postgres: Server, user: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POSTGRES_DSN", postgres.dsn(user=user, password="hunter2"))
    monkeypatch.setenv("ETL_LOG_LEVEL", "debug")

    refused = etl("run", document)

    assert refused.code == 1
    assert refused.err.startswith("DatabaseLoginRefused: PostgreSQL at 127.0.0.1:")
    assert "  where: load.postgres.dsn\n  what to do: correct the user or the password\n" in refused.err
    assert "hunter2" not in refused.err + refused.out


def test_a_missing_secret_is_named(etl: Callable[..., Ended], document: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("POSTGRES_DSN")

    refused = etl("runs", "--file", document)

    assert refused.code == 2
    assert "load.postgres.dsn: the environment variable POSTGRES_DSN is not set" in refused.err


def test_a_backup_is_for_other_tools(etl: Callable[..., Ended], document: str, postgres: Server, user: str) -> None:
    postgres.execute(etl("grants", document, "--role", user).out)

    refused = etl("backup", "copy.db", "--file", document)

    assert refused.code == 1
    assert "pg_dump" in refused.err


def test_a_pipeline_moves_and_goes_on_there(
    etl: Callable[..., Ended], document: str, postgres: Server, user: str
) -> None:
    postgres.execute(etl("grants", document, "--role", user).out)
    etl("run", "posts.yaml")

    moved = etl("move", document)

    assert moved.code == 0, moved.err
    assert "Both hold the same." in moved.out
    assert "97 the same" in etl("run", document).out.replace("unchanged", "the same")
    assert len(etl("runs", "--file", document).out.splitlines()) == 2


def test_moving_wants_to_know_where_to(etl: Callable[..., Ended]) -> None:
    etl("run", "posts.yaml")

    assert "set load.postgres in it" in etl("move", "posts.yaml").err
