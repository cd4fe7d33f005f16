"""Reading a document, from a file or from elsewhere, and saying all that is wrong with it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from etl_service.spec.pipeline import API_VERSION, KIND, EtlPipeline
from etl_service.spec.problems import Location, Problem, SpecInvalid, path_of
from etl_service.spec.translate import located_problems
from etl_service.spec.yamltext import Document, NotYaml, documents

_MOST_BYTES = 2**20


def load_pipeline(path: Path) -> EtlPipeline:
    """Read the pipeline of a YAML or JSON file.

    Raises:
        SpecInvalid: with all that is wrong.
    """
    return parse_pipeline(_text(path), str(path))


def parse_pipeline(text: str, name: str = "the document") -> EtlPipeline:
    """Read the one pipeline among the YAML documents of a text, or that of a JSON text.

    Raises:
        SpecInvalid: with all that is wrong; ``name`` is what its message calls the text.
    """
    try:
        document = _only_pipeline(documents(text), name)
    except NotYaml as error:
        raise SpecInvalid(name, [Problem(path_of(error.location), error.message, error.remedy, error.line)]) from None
    return _validated(document, name)


def validate_pipeline(resource: Mapping[str, Any], name: str = "the resource") -> EtlPipeline:
    """Read a pipeline that has been parsed already, such as a resource of a cluster.

    Raises:
        SpecInvalid: with all that is wrong.
    """
    return _validated(Document(dict(resource)), name)


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(_MOST_BYTES + 1)
    except FileNotFoundError:
        raise SpecInvalid(str(path), [Problem("", "is not there", "check the path")]) from None
    except OSError as error:
        problem = Problem("", f"cannot be read: {error.strerror}", "check what it is, and who may read it")
        raise SpecInvalid(str(path), [problem]) from None
    if len(raw) > _MOST_BYTES:
        raise SpecInvalid(str(path), [Problem("", "is larger than 1 MiB", "name the file of a pipeline")])
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise SpecInvalid(str(path), [Problem("", "is not UTF-8 text", "save it as UTF-8", line)]) from None


def _only_pipeline(found: list[Document], name: str) -> Document:
    """The pipeline among other resources; a document that stands alone is meant to be one, whatever it says."""
    pipelines = [document for document in found if _kind(document) == KIND]
    if not found:
        raise SpecInvalid(name, [Problem("", "is empty", f"write a resource of kind: {KIND}")])
    if len(pipelines) > 1:
        what, line = f"holds {len(pipelines)} pipelines", pipelines[1].line(())
        raise SpecInvalid(name, [Problem("", what, "keep each in a file of its own", line)])
    if not pipelines and len(found) > 1:
        what = f"holds no resource of kind {KIND}"
        raise SpecInvalid(name, [Problem("", what, f"write kind: {KIND} in one of them")])
    return (pipelines or found)[0]


def _kind(document: Document) -> object:
    return document.value.get("kind") if isinstance(document.value, dict) else None


def _validated(document: Document, name: str) -> EtlPipeline:
    if not isinstance(document.value, dict):
        raise SpecInvalid(name, [Problem("", "must be a map", "begin with apiVersion, kind, metadata and spec", 1)])
    resource = _without_the_servers(document.value)
    problems: list[tuple[Location, Problem]] = []
    pipeline = None
    try:
        problems += [*_missing(resource), *_nulls(resource, ())]
        pipeline = EtlPipeline.model_validate_json(_json(resource), by_alias=True, by_name=False)
    except ValidationError as error:
        known = {location for location, _ in problems}
        problems += [found for found in located_problems(error, EtlPipeline) if found[0] not in known]
    except RecursionError:
        problems = [((), Problem("", "is nested too deeply", "write fewer levels"))]
    except (TypeError, ValueError):
        what = "holds what JSON cannot say, such as NaN, an infinity or half a character"
        problems = [((), Problem("", what, "leave it out"))]
    if pipeline is None or problems:
        lined = [replace(problem, line=document.line(location)) for location, problem in problems]
        raise SpecInvalid(name, sorted(lined, key=lambda problem: problem.line or 0))
    return pipeline


def _without_the_servers(resource: dict[str, Any]) -> dict[str, Any]:
    """Leave out what the API server and the operator add to a resource, so that `kubectl get -o yaml` can be read."""
    kept = {key: value for key, value in resource.items() if key != "status"}
    if isinstance(kept.get("metadata"), dict):
        kept["metadata"] = {key: value for key, value in kept["metadata"].items() if key not in _SERVERS_METADATA}
    return kept


_SERVERS_METADATA = frozenset(
    """
    creationTimestamp deletionGracePeriodSeconds deletionTimestamp finalizers generateName generation managedFields
    ownerReferences resourceVersion selfLink uid
    """.split()
)


def _missing(resource: dict[str, Any]) -> Iterator[tuple[Location, Problem]]:
    """What Python may leave out, and a document may not."""
    for field, value in (("apiVersion", API_VERSION), ("kind", KIND)):
        if field not in resource:
            yield (field,), Problem(field, "is missing", f"add {field}: {value}")


def _nulls(value: object, location: Location) -> Iterator[tuple[Location, Problem]]:
    """A cluster refuses nothing in the place of something; so it is refused everywhere."""
    if value is None:
        yield location, Problem(path_of(location), "is empty", "give it a value, or leave the field out")
    elif isinstance(value, dict) and location not in _FREE:
        for key, member in value.items():
            yield from _nulls(member, (*location, key))
    elif isinstance(value, list) and location not in _FREE:
        for index, member in enumerate(value):
            yield from _nulls(member, (*location, index))


#: Fields with contents of any form.
_FREE: frozenset[Location] = frozenset((("spec", "extract", "body"), ("spec", "pod", "affinity")))


def _json(resource: dict[str, Any]) -> bytes:
    return json.dumps(resource, ensure_ascii=False, allow_nan=False).encode()
