"""Pages of docs/reference/: each is Markdown, made from the code that it describes."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator, Mapping
from typing import Any

import click

import etl_operator.settings
import etl_service
import etl_service.settings
from etl_operator.crd import crd
from etl_service.cli import etl
from etl_service.errors import EtlError
from etl_service.spec import json_schema


def document() -> str:
    """Every field of a pipeline's document, and of the status that a cluster adds."""
    definitions = json_schema()["$defs"]
    resource = crd()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
    parts = [
        "# The document\n",
        "Every field that a pipeline's document may have. `etl check` says what is wrong with yours; `etl schema` "
        "prints the same for editors, as [pipeline.schema.json](../pipeline.schema.json) holds it, and on a cluster "
        "`kubectl explain etlpipeline.spec` tells it.\n",
        "Durations are written like `30s` or `1h30m`, sizes like `512Ki` or `1Gi`. An unknown field is an error. "
        "A * marks what must be there. What becomes of values is in [From JSON to columns](../conversions.md).\n",
        _EXAMPLE,
        *_fields("metadata", definitions["Metadata"], definitions),
        *_fields("spec", definitions["PipelineSpec"], definitions),
        *_fields("A secret", definitions["Secret"], definitions),
        *_fields("status", resource["status"], {}),
    ]
    return "\n".join(parts)


_EXAMPLE = """```yaml
apiVersion: etlpipeline.dev/v1alpha1
kind: EtlPipeline
metadata:
  name: posts
spec:
  extract:
    url: https://jsonplaceholder.typicode.com/posts
  load:
    table: posts
    key: [id]
```
"""


def _fields(path: str, part: Mapping[str, Any], definitions: Mapping[str, Any]) -> Iterator[str]:
    """A table of the fields of an object, and one for each object within it."""
    yield f"## {path if ' ' in path else f'`{path}`'}\n"
    if "description" in part:
        yield f"{part['description']}\n"
    yield "| field | type | |\n|---|---|---|"
    within = {}
    for name, field in part["properties"].items():
        resolved = _resolved(field, definitions)
        mark = " *" if name in part.get("required", ()) else ""
        type_ = _type(field, definitions)
        for inner, suffix in ((resolved, ""), (_resolved(resolved.get("items", {}), definitions), "[]")):
            inner_path = f"{path}.{name}{suffix}"
            if _explains(inner) and _name(field) != "Secret":
                within[inner_path] = inner
                type_ = type_.replace("object", f"[object](#{anchor(inner_path)})")
        said = (field.get("description") or resolved.get("description", ""), *_bounds(resolved))
        yield f"| `{name}`{mark} | {type_} | {cell(' '.join(filter(None, said)))} |"
    yield ""
    for inner_path, inner in within.items():
        yield from _fields(inner_path, inner, definitions)


def _explains(part: Mapping[str, Any]) -> bool:
    """Whether there is something to say of the fields of an object."""
    return any("description" in field or "$ref" in field for field in part.get("properties", {}).values())


def _bounds(field: Mapping[str, Any]) -> Iterator[str]:
    if "minimum" in field and "maximum" in field:
        yield f"From {field['minimum']} to {field['maximum']}."


def _type(field: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    if _name(field) == "Secret":
        return "[secret](#a-secret)"
    resolved = _resolved(field, definitions)
    match resolved.get("type"):
        case "array":
            return f"list of {_type(resolved['items'], definitions)}"
        case "object" if "properties" not in resolved:
            return "map"
        case list() as several:
            return " or ".join(several)
        case None if "const" not in resolved:
            return "any"
    if "enum" in resolved:
        return ", ".join(f"`{word}`" for word in resolved["enum"])
    return str(resolved.get("type", "string"))


def _name(field: Mapping[str, Any]) -> str:
    return str(field.get("$ref", "")).rpartition("/")[2]


def _resolved(field: Mapping[str, Any], definitions: Mapping[str, Any]) -> dict[str, Any]:
    return {**field, **definitions[_name(field)]} if "$ref" in field else dict(field)


def command_line() -> str:
    """Every command of `etl`, as its --help says it."""
    width: dict[str, Any] = {"max_content_width": 100, "terminal_width": 100}
    context = click.Context(etl, info_name="etl", **etl.context_settings, **width)
    parts = ["# The command line\n", f"```text\n{etl.get_help(context)}\n```\n"]
    for name in etl.list_commands(context):
        command = etl.get_command(context, name)
        assert command is not None
        within = click.Context(command, info_name=name, parent=context, **width)
        parts.append(f"## `etl {name}`\n\n```text\n{command.get_help(within)}\n```\n")
    return "\n".join(parts)


def environment() -> str:
    """Every environment variable, from the comments above the settings."""
    parts = [
        "# Settings\n",
        "What the environment decides, and no document does. An empty variable counts as not set, unless it says "
        "otherwise; one that cannot be is an error at the start, which names it.\n",
    ]
    for title, module in (("The service, and `etl`", etl_service.settings), ("The operator", etl_operator.settings)):
        parts += [f"## {title}\n", "| variable | | default |\n|---|---|---|"]
        parts += [f"| `{name}` | {cell(said)} | {default} |" for name, said, default in _variables(module.Settings)]
        parts.append("")
    return "\n".join(parts)


#: `#: ETL_PORT: the port.` in one line or more, and `port: int = 8000` below.
_SETTING = re.compile(r"^    #: (?P<variable>ETL_\w+): (?P<said>.*(?:\n    #: .*)*)\n    (?P<name>\w+):", re.MULTILINE)


def _variables(settings: type[Any]) -> Iterator[tuple[str, str, str]]:
    for found in _SETTING.finditer(inspect.getsource(settings)):
        default = getattr(settings(), found["name"])
        yield found["variable"], found["said"].replace("#: ", ""), _default(default)


def _default(value: object) -> str:
    if value is None or value == () or value == "":
        return ""
    return f"`{'yes' if value is True else 'no' if value is False else value}`"


def reasons() -> str:
    """Every reason that an error can have."""
    for found in pkgutil.walk_packages(etl_service.__path__, "etl_service."):
        if not found.name.endswith("__main__"):
            importlib.import_module(found.name)
    known = {kind.reason: kind for kind in _kinds(EtlError)}
    rows = [f"| `{reason}` | {_promise(kind)} | {_remedy(kind)} |" for reason, kind in sorted(known.items())]
    return "\n".join(
        [
            "# Reasons\n",
            "An error has a reason that does not change between versions, and a message that names the field and says "
            "what to do; where that is always the same, so does this page. Both are in the run record, in "
            "`application/problem+json`, on the command line and in the status of the resource. Reasons of conditions "
            "and of lost pods are in [Troubleshooting](../troubleshooting.md), those of rejected records in [From JSON "
            "to columns](../conversions.md).\n",
            "| reason | what it is | what to do |\n|---|---|---|",
            *rows,
            "",
        ]
    )


def _kinds(kind: type[EtlError]) -> Iterator[type[EtlError]]:
    for one in kind.__subclasses__():
        if "reason" in vars(one):
            yield one
        yield from _kinds(one)


def _promise(kind: type[EtlError]) -> str:
    return cell(inspect.cleandoc(vars(kind)["__doc__"]).split("\n\n")[0].replace("``", "`"))


def _remedy(kind: type[EtlError]) -> str:
    return cell(getattr(kind, "remedy", ""))


def anchor(heading: str) -> str:
    """By which GitHub knows a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
