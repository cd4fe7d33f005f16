"""The CustomResourceDefinition, from the models of the document: what it says of a field, `etl check` says too."""

from __future__ import annotations

from typing import Any

from etl_operator.kinds import GROUP, KIND, PLURAL, VERSION
from etl_service.spec import document_schema

VALIDATIONS = "x-kubernetes-validations"


def crd() -> dict[str, Any]:
    """The resource's definition: structural, with the rules between fields in CEL, and without defaults in ``spec``."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{PLURAL}.{GROUP}", "labels": {"app.kubernetes.io/part-of": "etlpipeline"}},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": KIND,
                "listKind": f"{KIND}List",
                "plural": PLURAL,
                "singular": KIND.lower(),
                "shortNames": ["etl"],
                "categories": ["all", "etl"],
            },
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": _schema()},
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": _COLUMNS,
                }
            ],
        },
    }


def _schema() -> dict[str, Any]:
    document = document_schema()
    spec = _structural(document["$defs"]["PipelineSpec"], document["$defs"])
    return {
        "description": document["description"],
        "type": "object",
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": spec,
            "status": _STATUS,
        },
        VALIDATIONS: [
            {
                "rule": "self.metadata.name.matches('^[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?$')",
                "message": "metadata.name is not a pipeline's name; write lowercase letters, digits and '-', letters "
                "or digits first and last, at most 40 characters, like my-posts",
            },
            *({"rule": rule, "message": message, "fieldPath": path} for path, rule, message in _ONLY_ON_A_CLUSTER),
        ],
    }


def _structural(part: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """A JSON Schema in the form that Kubernetes wants: no references, no alternatives, fields of one type each."""
    if "$ref" in part:
        target = _structural(definitions[part["$ref"].rpartition("/")[2]], definitions)
        return target | {key: value for key, value in part.items() if key != "$ref"}
    kept = {key: value for key, value in part.items() if key not in _UNKNOWN_TO_KUBERNETES}
    match part.get("type"):
        case ["string", "integer"]:
            kept = {key: kept[key] for key in kept if key not in ("type", "minLength", "maxLength")}
            kept["x-kubernetes-int-or-string"] = True
        case list() | None:  # several types, or any
            return {"description": part["description"]} | _ANYTHING if "description" in part else dict(_ANYTHING)
        case "object":
            kept |= _map(part, definitions)
            if "secretKeyRef" in part.get("properties", ()):
                kept[VALIDATIONS] = [*part[VALIDATIONS], _NO_OTHER_SECRET]
        case "array":
            kept["items"] = _structural(part["items"], definitions)
    if "const" in part:
        kept["enum"] = [part["const"]]
    if "exclusiveMinimum" in part:
        kept |= {"minimum": part["exclusiveMinimum"], "exclusiveMinimum": True}
    return kept


def _map(part: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """The members of an object: fields with names of their own, or any names with values of one kind."""
    # The server leaves out a map of no fields, and what is applied again must be what it has.
    if part.get("properties"):
        return {"properties": {name: _structural(value, definitions) for name, value in part["properties"].items()}}
    values = part.get("additionalProperties")
    if not isinstance(values, dict):
        return {}
    inner = _structural(values, definitions)
    return dict(_ANYTHING) if inner == _ANYTHING and "maxProperties" not in part else {"additionalProperties": inner}


#: Pruning stands for the refusal of unknown fields; which names a map may have, the operator checks.
_UNKNOWN_TO_KUBERNETES = ("additionalProperties", "propertyNames", "properties", "const", "exclusiveMinimum", "not")
_ANYTHING: dict[str, Any] = {"x-kubernetes-preserve-unknown-fields": True}


_NO_OTHER_SECRET = {
    "rule": "!has(self.env) && !has(self.file)",
    "message": "names an environment variable or a file, which pods lack; name a key of a Secret in secretKeyRef",
}

_SIZE = "quantity(has({0}.spec.storage) && has({0}.spec.storage.size) ? {0}.spec.storage.size : '1Gi')"
_CAPACITY = (
    "(has(self.status) && has(self.status.storage) && has(self.status.storage.capacity) ? "
    "self.status.storage.capacity : '1024Ti')"
)
_CLASS = "(has({0}.spec.storage) && has({0}.spec.storage.storageClassName) ? {0}.spec.storage.storageClassName : '')"

#: The path within the resource, the rule and its message. What must not change is compared with what the code does
#: with an unset field. A size that the volume never reached may be taken back.
_ONLY_ON_A_CLUSTER = (
    (
        ".spec.extract.url",
        "!self.spec.extract.url.startsWith('file:')",
        "names a file, which pods do not have; serve it over HTTP",
    ),
    (
        ".spec.storage.size",
        f"{_SIZE.format('self')}.compareTo({_SIZE.format('oldSelf')}) >= 0 || "
        f"{_SIZE.format('self')}.compareTo(quantity({_CAPACITY})) >= 0",
        "is less than the volume has, and a volume cannot shrink; leave it as it is, or move to a new pipeline",
    ),
    (
        ".spec.storage.storageClassName",
        f"{_CLASS.format('self')} == {_CLASS.format('oldSelf')}",
        "cannot change: a volume stays what it is; move to a new pipeline",
    ),
)


def _text(description: str, **more: Any) -> dict[str, Any]:
    return {"type": "string", "description": description, **more}


def _time(description: str) -> dict[str, Any]:
    return _text(description, format="date-time")


def _count(description: str) -> dict[str, Any]:
    return {"type": "integer", "format": "int64", "description": description}


_RUN: dict[str, Any] = {
    "type": "object",
    "description": "A run, with its counts of records.",
    "properties": {
        "id": _text("Id of the run, in the history too."),
        "requestId": _text("Id of the request that asked for it."),
        "trigger": _text("What asked for it: request, schedule, rest, cli or replay."),
        "job": _text("Name of its Job, where it has one."),
        "startTime": _time("When it began."),
        "endTime": _time("When it ended."),
        "result": _text("Running, Succeeded, Failed, Interrupted, Cancelled or Skipped."),
        "reason": _text("Why it did not succeed, in one word."),
        "message": _text("Why it did not succeed, and what to do."),
        **{
            name: {"type": "integer", "format": "int64"}
            for name in ("fetched", "inserted", "updated", "unchanged", "rejected", "skipped", "deleted")
        },
        "partitions": {
            "type": "object",
            "description": "How far its partitions are, where it is divided among several pods.",
            "properties": {
                "count": _count("How many there are."),
                "completed": _text("Indexes of those that are complete, such as 0-4,7; not there while none is."),
                "failed": _text("Indexes of those that failed for good."),
            },
        },
    },
}


def _undescribed(part: Any) -> Any:
    if isinstance(part, dict):
        return {name: _undescribed(value) for name, value in part.items() if name != "description"}
    return part


_CONDITION: dict[str, Any] = {
    "type": "object",
    "required": ["type", "status", "lastTransitionTime", "reason", "message"],
    "properties": {
        "type": _text("Ready, Reconciling, Stalled, RunSucceeded or Suspended."),
        "status": _text("True, False or Unknown.", enum=["True", "False", "Unknown"]),
        "observedGeneration": _count("The spec that it speaks of."),
        "lastTransitionTime": _time("When its status last changed."),
        "reason": _text("Why, in one word."),
        "message": _text("Why, in words."),
    },
}

_STATUS: dict[str, Any] = {
    "type": "object",
    "description": "What the operator has seen and done.",
    # So that nothing looks finished before it is: a resource without a status counts as current to some.
    "default": {"observedGeneration": -1},
    "properties": {
        "observedGeneration": _count("The spec that the rest of the status speaks of."),
        "conditions": {
            "type": "array",
            "description": "Ready: all is as the spec says, and available. Reconciling and Stalled are there only "
            "while True. RunSucceeded: how the last run ended; it never touches Ready. Suspended: no runs are begun.",
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["type"],
            "items": _CONDITION,
        },
        "lastRequestId": _text("The spec.run.requestId that was handled last."),
        "lastRunAnnotation": _text(f"The {GROUP}/run annotation that was handled last."),
        "lastRun": _RUN,
        "recentRuns": {
            "type": "array",
            "maxItems": 10,
            "description": "The last runs, the newest first; their fields are those of lastRun.",
            "items": _undescribed(_RUN),
        },
        "lastSuccessTime": _time("When a run last succeeded."),
        "nextScheduleTime": _time("When the schedule begins the next run."),
        "scheduledSince": _time(
            "Since when the schedule begins runs: it was set or changed then, or the pipeline resumed."
        ),
        "rows": _count("Rows of the table, after the last run."),
        "storage": {
            "type": "object",
            "description": "The volume of the database.",
            "properties": {
                "claim": _text("Name of the PersistentVolumeClaim."),
                "capacity": _text("Size that it has."),
                "phase": _text("Bound, Pending or Lost."),
            },
        },
    },
}


def _column(name: str, kind: str, path: str, priority: int = 0, **more: Any) -> dict[str, Any]:
    return {"name": name, "type": kind, "jsonPath": path, **({"priority": priority} if priority else {}), **more}


_COLUMNS = [
    _column("Ready", "string", '.status.conditions[?(@.type=="Ready")].status'),
    _column("Last run", "date", ".status.lastRun.startTime"),
    _column("Result", "string", ".status.lastRun.result"),
    _column("Rows", "integer", ".status.rows"),
    _column("Next", "string", ".status.nextScheduleTime"),
    _column("Suspended", "string", '.status.conditions[?(@.type=="Suspended")].status'),
    _column("Reason", "string", '.status.conditions[?(@.type=="Ready")].reason', priority=1),
    _column("Age", "date", ".metadata.creationTimestamp"),
]
