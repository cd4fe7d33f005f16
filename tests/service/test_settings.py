"""What the environment decides."""

from __future__ import annotations

from pathlib import Path

import pytest

from etl_service.settings import Settings, SettingsInvalid, read_settings
from etl_service.spec import allowed_sources


def test_an_empty_environment_is_the_defaults() -> None:
    assert read_settings({}) == Settings()
    assert read_settings({"ETL_PORT": "", "ETL_LOG_LEVEL": " ", "PATH": "/bin"}) == Settings()


def test_every_variable_is_read() -> None:
    settings = read_settings(
        {
            "ETL_DATABASE": "/data/etl.db",
            "ETL_PIPELINE": "/etc/posts.yaml",
            "ETL_SECRETS": "/secrets",
            "ETL_ALLOWED_SOURCES": "sample-api,10.1.0.0/16",
            "ETL_HOST": "0.0.0.0",
            "ETL_PORT": "80",
            "ETL_ALLOWED_HOSTS": "Etl.example, other.example,",
            "ETL_API_TOKEN": "abc",
            "ETL_API_PROTECT": "reads",
            "ETL_CHANGES_PER_MINUTE": "10",
            "ETL_KEEP_SCHEDULE": "no",
            "ETL_TERMINATION_LOG": "/dev/termination-log",
            "ETL_LOST_RUNS": "/etc/lost.json",
            "ETL_LOG_FORMAT": "JSON",
            "ETL_LOG_LEVEL": "debug",
        }
    )

    assert settings == Settings(
        database=Path("/data/etl.db"),
        pipeline=Path("/etc/posts.yaml"),
        secrets=Path("/secrets"),
        sources=allowed_sources("public,sample-api,10.1.0.0/16"),
        host="0.0.0.0",
        port=80,
        hosts=("etl.example", "other.example"),
        api_token="abc",
        api_protect="reads",
        changes_per_minute=10,
        keep_schedule=False,
        termination_log=Path("/dev/termination-log"),
        lost_runs=Path("/etc/lost.json"),
        log_format="json",
        log_level="debug",
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ETL_ALLOWED_SOURCES", "http://sample-api"),
        ("ETL_PORT", "http"),
        ("ETL_PORT", "65536"),
        ("ETL_PORT", "-1"),
        ("ETL_CHANGES_PER_MINUTE", "often"),
        ("ETL_CHANGES_PER_MINUTE", "1.5"),
        ("ETL_API_PROTECT", "all"),
        ("ETL_LOG_FORMAT", "xml"),
        ("ETL_KEEP_SCHEDULE", "maybe"),
        ("ETL_LOG_LEVEL", "loud"),
        ("ETL_API_TOKEN", "two words"),
        ("ETL_API_TOKEN", "schlüssel"),
        ("ETL_API_TOKEN_FILE", "/does/not/exist"),
    ],
)
def test_what_cannot_be_is_named_with_what_could(name: str, value: str) -> None:
    with pytest.raises(SettingsInvalid) as refused:
        read_settings({name: value})

    assert name.removesuffix("_FILE") in refused.value.message
    assert refused.value.field == name


def test_anything_may_be_read_where_nothing_is_said_and_where_it_is_said_so() -> None:
    assert read_settings({}).sources is None
    assert read_settings({"ETL_ALLOWED_SOURCES": "*"}).sources is None


def test_an_empty_list_of_sources_opens_nothing() -> None:
    assert read_settings({"ETL_ALLOWED_SOURCES": " "}).sources == allowed_sources("public")


def test_the_token_can_be_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("abc\n")

    assert read_settings({"ETL_API_TOKEN_FILE": str(tmp_path / "token")}).api_token == "abc"


def test_an_empty_token_file_is_no_open_door(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("\n")

    with pytest.raises(SettingsInvalid):
        read_settings({"ETL_API_TOKEN_FILE": str(tmp_path / "token")})


def test_the_token_is_not_shown() -> None:
    assert "abc" not in repr(Settings(api_token="abc"))


@pytest.mark.parametrize(
    ("settings", "allowed"),
    [
        (Settings(), ("localhost", "127.0.0.1", "::1")),
        (Settings(host="0.0.0.0"), ()),
        (Settings(host="0.0.0.0", hosts=("a.example",)), ("a.example",)),
        (Settings(hosts=("a.example",)), ("a.example",)),
    ],
)
def test_a_service_of_this_machine_alone_is_known_by_its_names_alone(
    settings: Settings, allowed: tuple[str, ...]
) -> None:
    assert settings.allowed_hosts == allowed


def test_reads_are_not_protected_without_a_token_to_protect_them_with() -> None:
    with pytest.raises(SettingsInvalid, match="set ETL_API_TOKEN"):
        read_settings({"ETL_API_PROTECT": "reads"})
