"""docs/reference/rest.md: every path of the REST API, and what goes over it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from etl_service.api.documented import ANYWHERE
from tools.reference import anchor, cell

Part = Mapping[str, Any]


def rest_reference(openapi: Part) -> str:
    operations = {
        f"{method.upper()} {path}": operation
        for path, methods in openapi["paths"].items()
        for method, operation in methods.items()
    }
    anywhere = [str(status) for status in ANYWHERE]
    rows = operations["GET /posts"]
    return "\n".join(
        [
            "# REST\n",
            f"{openapi['info']['description'].strip()}\n",
            "Below is the API of the pipeline `posts`, whose table has that name; a running service explains its own "
            "at `/docs` and describes it at `/openapi.json`, as [openapi.json](../openapi.json) does here.\n",
            "| | |\n|---|---|",
            *(f"| [`{name}`](#{anchor(name)}) | {operation['summary']} |" for name, operation in operations.items()),
            "\nAn error is a [Problem](#problem). Almost anywhere, it may be one of these:\n",
            *_answers((status, rows["responses"][status]) for status in anywhere),
            *(line for name, operation in operations.items() for line in _operation(name, operation, anywhere)),
            "## Objects\n",
            *(line for name, schema in openapi["components"]["schemas"].items() for line in _object(name, schema)),
        ]
    )


def _operation(name: str, operation: Part, anywhere: list[str]) -> Iterator[str]:
    yield f"## `{name}`\n"
    yield f"{operation['summary']}. {operation.get('description', '')}".rstrip() + "\n"
    if "parameters" in operation:
        yield "| parameter | in | |\n|---|---|---|"
        for one in operation["parameters"]:
            yield f"| `{one['name']}` | {one['in']} | {cell(' '.join(_of_parameter(one)))} |"
        yield ""
    yield from _answers((status, told) for status, told in operation["responses"].items() if status not in anywhere)


def _of_parameter(parameter: Part) -> Iterator[str]:
    schema = parameter["schema"]
    if "description" in parameter:
        yield parameter["description"]
    if "enum" in schema:
        yield f"One of {', '.join(schema['enum'])}."
    if "maximum" in schema:
        yield f"At most {schema['maximum']}."
    if "default" in schema:
        yield f"Default: {str(schema['default']).lower()}."


def _answers(answers: Iterable[tuple[str, Part]]) -> Iterator[str]:
    yield "| status | |\n|---|---|"
    for status, answer in answers:
        headers = (f"Header `{name}`: {header['description']}" for name, header in answer.get("headers", {}).items())
        kinds = [
            shape if "[" in (shape := _shape(content["schema"])) else f"`{kind}`"
            for kind, content in answer.get("content", {}).items()
            if kind != "application/problem+json"
        ]
        said = (answer["description"], *headers, f"({', '.join(kinds)})" if kinds else "")
        yield f"| {status} | {cell(' '.join(filter(None, said)))} |"
    yield ""


def _object(name: str, schema: Part) -> Iterator[str]:
    yield f"### {name}\n"
    if "description" in schema:
        yield f"{schema['description'].replace('``', '`')}\n"
    yield "| member | type | |\n|---|---|---|"
    for member, field in schema.get("properties", {}).items():
        if field.get("type") != "null":  # what is to come
            yield f"| `{member}` | {_shape(field)} | {cell(field.get('description', ''))} |"
    yield ""


def _shape(schema: Part) -> str:
    """The type of a value, in a word; a link where it is an object of this page."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(_shape(one) for one in schema["anyOf"])
    if "enum" in schema:
        return ", ".join(f"`{word}`" for word in schema["enum"])
    if schema.get("type") == "array" and "items" in schema:
        return f"list of {_shape(schema['items'])}"
    return str(schema.get("type", "any"))
