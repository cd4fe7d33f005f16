"""How a source is told who asks."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from etl_service.spec.address import WebUrl
from etl_service.spec.base import Model
from etl_service.spec.request import HeaderName
from etl_service.spec.rules import AUTH_RULES
from etl_service.spec.secret import Secret
from etl_service.spec.text import Items, plain_text

#: What goes into a request as it is.
Visible = Annotated[
    str, plain_text("visible text", "write it without control characters", r"[^\x00-\x1f\x7f]+", 256, 1)
]
#: OAuth 2.0 has them in one header, space-separated.
Scope = Annotated[
    str, plain_text("a scope", "write visible ASCII without spaces", r"[\x21\x23-\x5b\x5d-\x7e]+", 256, 1)
]
User = Annotated[
    str, plain_text("a user's name", "write it without colons and control characters", r"[^\x00-\x1f\x7f:]+", 256, 1)
]


class Bearer(Model):
    """`Authorization: Bearer` with a token."""

    token: Secret = Field(description="The token.")


class Basic(Model):
    """`Authorization: Basic` with a user's name and password."""

    username: User = Field(description="The user's name.")
    password: Secret = Field(description="The password.")


class ApiKey(Model):
    """A key in a header or a query parameter of its own."""

    name: HeaderName = Field(description="Name of the header or the parameter, such as X-Api-Key.")
    in_: Literal["header", "query"] = Field(
        default="header", description="Where the key goes: header or query. Default: header."
    )
    value: Secret = Field(description="The key.")


class OAuth2(Model):
    """OAuth 2.0 with client credentials: a token is fetched, and fetched anew when it expires."""

    token_url: WebUrl = Field(description="Where tokens are fetched, by POST.")
    client_id: Visible = Field(description="The client's id.")
    client_secret: Secret = Field(description="The client's secret.")
    scopes: Annotated[Items[Scope], Field(max_length=32)] = Field(
        default=(), description="Scopes to ask for. Default: none."
    )


class Auth(Model):
    """Credentials for the source: at most one kind. They are not sent to other hosts."""

    bearer: Bearer | None = Field(default=None, description="A bearer token.")
    basic: Basic | None = Field(default=None, description="A user's name and password.")
    api_key: ApiKey | None = Field(default=None, description="A key in a header or a query parameter.")
    oauth2: OAuth2 | None = Field(default=None, description="OAuth 2.0 with client credentials.")

    rules = AUTH_RULES
