"""Secrets that are written where everyone can read them."""

from __future__ import annotations

from pydantic_core import PydanticCustomError

from etl_service.spec.base import wrong


def literal_secret(what: str = "", *, instead: str = "use spec.extract.auth, and") -> PydanticCustomError:
    """Refuse a secret in the document, and say what to write instead."""
    named = f" ({what})" if what else ""
    return wrong(
        f"is a literal secret{named}, readable by everyone who can read the document",
        f"{instead} name where it is kept: {{secretKeyRef: {{name, key}}}}, {{env: NAME}} or {{file: path}}",
    )


def is_credential(name: str) -> bool:
    """Tell whether a header or parameter of this name holds a secret: ``X-Api-Key``, ``access_token``."""
    return name.lower().removeprefix("x-").replace("-", "").replace("_", "") in _CREDENTIALS


#: Without case, separators and a leading X-.
_CREDENTIALS = frozenset(
    """
    accesskey accesstoken apikey apisecret apitoken auth authkey authorization authtoken bearertoken clientsecret cookie
    idtoken jwt oauthtoken ocpapimsubscriptionkey passwd password privatekey privatetoken proxyauthorization
    refreshtoken secret secretkey sessionid sessiontoken subscriptionkey token
    """.split()
)
