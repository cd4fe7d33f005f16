"""Settings: one frozen object, read from the environment at the entry point and passed on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar, get_args

from etl_service.errors import EtlError

if TYPE_CHECKING:
    from etl_service.spec import AllowedSources

LogFormat = Literal["console", "json"]
LogLevel = Literal["debug", "info", "warning", "error"]
Protect = Literal["writes", "reads"]

_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_Word = TypeVar("_Word", bound=str)
_Default = TypeVar("_Default")


class SettingsInvalid(EtlError):
    """An environment variable says something that cannot be."""

    reason = "InvalidSettings"


@dataclass(frozen=True, slots=True)
class Settings:
    """What the environment decides, and no document does."""

    #: ETL_DATABASE: the SQLite file.
    database: Path = Path("etl.db")
    #: ETL_PIPELINE: the document, where the command line names none.
    pipeline: Path | None = None
    #: ETL_SECRETS: the folder where a secretKeyRef is read, as `<name>/<key>`.
    secrets: Path = Path("/run/secrets")
    #: ETL_ALLOWED_SOURCES: what may be read besides public addresses, with commas between: hosts, `*.domains`,
    #: addresses and networks; or `*` for anything, as where it is not set. Set and empty, it admits public addresses
    #: alone.
    sources: AllowedSources | None = None
    #: ETL_HOST: the address to listen on.
    host: str = "127.0.0.1"
    #: ETL_PORT: the port to listen on.
    port: int = 8000
    #: ETL_ALLOWED_HOSTS: names by which the service may be asked to change something, with commas between. Not
    #: set, they are this machine's own where it listens to nobody else, and any elsewhere.
    hosts: tuple[str, ...] = ()
    #: ETL_API_TOKEN: what a client must send to change something; or ETL_API_TOKEN_FILE, a file that holds it.
    api_token: str | None = field(default=None, repr=False)
    #: ETL_API_PROTECT: what needs the token, writes or reads too.
    api_protect: Protect = "writes"
    #: ETL_CHANGES_PER_MINUTE: how many changes may be asked for over REST, whatever comes of them; 0 sets no limit.
    changes_per_minute: int = 120
    #: ETL_KEEP_SCHEDULE: yes, or no where something else keeps it, as a CronJob does on a cluster.
    keep_schedule: bool = True
    #: ETL_RUN_WITH: the command that asks for a run in partitions, where this service is not to start its workers
    #: itself; it then refuses such a run, and tells the command.
    run_with: str | None = None
    #: ETL_TERMINATION_LOG: a file in which a run leaves its record, at most 4 KiB of it.
    termination_log: Path | None = None
    #: ETL_LOST_RUNS: a file in which others tell what became of runs that could not say it.
    lost_runs: Path | None = None
    #: ETL_LOG_FORMAT: console or json.
    log_format: LogFormat = "console"
    #: ETL_LOG_LEVEL: debug, info, warning or error. Not set, a run by hand tells warnings, and everything else info.
    log_level: LogLevel | None = None

    @property
    def allowed_hosts(self) -> tuple[str, ...]:
        """As set; else only this machine's own names where the service listens to nobody else, else any (empty)."""
        return self.hosts or (_LOOPBACK if self.host in _LOOPBACK else ())


def read_settings(environ: Mapping[str, str]) -> Settings:
    """Settings from ``ETL_*`` variables; an empty one counts as not set, save that an empty list allows no more than it
    says.

    Raises:
        SettingsInvalid: one of them cannot be, and what could.
    """
    given = {name: value for name, value in environ.items() if name.startswith("ETL_") and value.strip()}
    default = Settings()
    token, protect = _token(given), _one_of(given, "ETL_API_PROTECT", get_args(Protect), default.api_protect)
    if protect == "reads" and token is None:
        raise SettingsInvalid(
            "ETL_API_PROTECT is reads, and there is no token to protect them with; set ETL_API_TOKEN, too",
            field="ETL_API_PROTECT",
        )
    return Settings(
        database=Path(given.get("ETL_DATABASE", default.database)),
        pipeline=Path(given["ETL_PIPELINE"]) if "ETL_PIPELINE" in given else None,
        secrets=Path(given.get("ETL_SECRETS", default.secrets)),
        sources=_sources(environ.get("ETL_ALLOWED_SOURCES")),
        host=given.get("ETL_HOST", default.host).strip(),
        port=_number(given, "ETL_PORT", default.port, 65535),
        hosts=tuple(name.strip().lower() for name in given.get("ETL_ALLOWED_HOSTS", "").split(",") if name.strip()),
        api_token=token,
        api_protect=protect,
        changes_per_minute=_number(given, "ETL_CHANGES_PER_MINUTE", default.changes_per_minute, 1_000_000),
        keep_schedule=_one_of(given, "ETL_KEEP_SCHEDULE", ("yes", "no"), "yes") == "yes",
        run_with=given.get("ETL_RUN_WITH"),
        termination_log=Path(given["ETL_TERMINATION_LOG"]) if "ETL_TERMINATION_LOG" in given else None,
        lost_runs=Path(given["ETL_LOST_RUNS"]) if "ETL_LOST_RUNS" in given else None,
        log_format=_one_of(given, "ETL_LOG_FORMAT", get_args(LogFormat), default.log_format),
        log_level=_one_of(given, "ETL_LOG_LEVEL", get_args(LogLevel), None),
    )


def _sources(text: str | None) -> AllowedSources | None:
    if text is None:
        return None
    from etl_service.spec import SourcesInvalid, allowed_sources  # which imports all that a document may say

    try:
        return allowed_sources(text)
    except SourcesInvalid as error:
        raise SettingsInvalid(f"ETL_ALLOWED_SOURCES: {error}", field="ETL_ALLOWED_SOURCES") from error


def _number(given: Mapping[str, str], name: str, default: int, most: int) -> int:
    text = given.get(name, str(default)).strip()
    if text.isascii() and text.isdecimal() and len(text) < 10 and int(text) <= most:
        return int(text)
    raise SettingsInvalid(f"{name} is {text!r}; make it a number up to {most}", field=name)


def _token(given: Mapping[str, str]) -> str | None:
    if "ETL_API_TOKEN" in given:
        token = given["ETL_API_TOKEN"].strip()
    elif "ETL_API_TOKEN_FILE" in given:
        token = _read(Path(given["ETL_API_TOKEN_FILE"]))
    else:
        return None
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise SettingsInvalid(
            "ETL_API_TOKEN is empty or has characters that a header cannot carry; make one with `openssl rand -hex 32`",
            field="ETL_API_TOKEN",
        )
    return token


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsInvalid(
            f"ETL_API_TOKEN_FILE is {path}, which cannot be read: {error}", field="ETL_API_TOKEN_FILE"
        ) from error


def _one_of(given: Mapping[str, str], name: str, words: Sequence[_Word], default: _Default) -> _Word | _Default:
    if name not in given:
        return default
    written = given[name].strip().lower()
    for word in words:
        if word == written:
            return word
    raise SettingsInvalid(f"{name} is {written!r}; make it one of {', '.join(words)}", field=name)
