"""The JSON Schema of a document, for editors and for whoever generates more from it."""

from __future__ import annotations

from typing import Any

from etl_service.spec.base import VALIDATIONS
from etl_service.spec.pipeline import API_VERSION, EtlPipeline


def json_schema() -> dict[str, Any]:
    """The schema of a document, draft 2020-12: what it refuses, `load_pipeline` refuses too.

    Types, patterns, bounds and unions are in it, and every field's description. What no schema can say (how the
    fields of a document fit together, SQL's words, time zones) is not.
    """
    schema = _without_validations(document_schema())
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"https://{API_VERSION.replace('/', '/schemas/')}/pipeline.json",
        "title": "EtlPipeline",
        **schema,
        "required": ["apiVersion", "kind", *schema["required"]],
    }


def document_schema() -> dict[str, Any]:
    """What all schemas of a document are made from: with the rules between fields in CEL."""
    schema: dict[str, Any] = _tidy(EtlPipeline.model_json_schema(by_alias=True))
    return schema


def _without_validations(part: Any) -> Any:
    if isinstance(part, list):
        return [_without_validations(member) for member in part]
    if isinstance(part, dict):
        return {key: _without_validations(member) for key, member in part.items() if key != VALIDATIONS}
    return part


def _tidy(part: Any, *, of_names: bool = False) -> Any:
    """Without titles, which Pydantic makes up, defaults, which the descriptions tell, and null, which is refused.

    Args:
        of_names: the part maps names to schemas, so that ``title`` in it is a name.
    """
    if isinstance(part, list):
        return [_tidy(member) for member in part]
    if not isinstance(part, dict):
        return part
    if "patternProperties" in part:
        ((pattern, value),) = part["patternProperties"].items()
        part = {key: member for key, member in part.items() if key != "patternProperties"}
        part |= {"propertyNames": {"pattern": pattern, **part.get("propertyNames", {})}, "additionalProperties": value}
    if of_names:
        return {name: _tidy(member) for name, member in part.items()}
    kept = {
        key: _tidy(value, of_names=key in ("properties", "$defs"))
        for key, value in part.items()
        if key not in ("title", "default")
    }
    members = [member for member in kept.pop("anyOf", []) if member != {"type": "null"}]
    if len(members) == 1:
        return {**members[0], **kept}
    return {**kept, "anyOf": members} if members else kept
