"""Secrets are read where they are used, and never shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from etl_service.errors import SpecError
from etl_service.spec import Secret, SecretKeyRef, SecretMissing, read_secret

FIELD = "spec.extract.auth.bearer.token"
REF = Secret(secret_key_ref=SecretKeyRef(name="api", key="token"))


@pytest.mark.parametrize(
    ("kept", "secret"),
    [
        ("hunter2", "hunter2"),
        ("hunter2\n", "hunter2"),
        ("hunter2\r\n", "hunter2"),
        ("hunter2\n\n", "hunter2\n"),
        (" hunter2 ", " hunter2 "),
        ("ключ", "ключ"),
    ],
)
def test_a_secret_is_read_less_one_newline(kept, secret, tmp_path: Path):
    (tmp_path / "api").mkdir()
    (tmp_path / "api/token").write_bytes(kept.encode())

    assert read_secret(REF, FIELD, environ={}, folder=tmp_path) == secret
    assert read_secret(Secret(file="api/token"), FIELD, environ={}, base=tmp_path) == secret
    assert read_secret(Secret(file=f"{tmp_path}/api/token"), FIELD, environ={}) == secret
    assert read_secret(Secret(env="TOKEN"), FIELD, environ={"TOKEN": kept}) == secret


def test_a_secret_is_read_anew_each_time(tmp_path: Path):
    kept = tmp_path / "token"
    kept.write_text("old")
    before = read_secret(Secret(file="token"), FIELD, environ={}, base=tmp_path)

    kept.write_text("new")

    assert (before, read_secret(Secret(file="token"), FIELD, environ={}, base=tmp_path)) == ("old", "new")


@pytest.mark.parametrize(
    ("secret", "environ", "message"),
    [
        (Secret(env="TOKEN"), {}, "the environment variable TOKEN is not set"),
        (Secret(env="TOKEN"), {"TOKEN": "\n"}, "the environment variable TOKEN is empty"),
        (REF, {}, "the Secret api with the key token is not there: there is no file {folder}/api/token"),
        (Secret(file="token"), {}, "there is no file {folder}/token"),
        (Secret(file="empty"), {}, "the file {folder}/empty is empty"),
        (Secret(file="binary"), {}, "the file {folder}/binary is not UTF-8 text"),
        (Secret(file="folder"), {}, "the file {folder}/folder cannot be read (Is a directory)"),
    ],
    ids=str,
)
def test_a_missing_secret_is_told_with_its_field_and_where_it_was_looked_for(secret, environ, message, tmp_path: Path):
    (tmp_path / "empty").touch()
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "folder").mkdir()

    with pytest.raises(SecretMissing) as missing:
        read_secret(secret, FIELD, environ=environ, folder=tmp_path, base=tmp_path)

    assert isinstance(missing.value, SpecError)
    assert missing.value.reason == "SecretMissing"
    assert missing.value.field == FIELD
    assert missing.value.message.startswith(f"{FIELD}: {message.format(folder=tmp_path)}; ")
