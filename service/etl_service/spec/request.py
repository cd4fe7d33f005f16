"""What a document adds to the requests: parameters and headers, none of them a secret."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Annotated, Any

from pydantic import Field
from pydantic_core import CoreSchema, core_schema

from etl_service.spec.base import wrong
from etl_service.spec.credentials import is_credential, literal_secret
from etl_service.spec.text import plain_text


def _look_at_param(name: str) -> None:
    if is_credential(name):
        raise literal_secret()


def _look_at_header(name: str) -> None:
    if is_credential(name):
        raise literal_secret()
    if name.lower() in _FRAMING:
        raise wrong("is a header that HTTP itself writes", "leave it out")


#: What HTTP itself, and not a document, says.
_FRAMING = frozenset(("connection", "content-length", "host", "te", "trailer", "transfer-encoding", "upgrade"))

_PARAM = plain_text("the name of a query parameter", "write it like page", r"[^\x00-\x20\x7f&=#]+", 128, 1)
#: A token of RFC 9110.
_HEADER = plain_text("the name of a header", "write it like Accept-Language", "[-!#$%&'*+.^_`|~A-Za-z0-9]+", 128, 1)


class _Scalar:
    """Text, a number or a boolean; JSON's spelling of the last two goes into the URL."""

    def validate(self, given: Any) -> Any:
        if not isinstance(given, str | int | float) or (isinstance(given, float) and not math.isfinite(given)):
            raise wrong("must be text, a number, true or false", "write one value; several are written as one text")
        if isinstance(given, str) and len(given) > _LONGEST:
            raise wrong(f"has more than {_LONGEST} characters", "shorten it")
        return given

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.validate)

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: Any) -> dict[str, Any]:
        return {"type": ["string", "number", "boolean"], "maxLength": _LONGEST}


_LONGEST = 2048

ParamName = Annotated[str, _PARAM]
HeaderName = Annotated[str, _HEADER]
HeaderValue = Annotated[
    str,
    plain_text(
        "a header's value", "write printable ASCII on one line", r"[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?", 2048, 1
    ),
]

Scalar = Annotated[str | int | float | bool, _Scalar()]
Params = Annotated[
    dict[Annotated[str, replace(_PARAM, look=_look_at_param)], Scalar],
    Field(max_length=64),
]
Headers = Annotated[dict[Annotated[str, replace(_HEADER, look=_look_at_header)], HeaderValue], Field(max_length=64)]


def as_text(value: str | float) -> str:
    """As JSON writes it; text as it is."""
    return value if isinstance(value, str) else json.dumps(value)
