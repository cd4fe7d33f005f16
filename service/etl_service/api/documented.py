"""What the OpenAPI document says of answers that many routes share."""

from __future__ import annotations

from typing import Any

from etl_service.api.problems import MEDIA_TYPE

Responses = dict[int | str, dict[str, Any]]

_DETAILS = {
    400: "The request cannot be read.",
    401: "The token is missing or wrong.",
    403: "The request comes from another site.",
    404: "There is no such thing.",
    405: "The path does not take this method.",
    408: "The body did not come in time.",
    409: "Another run is under way, the pipeline is suspended, or there is nothing to do it to.",
    413: "The body is too large.",
    422: "A parameter is not as it should be.",
    429: "More is asked for than ETL_CHANGES_PER_MINUTE lets be.",
    500: "The service failed for a reason that it does not know.",
    502: "The source did not give what the document promises of it.",
    503: "The database is not available.",
}
#: What any route may answer with, whatever it does ...
ANYWHERE = (401, 500, 503)
#: ... and any that changes something.
CHANGES = (403, 408, 413, 429)

_RETRY_AFTER = {
    "Retry-After": {"description": "In how many seconds to try again.", "schema": {"type": "integer", "minimum": 1}}
}


def problems(*statuses: int) -> Responses:
    """Problem answers of a route: those named, and those that any route may give."""
    return {
        status: {
            "description": _DETAILS[status],
            **({"headers": _RETRY_AFTER} if status in (429, 503) else {}),
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status in sorted({*statuses, *ANYWHERE})
    }


NEXT_LINK = {
    "Link": {
        "description": 'Where the next page is: `<…>; rel="next"`. Left out on the last one.',
        "schema": {"type": "string"},
    }
}
