"""Settings of the operator: one frozen object, read from the environment at the entry point."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, cast

from etl_service import __version__
from etl_service.spec import ANYTHING, SourcesInvalid, allowed_sources

LogLevel = Literal["debug", "info", "warning", "error"]
_LEVELS = ("debug", "info", "warning", "error")


class SettingsInvalid(Exception):
    """An environment variable says something that cannot be."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What the platform decides, and no pipeline does."""

    #: ETL_NAMESPACES: the namespaces to keep, with commas between. Not set, it is the whole cluster.
    namespaces: tuple[str, ...] = ()
    #: ETL_SERVICE_IMAGE: for pipelines that name none in service.image.
    service_image: str = f"etlpipeline/service:{__version__}"
    #: ETL_FRONTEND_IMAGE: for pipelines that name none in frontend.image.
    frontend_image: str = f"etlpipeline/frontend:{__version__}"
    #: ETL_ALLOWED_SOURCES: what pipelines may read besides public addresses, with commas between: hosts, `*.domains`,
    #: addresses and networks; or `*` for anything.
    allowed_sources: str = "public"
    #: ETL_PORT: of probes and metrics.
    port: int = 8080
    #: ETL_LOG_LEVEL: debug, info, warning or error.
    log_level: LogLevel = "info"
    #: ETL_LEASE: etl-operator, where there are several replicas: the Lease that the one at work holds, and no other
    #: name. Not set where there is one.
    lease: str | None = None
    #: ETL_POD_NAME: the pod's name, which holds the Lease.
    identity: str = "etl-operator"
    #: ETL_POD_NAMESPACE: the pod's namespace, where the Lease is.
    home: str = "default"


def read_settings(environ: Mapping[str, str]) -> Settings:
    """Settings from ``ETL_*`` variables; an empty one counts as not set.

    Raises:
        SettingsInvalid: one of them cannot be, and what could.
    """
    given = {name: value.strip() for name, value in environ.items() if name.startswith("ETL_") and value.strip()}
    default = Settings()
    level = given.get("ETL_LOG_LEVEL", default.log_level).lower()
    if level not in _LEVELS:
        raise SettingsInvalid(f"ETL_LOG_LEVEL is {level!r}; make it one of {', '.join(_LEVELS)}")
    port = given.get("ETL_PORT", str(default.port))
    if not (port.isdecimal() and 0 <= int(port) <= 65535):
        raise SettingsInvalid(f"ETL_PORT is {port!r}; make it a number up to 65535")
    return Settings(
        namespaces=tuple(name.strip() for name in given.get("ETL_NAMESPACES", "").split(",") if name.strip()),
        service_image=given.get("ETL_SERVICE_IMAGE", default.service_image),
        frontend_image=given.get("ETL_FRONTEND_IMAGE", default.frontend_image),
        allowed_sources=_allowed_sources(given.get("ETL_ALLOWED_SOURCES", default.allowed_sources)),
        port=int(port),
        log_level=cast(LogLevel, level),
        lease=given.get("ETL_LEASE"),
        identity=given.get("ETL_POD_NAME", default.identity),
        home=given.get("ETL_POD_NAMESPACE", default.home),
    )


def _allowed_sources(text: str) -> str:
    """The list as pods get it: written in one way, so that no other spelling of it starts them anew."""
    try:
        allowed = allowed_sources(text)
    except SourcesInvalid as error:
        raise SettingsInvalid(f"ETL_ALLOWED_SOURCES: {error}") from error
    return allowed.text if allowed else ANYTHING
