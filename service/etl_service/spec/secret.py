"""Secrets are named in a document, never written in it, and read where they are used."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, model_validator

from etl_service.errors import SpecError
from etl_service.spec.base import Model
from etl_service.spec.credentials import literal_secret
from etl_service.spec.kubernetes import SecretKeyRef
from etl_service.spec.rules import SECRET_RULES
from etl_service.spec.text import plain_text

#: Where Docker, Compose and the operator put secrets: ``<name>/<key>`` beneath it.
SECRETS = Path("/run/secrets")

EnvironmentName = Annotated[
    str, plain_text("the name of an environment variable", "write it like API_TOKEN", "[A-Za-z_][A-Za-z0-9_]*", 128, 1)
]
FilePath = Annotated[
    str, plain_text("the path of a file", "write it without control characters", r"[^\x00-\x1f\x7f]+", 1024, 1)
]


class Secret(Model):
    """Where to read a secret: exactly one of the three. The secret itself is never written here."""

    secret_key_ref: SecretKeyRef | None = Field(
        default=None,
        description="A key of a Kubernetes Secret. Away from a cluster the file `/run/secrets/<name>/<key>`.",
    )
    env: EnvironmentName | None = Field(
        default=None, description="Name of an environment variable. Not on a cluster: use secretKeyRef there."
    )
    file: FilePath | None = Field(
        default=None,
        description="Path of a file; a newline at its end is left out. Not on a cluster: use secretKeyRef there.",
    )

    rules = SECRET_RULES

    @model_validator(mode="before")
    @classmethod
    def _is_no_literal(cls, given: Any) -> Any:
        if isinstance(given, str | int | float):
            raise literal_secret(instead="only")
        return given


class SecretMissing(SpecError):
    """A secret is not where the document says it is."""

    reason = "SecretMissing"

    def __init__(self, field: str, looked: str, remedy: str) -> None:
        super().__init__(f"{field}: {looked}; {remedy}", field=field)


def read_secret(
    secret: Secret, field: str, *, environ: Mapping[str, str], folder: Path = SECRETS, base: Path = Path()
) -> str:
    """Read a secret now, less the newline that editors and ``echo`` leave at its end.

    Args:
        field: the secret's path in the document, for the message.
        folder: where a secretKeyRef is found as ``<name>/<key>``.
        base: what a relative ``file`` starts from.

    Raises:
        SecretMissing: it is not there, cannot be read, or is empty.
    """
    if secret.env is not None:
        return _from_environment(secret.env, field, environ)
    if (ref := secret.secret_key_ref) is not None:
        path = folder / ref.name / ref.key
        looked = f"the Secret {ref.name} with the key {ref.key} is not there: there is no file {path}"
        remedy = "on a cluster, create it in the pipeline's namespace; elsewhere, write the file"
        return _from_file(path, SecretMissing(field, looked, remedy))
    path = base / (secret.file or "")
    return _from_file(path, SecretMissing(field, f"there is no file {path}", "put the secret there, or name another"))


def _from_environment(name: str, field: str, environ: Mapping[str, str]) -> str:
    value = _without_newline(environ.get(name, ""))
    if not value:
        what = "empty" if name in environ else "not set"
        raise SecretMissing(field, f"the environment variable {name} is {what}", "set it where the engine runs")
    return value


def _from_file(path: Path, missing: SecretMissing) -> str:
    field = missing.field or ""
    try:
        value = _without_newline(path.read_bytes().decode())
    except FileNotFoundError:
        raise missing from None
    except UnicodeDecodeError:
        raise SecretMissing(field, f"the file {path} is not UTF-8 text", "write the secret as text") from None
    except OSError as error:
        looked = f"the file {path} cannot be read ({error.strerror})"
        raise SecretMissing(field, looked, "check what it is, and who may read it") from None
    if not value:
        raise SecretMissing(field, f"the file {path} is empty", "write the secret into it")
    return value


def _without_newline(text: str) -> str:
    return text.removesuffix("\n").removesuffix("\r")
