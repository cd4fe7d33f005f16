"""Documents that are refused, in one table: whatever else reads a document, such as a CRD, can be held to it.

A case changes `DOCUMENT` in one place, and names the field at fault and what is said about it. ``by_schema`` tells
that a schema can say it: types, patterns, bounds and unions. The rest needs a program. ``by_server`` tells that a
Kubernetes API server says it, by the schema and the rules of the CRD; where it is not set, it does what a schema does.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

#: As small as a document can be.
DOCUMENT: dict[str, Any] = {
    "apiVersion": "etlpipeline.dev/v1alpha1",
    "kind": "EtlPipeline",
    "metadata": {"name": "posts"},
    "spec": {"extract": {"url": "https://api.example.com/posts"}, "load": {"table": "posts", "key": ["id"]}},
}

#: In a change: leave the field out.
LEFT_OUT = object()


@dataclass(frozen=True)
class Case:
    path: str
    change: dict[str, Any]
    message: str
    by_schema: bool = False
    by_server: bool | None = None


def changed(change: dict[str, Any], document: dict[str, Any] = DOCUMENT) -> dict[str, Any]:
    """The document with the change merged into it, map by map."""
    merged = copy.deepcopy(document)
    for key, value in change.items():
        if value is LEFT_OUT:
            del merged[key]
        elif isinstance(value, dict) and isinstance(merged.get(key), dict):
            merged[key] = changed(value, merged[key])
        else:
            merged[key] = value
    return merged


def spec(**parts: Any) -> dict[str, Any]:
    return {"spec": parts}


def extract(**fields: Any) -> dict[str, Any]:
    return {"spec": {"extract": fields}}


def load(**fields: Any) -> dict[str, Any]:
    return {"spec": {"load": fields}}


def divided(partitions: dict[str, Any], **extract: Any) -> dict[str, Any]:
    """A document whose runs are divided among workers."""
    stored = {"postgres": {"dsn": {"secretKeyRef": REF}}}
    return {"spec": {"extract": {"partitions": partitions, **extract}, "load": stored}}


def columns(*columns: dict[str, Any]) -> dict[str, Any]:
    """The columns, and the key's before them."""
    return {"spec": {"transform": {"columns": [ID, *columns]}}}


ID = {"name": "id", "type": "integer"}
NAME = {"name": "name", "type": "text"}
CHANGED = {"name": "changed_at", "type": "timestamp"}
SECRET = {"env": "TOKEN"}
REF = {"name": "api", "key": "token"}
SINCE = {"column": "changed_at", "param": "since", "start": "2024-01-01"}

LITERAL = "is a literal secret"

HEAD = [
    Case("apiVersion", {"apiVersion": LEFT_OUT}, "is missing", by_schema=True),
    Case("apiVersion", {"apiVersion": "v1"}, "must be etlpipeline.dev/v1alpha1", by_schema=True),
    Case("kind", {"kind": LEFT_OUT}, "is missing", by_schema=True),
    Case("kind", {"kind": "Pipeline"}, "must be EtlPipeline", by_schema=True),
    Case("metadata", {"metadata": LEFT_OUT}, "is missing", by_schema=True),
    Case("metadata.name", {"metadata": {"name": LEFT_OUT}}, "is missing", by_schema=True),
    Case("metadata.name", {"metadata": {"name": "Posts"}}, "is not a pipeline's name", by_schema=True),
    Case("metadata.name", {"metadata": {"name": "-posts"}}, "is not a pipeline's name", by_schema=True),
    Case("metadata.name", {"metadata": {"name": "a.b"}}, "is not a pipeline's name", by_schema=True),
    Case("metadata.name", {"metadata": {"name": "p" * 41}}, "has more than 40 characters", by_schema=True),
    Case("metadata.name", {"metadata": {"name": 5}}, "must be text", by_schema=True),
    Case("metadata.namespace", {"metadata": {"namespace": "a b"}}, "is not a namespace", by_schema=True),
    Case("metadata.lables", {"metadata": {"lables": {}}}, "is no field", by_schema=True),
    Case('metadata.labels["a b"]', {"metadata": {"labels": {"a b": "c"}}}, "is not a label's key", by_schema=True),
    Case("metadata.labels.a", {"metadata": {"labels": {"a": "b c"}}}, "is not a label's value", by_schema=True),
    Case("metadata.labels.a", {"metadata": {"labels": {"a": True}}}, "must be text", by_schema=True),
    Case("metadata.labels.a", {"metadata": {"labels": {"a": "b" * 64}}}, "has more than 63", by_schema=True),
    Case("metadata.annotations.a", {"metadata": {"annotations": {"a": 1}}}, "must be text", by_schema=True),
    Case("spec", {"spec": LEFT_OUT}, "is missing", by_schema=True),
    Case("spec", {"spec": []}, "must be a map, and is a list", by_schema=True),
    Case("spec.extract", spec(extract=LEFT_OUT), "is missing", by_schema=True),
    Case("spec.load", spec(load=LEFT_OUT), "is missing", by_schema=True),
    Case("spec.transfrom", spec(transfrom={}), "is no field", by_schema=True),
    Case("spec.suspend", spec(suspend="no"), "must be true or false, and is text", by_schema=True),
    Case("extract", {"extract": {}}, "is no field", by_schema=True),
]

EXTRACT = [
    Case("spec.extract.url", extract(url=LEFT_OUT), "is missing", by_schema=True),
    Case("spec.extract.url", extract(url=""), "is empty", by_schema=True),
    Case("spec.extract.url", extract(url="ftp://example.com/posts"), "is not a URL", by_schema=True),
    Case("spec.extract.url", extract(url="HTTPS://example.com"), "is not a URL", by_schema=True),
    Case("spec.extract.url", extract(url="example.com/posts"), "is not a URL", by_schema=True),
    Case("spec.extract.url", extract(url="https://example.com/a b"), "is not a URL", by_schema=True),
    Case("spec.extract.url", extract(url="https://example.com/\n"), "is not a URL", by_schema=True),
    Case("spec.extract.url", extract(url="https://a/" + "b" * 2048), "has more than 2048", by_schema=True),
    Case("spec.extract.url", extract(url="https:///posts"), "names no host"),
    Case("spec.extract.url", extract(url="https://a:port/"), "is no URL"),
    Case("spec.extract.url", extract(url="https://[::1/"), "is no URL"),
    Case("spec.extract.url", extract(url="https://a/#b"), "has a fragment"),
    Case("spec.extract.url", extract(url="https://user:hunter2@a/"), LITERAL),
    Case("spec.extract.url", extract(url="https://user@a/"), LITERAL),
    Case("spec.extract.url", extract(url="https://a/?x=1&api_key=hunter2"), LITERAL),
    Case("spec.extract.url", extract(url="file:"), "names no file", by_server=True),
    Case("spec.extract.url", extract(url="file://host/posts.json"), "names no file", by_server=True),
    Case("spec.extract.url", extract(url="file:posts.json?a=b"), "names no file", by_server=True),
    Case("spec.extract.url", extract(url="sample:users"), "is no sample"),
    Case("spec.extract.url", extract(url="sample://posts"), "is no sample"),
    Case("spec.extract.url", extract(url="file:posts.json", params={"a": 1}), "params needs one", by_server=True),
    Case(
        "spec.extract.url",
        extract(url="file:posts.json", headers={"Accept": "a/b"}),
        "headers needs one",
        by_server=True,
    ),
    Case(
        "spec.extract.url", extract(url="sample:", auth={"bearer": {"token": SECRET}}), "auth needs one", by_server=True
    ),
    Case(
        "spec.extract.url", extract(url="sample:posts", pagination={"link": {}}), "pagination needs one", by_server=True
    ),
    Case("spec.extract.url", extract(url="sample:posts", incremental=SINCE), "incremental needs one", by_server=True),
    Case("spec.extract.url", extract(url="sample:posts", method="POST"), "method POST needs one", by_server=True),
    Case("spec.extract.records", extract(records="data"), "is not a JSON Pointer", by_schema=True),
    Case("spec.extract.records", extract(records="/a~2"), "is not a JSON Pointer", by_schema=True),
    Case("spec.extract.records", extract(records="$.data"), "is not a JSON Pointer", by_schema=True),
    Case("spec.extract.records", extract(records=None), "is empty", by_schema=True, by_server=False),
    Case("spec.extract.method", extract(method="PUT"), "must be GET or POST", by_schema=True),
    Case("spec.extract.method", extract(method="get"), "must be GET or POST", by_schema=True),
    Case("spec.extract.body", extract(body={"a": 1}), "method is GET"),
    Case("spec.extract.body", extract(body=None), "is empty"),
    Case("spec.extract.params", extract(params=[]), "must be a map, and is a list", by_schema=True),
    Case("spec.extract.params", extract(params={f"p{i}": i for i in range(65)}), "has more than 64", by_schema=True),
    Case(
        'spec.extract.params["a b"]',
        extract(params={"a b": 1}),
        "is not the name of a query param",
        by_schema=True,
        by_server=False,
    ),
    Case(
        "spec.extract.params.a", extract(params={"a": [1]}), "must be text, a number", by_schema=True, by_server=False
    ),
    Case("spec.extract.params.a", extract(params={"a": None}), "is empty", by_schema=True, by_server=False),
    Case(
        "spec.extract.params.a",
        extract(params={"a": "b" * 2049}),
        "has more than 2048",
        by_schema=True,
        by_server=False,
    ),
    Case("spec.extract.params.api_key", extract(params={"api_key": "hunter2"}), LITERAL),
    Case("spec.extract.params.apikey", extract(params={"apikey": "hunter2"}), LITERAL),
    Case("spec.extract.params.access_token", extract(params={"access_token": "hunter2"}), LITERAL),
    Case("spec.extract.params.Token", extract(params={"Token": "hunter2"}), LITERAL),
    Case("spec.extract.headers.Authorization", extract(headers={"Authorization": "Bearer hunter2"}), LITERAL),
    Case("spec.extract.headers.authorization", extract(headers={"authorization": "Bearer hunter2"}), LITERAL),
    Case("spec.extract.headers.Proxy-Authorization", extract(headers={"Proxy-Authorization": "hunter2"}), LITERAL),
    Case("spec.extract.headers.Cookie", extract(headers={"Cookie": "hunter2"}), LITERAL),
    Case("spec.extract.headers.X-Api-Key", extract(headers={"X-Api-Key": "hunter2"}), LITERAL),
    Case("spec.extract.headers.PRIVATE-TOKEN", extract(headers={"PRIVATE-TOKEN": "hunter2"}), LITERAL),
    Case("spec.extract.headers.Host", extract(headers={"Host": "a"}), "HTTP itself writes"),
    Case("spec.extract.headers.Content-Length", extract(headers={"Content-Length": "1"}), "HTTP itself writes"),
    Case(
        'spec.extract.headers["A:"]',
        extract(headers={"A:": "b"}),
        "is not the name of a header",
        by_schema=True,
        by_server=False,
    ),
    Case("spec.extract.headers.A", extract(headers={"A": "b\r\nC: d"}), "is not a header's value", by_schema=True),
    Case("spec.extract.headers.A", extract(headers={"A": "é"}), "is not a header's value", by_schema=True),
    Case("spec.extract.headers.A", extract(headers={"A": 1}), "must be text", by_schema=True),
]

AUTH = [
    Case(
        "spec.extract.auth",
        extract(auth={"bearer": {"token": SECRET}, "basic": {"username": "u", "password": SECRET}}),
        "sets bearer and basic",
        by_schema=True,
    ),
    Case("spec.extract.auth.digest", extract(auth={"digest": {}}), "is no field", by_schema=True),
    Case("spec.extract.auth.bearer.token", extract(auth={"bearer": {}}), "is missing", by_schema=True),
    Case("spec.extract.auth.bearer.token", extract(auth={"bearer": {"token": "hunter2"}}), LITERAL, by_schema=True),
    Case("spec.extract.auth.bearer.token", extract(auth={"bearer": {"token": 12345}}), LITERAL, by_schema=True),
    Case("spec.extract.auth.bearer.token", extract(auth={"bearer": {"token": {}}}), "sets none of", by_schema=True),
    Case(
        "spec.extract.auth.bearer.token",
        extract(auth={"bearer": {"token": {"env": "A", "file": "b"}}}),
        "sets env and file",
        by_schema=True,
    ),
    Case(
        "spec.extract.auth.bearer.token",
        extract(auth={"bearer": {"token": {"env": "A", "file": "b", "secretKeyRef": REF}}}),
        "sets secretKeyRef, env and file",
        by_schema=True,
    ),
    Case(
        "spec.extract.auth.bearer.token.value",
        extract(auth={"bearer": {"token": {"value": "hunter2", "env": "A"}}}),
        "is no field",
        by_schema=True,
    ),
    Case(
        "spec.extract.auth.bearer.token.env",
        extract(auth={"bearer": {"token": {"env": "A-B"}}}),
        "is not the name of an environment variable",
        by_schema=True,
    ),
    Case(
        "spec.extract.auth.bearer.token.file",
        extract(auth={"bearer": {"token": {"file": ""}}}),
        "is empty",
        by_schema=True,
    ),
    Case(
        "spec.extract.auth.bearer.token.secretKeyRef.key",
        extract(auth={"bearer": {"token": {"secretKeyRef": {"name": "api"}}}}),
        "is missing",
        by_schema=True,
    ),
    Case(
        "spec.extract.auth.bearer.token.secretKeyRef.key",
        extract(auth={"bearer": {"token": {"secretKeyRef": {"name": "api", "key": ".."}}}}),
        "is not a key of a Secret",
        by_schema=True,
    ),
    Case(
        "spec.extract.auth.bearer.token.secretKeyRef.name",
        extract(auth={"bearer": {"token": {"secretKeyRef": {"name": "../api", "key": "k"}}}}),
        "is not a name",
        by_schema=True,
    ),
    Case(
        "spec.extract.auth.basic.username",
        extract(auth={"basic": {"username": "a:b", "password": SECRET}}),
        "is not a user's name",
        by_schema=True,
    ),
    Case(
        "spec.extract.auth.basic.password",
        extract(auth={"basic": {"username": "u", "password": "hunter2"}}),
        LITERAL,
        by_schema=True,
    ),
    Case(
        "spec.extract.auth.apiKey.in",
        extract(auth={"apiKey": {"name": "k", "in": "cookie", "value": SECRET}}),
        "must be header or query",
        by_schema=True,
    ),
    Case(
        "spec.extract.auth.apiKey.value",
        extract(auth={"apiKey": {"name": "k", "value": "hunter2"}}),
        LITERAL,
        by_schema=True,
    ),
    Case(
        "spec.extract.auth.oauth2.tokenUrl",
        extract(auth={"oauth2": {"tokenUrl": "file:t", "clientId": "c", "clientSecret": SECRET}}),
        "is not a URL",
        by_schema=True,
    ),
    Case(
        "spec.extract.auth.oauth2.scopes[0]",
        extract(
            auth={"oauth2": {"tokenUrl": "https://a/", "clientId": "c", "clientSecret": SECRET, "scopes": ["a b"]}}
        ),
        "is not a scope",
        by_schema=True,
    ),
    Case(
        "spec.extract.auth.oauth2.scopes",
        extract(auth={"oauth2": {"tokenUrl": "https://a/", "clientId": "c", "clientSecret": SECRET, "scopes": "a"}}),
        "must be a list, and is text",
        by_schema=True,
    ),
]

PAGES = [
    Case("spec.extract.pagination", extract(pagination={"link": {}, "page": {}}), "sets page and link", by_schema=True),
    Case(
        "spec.extract.pagination",
        extract(pagination={"cursor": {"path": "/n"}, "nextUrl": {"path": "/n"}}),
        "sets cursor and nextUrl",
        by_schema=True,
    ),
    Case("spec.extract.pagination.pages", extract(pagination={"pages": {}}), "is no field", by_schema=True),
    Case(
        "spec.extract.pagination.link", extract(pagination={"link": None}), "is empty", by_schema=True, by_server=False
    ),
    Case("spec.extract.pagination.link", extract(pagination={"link": True}), "must be a map", by_schema=True),
    Case("spec.extract.pagination.page.size", extract(pagination={"page": {"size": 0}}), "at least 1", by_schema=True),
    Case(
        "spec.extract.pagination.page.sizeParam",
        extract(pagination={"page": {"sizeParam": "per_page"}}),
        "size is not",
        by_server=True,
    ),
    Case(
        "spec.extract.pagination.page",
        extract(pagination={"page": {"totalPath": "/total", "totalHeader": "X-Total-Count"}}),
        "sets totalPath and totalHeader",
        by_schema=True,
    ),
    Case("spec.extract.pagination.offset.limit", extract(pagination={"offset": {}}), "is missing", by_schema=True),
    Case(
        "spec.extract.pagination.cursor.path",
        extract(pagination={"cursor": {"param": "c"}}),
        "is missing",
        by_schema=True,
    ),
    Case("spec.extract.params", extract(params={"page": 1}, pagination={"page": {}}), "page is set twice"),
    Case(
        "spec.extract.params", extract(url="https://a/?offset=1", pagination={"offset": {"limit": 5}}), "offset is set"
    ),
    Case("spec.extract.params", extract(pagination={"offset": {"limit": 5, "param": "limit"}}), "limit is set twice"),
    Case(
        "spec.extract.params",
        extract(params={"key": "a"}, auth={"apiKey": {"name": "key", "in": "query", "value": SECRET}}),
        "key is set twice",
        by_server=True,
    ),
    Case("spec.extract.params", extract(params={"since": "a"}, incremental=SINCE), "since is set twice"),
]

COUNT = {"count": 4}
VALUES = {"param": "category", "values": ["books"]}
RANGES = {"param": "since", "from": "2024-01-01", "to": "2024-03-01", "step": "7d"}
#: Pages whose number the first answer tells, and such whose number it does not.
COUNTED = {"page": {"totalPath": "/total"}}
UNCOUNTED: list[dict[str, Any]] = [{}, {"link": {}}, {"page": {}}, {"offset": {"limit": 5}}]

PARTITIONS = [
    Case("spec.extract.partitions", extract(partitions=VALUES), "SQLite takes the rows of one process", by_server=True),
    Case("spec.extract.partitions", divided({}), "sets none of count, values and from", by_server=True),
    Case("spec.extract.partitions", divided(VALUES | RANGES), "sets several of count, values", by_server=True),
    Case("spec.extract.partitions.param", divided({"values": ["books"]}), "is missing", by_server=True),
    Case("spec.extract.partitions.values", divided(VALUES | {"values": []}), "is empty", by_schema=True),
    *(
        Case(
            "spec.extract.partitions.count",
            divided(COUNT, pagination=pagination),
            "does not tell where the pages end",
            by_server=True,
        )
        for pagination in UNCOUNTED
    ),
    Case("spec.extract.partitions.count", divided({"count": 1}, pagination=COUNTED), "at least 2", by_schema=True),
    Case("spec.extract.partitions.count", divided({"count": 501}, pagination=COUNTED), "at most 500", by_schema=True),
    *(
        Case(
            "spec.extract.partitions",
            divided({**COUNT, field: value}, pagination=COUNTED),
            f"sets {field}, which belongs to ranges",
            by_server=True,
        )
        for field, value in (("to", 5), ("step", 5), ("toParam", "until"), ("inclusive", True))
    ),
    Case(
        "spec.extract.partitions.param",
        divided({**COUNT, "param": "a"}, pagination=COUNTED),
        "count divides the pages",
        by_server=True,
    ),
    Case("spec.extract.partitions.parallelism", divided({**VALUES, "parallelism": 0}), "at least 1", by_schema=True),
    Case(
        "spec.extract.partitions.from",
        divided({"param": "since", "from": 0, "step": 5}),
        "is set without to",
        by_server=True,
    ),
    Case("spec.extract.partitions.from", divided({**RANGES, "from": "soon"}), "is not a number", by_schema=True),
    Case("spec.extract.partitions.from", divided({**RANGES, "from": "2024-02-30"}), "is no day of the calendar"),
    Case("spec.extract.partitions.to", divided({**RANGES, "to": 5}), "is a number, and from is a date"),
    Case("spec.extract.partitions.to", divided({**RANGES, "to": "2024-01-01"}), "does not come after from"),
    Case("spec.extract.partitions.step", divided({**RANGES, "step": "6h"}), "is no length for a date"),
    Case("spec.extract.partitions.step", divided({**RANGES, "to": "2034-01-01", "step": "1d"}), "more than 500"),
    Case("spec.extract.params", divided(RANGES, params={"since": "a"}), "since is set twice"),
    Case("spec.extract.url", divided(VALUES, url="sample:posts"), "partitions needs one", by_server=True),
]

LIMITS = [
    Case("spec.extract.limits.timeout", extract(limits={"timeout": 30}), "must be text", by_schema=True),
    Case("spec.extract.limits.timeout", extract(limits={"timeout": ""}), "is empty", by_schema=True),
    Case("spec.extract.limits.timeout", extract(limits={"timeout": "30"}), "is not a duration", by_schema=True),
    Case("spec.extract.limits.timeout", extract(limits={"timeout": "1d"}), "is not a duration", by_schema=True),
    Case("spec.extract.limits.timeout", extract(limits={"timeout": "1m1h"}), "is not a duration", by_schema=True),
    Case("spec.extract.limits.timeout", extract(limits={"timeout": "1.5s"}), "is not a duration", by_schema=True),
    Case("spec.extract.limits.timeout", extract(limits={"timeout": "-1s"}), "is not a duration", by_schema=True),
    Case("spec.extract.limits.timeout", extract(limits={"timeout": "30 s"}), "is not a duration", by_schema=True),
    Case("spec.extract.limits.timeout", extract(limits={"timeout": "٣s"}), "is not a duration", by_schema=True),
    Case("spec.extract.limits.timeout", extract(limits={"timeout": "0s"}), "must be from 100ms to 1h", by_server=True),
    Case("spec.extract.limits.timeout", extract(limits={"timeout": "61m"}), "must be from 100ms to 1h", by_server=True),
    Case("spec.extract.limits.timeOut", extract(limits={"timeOut": "1s"}), "is no field", by_schema=True),
    Case("spec.extract.limits.maxBytes", extract(limits={"maxBytes": 1000}), "must be text", by_schema=True),
    Case("spec.extract.limits.maxBytes", extract(limits={"maxBytes": "1GB"}), "is not a size", by_schema=True),
    Case("spec.extract.limits.maxBytes", extract(limits={"maxBytes": "1.5Gi"}), "is not a size", by_schema=True),
    Case(
        "spec.extract.limits.maxBytes",
        extract(limits={"maxBytes": "0"}),
        "must be from 1 byte to 1024Ti",
        by_server=True,
    ),
    Case("spec.extract.limits.concurrency", extract(limits={"concurrency": 0}), "at least 1", by_schema=True),
    Case("spec.extract.limits.concurrency", extract(limits={"concurrency": 65}), "at most 64", by_schema=True),
    Case(
        "spec.extract.limits.concurrency", extract(limits={"concurrency": "4"}), "a whole number, and", by_schema=True
    ),
    Case("spec.extract.limits.concurrency", extract(limits={"concurrency": 1.5}), "a whole number", by_schema=True),
    Case("spec.extract.limits.concurrency", extract(limits={"concurrency": True}), "a whole number", by_schema=True),
    Case("spec.extract.limits.retries", extract(limits={"retries": -1}), "at least 0", by_schema=True),
    Case("spec.extract.limits.maxPages", extract(limits={"maxPages": 0}), "at least 1", by_schema=True),
    Case(
        "spec.extract.limits.requestsPerSecond", extract(limits={"requestsPerSecond": 0}), "more than 0", by_schema=True
    ),
    Case(
        "spec.extract.limits.requestsPerSecond", extract(limits={"requestsPerSecond": "5"}), "a number", by_schema=True
    ),
]

TRANSFORM = [
    Case("spec.transform.columns", spec(transform={"columns": []}), "is empty", by_schema=True),
    Case("spec.transform.columns", spec(transform={"columns": None}), "is empty", by_schema=True, by_server=False),
    Case("spec.transform.columns", spec(transform={"columns": {}}), "must be a list", by_schema=True),
    Case("spec.transform.columns[1]", columns("name"), "must be a map, and is text", by_schema=True),  # type: ignore[arg-type]
    Case("spec.transform.columns[1].name", columns({"type": "text"}), "is missing", by_schema=True),
    Case("spec.transform.columns[1].type", columns({"name": "a"}), "is missing", by_schema=True),
    Case("spec.transform.columns[1].type", columns({"name": "a", "type": "int"}), "must be integer, n", by_schema=True),
    Case("spec.transform.columns[1].from", columns({**NAME, "from": "name"}), "is not a JSON Pointer", by_schema=True),
    Case("spec.transform.columns[1].from_", columns({**NAME, "from_": "/name"}), "is no field", by_schema=True),
    Case("spec.transform.columns[1].required", columns({**NAME, "required": 1}), "must be true or", by_schema=True),
    Case("spec.transform.columns[1].clean", columns({**NAME, "clean": "strip"}), "must be a list", by_schema=True),
    Case("spec.transform.columns[1].clean[0]", columns({**NAME, "clean": ["trim"]}), "must be strip,", by_schema=True),
    Case("spec.transform.columns", columns(NAME, NAME), "the column name comes twice", by_server=True),
    Case(
        "spec.transform.columns", columns(NAME, {**NAME, "name": "NAME"}), "the column name comes twice", by_server=True
    ),
    Case("spec.transform.onError", spec(transform={"onError": "ignore"}), "must be quarantine, skip", by_schema=True),
    Case("spec.transform.on_error", spec(transform={"on_error": "skip"}), "is no field", by_schema=True),
    Case("spec.transform.maxErrors", spec(transform={"maxErrors": -1}), "at least 0", by_schema=True),
    Case(
        "spec.transform.columns",
        columns(*({"name": f"c{i}", "type": "text"} for i in range(256))),
        "has more than 256",
        by_schema=True,
    ),
]

LOAD = [
    Case("spec.load.table", load(table=LEFT_OUT), "is missing", by_schema=True),
    Case("spec.load.key", load(key=LEFT_OUT), "mode upsert needs to know", by_server=True),
    Case("spec.load.key", load(key=[]), "mode upsert needs to know", by_server=True),
    Case("spec.load.key", load(key="id"), "must be a list, and is text", by_schema=True),
    Case("spec.load.key", load(key=["id", "ID"]), "names the column id twice", by_server=True),
    Case("spec.load.key[0]", load(key=["run_id"]), "every row is given"),
    Case("spec.load.mode", load(mode="merge"), "must be upsert, append or replace", by_schema=True),
    Case("spec.load.allowEmpty", load(allowEmpty=True), "mode is upsert", by_server=True),
    Case("spec.load", load(sqlite={}, postgres={"dsn": SECRET}), "sets sqlite and postgres", by_schema=True),
    Case("spec.load.postgres.dsn", load(postgres={"dsn": "postgresql://hunter2@a/b"}), LITERAL, by_schema=True),
    Case(
        "spec.load.postgres.schema", load(postgres={"dsn": SECRET, "schema": "pg_x"}), "begins with pg_", by_server=True
    ),
    Case("spec.load.sqlite.path", load(sqlite={"path": "a.db"}), "is no field", by_schema=True),
]

#: What a table cannot be called, and what is said.
TABLES = [
    ("", "is empty", True),
    ("a-b", "has '-' in it", True),
    ("1a", "begins with a digit", True),
    ("a b", "has ' ' in it", True),
    ('a"b', "has '\"' in it", True),
    ("pоsts", "CYRILLIC SMALL LETTER O", True),
    ("posts\u200b", "ZERO WIDTH SPACE", True),
    ("été", "LATIN SMALL LETTER E WITH ACUTE", True),
    ("posts\n", "in it", True),
    ("t" * 64, "has more than 63", True),
    ("select", "is a word of SQL's own", False),
    ("Order", "is a word of SQL's own", False),
    ("user", "is a word of SQL's own", False),
    ("etl_runs", "begins with etl_", False),
    ("ETL_runs", "begins with etl_", False),
    ("sqlite_master", "begins with sqlite_", False),
    ("pg_class", "begins with pg_", False),
    *((route, "is a path of the service's own", False) for route in ("health", "ready", "etl", "stats", "tables")),
    *((route, "is a path of the service's own", False) for route in ("metrics", "docs", "api", "openapi", "Health")),
]

#: What a column cannot be called, and what is said.
COLUMNS = [
    ("a.b", "has '.' in it", True),
    ("user_іd", "CYRILLIC SMALL LETTER BYELORUSSIAN-UKRAINIAN I", True),
    ("c" * 64, "has more than 63", True),
    ("group", "is a word of SQL's own", False),
    ("loaded_at", "every row is given", False),
    ("Run_Id", "every row is given", False),
    ("rowid", "is a hidden column", False),
    ("xmin", "is a hidden column", False),
]

NAMES = [
    *(Case("spec.load.table", load(table=name), message, by_schema) for name, message, by_schema in TABLES),
    *(
        Case("spec.transform.columns[1].name", columns({"name": name, "type": "text"}), message, by_schema)
        for name, message, by_schema in COLUMNS
    ),
]

BETWEEN = [
    Case("spec.load.key", {"spec": {"transform": {"columns": [NAME]}}}, "names id, which is not among", by_server=True),
    Case(
        "spec.load.key",
        {"spec": {"transform": {"columns": [{**ID, "type": "json"}]}}},
        "names id, a column of type",
        by_server=True,
    ),
    Case(
        "spec.extract.incremental",
        {"spec": {"extract": {"incremental": SINCE}, "load": {"mode": "replace"}}},
        "mode is replace",
        by_server=True,
    ),
    Case(
        "spec.extract.incremental.lookback",
        {"spec": {"extract": {"incremental": {**SINCE, "lookback": "1h"}}, "load": {"mode": "append", "key": []}}},
        "mode is append without a key",
        by_server=True,
    ),
    Case(
        "spec.extract.incremental.column",
        {"spec": {"extract": {"incremental": SINCE}, "transform": {"columns": [ID]}}},
        "is changed_at, which is not among",
        by_server=True,
    ),
    Case(
        "spec.extract.incremental.column",
        {"spec": {"extract": {"incremental": SINCE}, "transform": {"columns": [ID, {**CHANGED, "type": "boolean"}]}}},
        "is of type boolean",
        by_server=True,
    ),
    Case(
        "spec.extract.incremental.lookback",
        {
            "spec": {
                "extract": {"incremental": {**SINCE, "lookback": "1h"}},
                "transform": {"columns": [ID, {**CHANGED, "type": "integer"}]},
            }
        },
        "is of type integer",
        by_server=True,
    ),
    Case("spec.extract.incremental.start", extract(incremental={**SINCE, "start": 5}), "must be text", by_schema=True),
    Case("spec.extract.incremental.start", extract(incremental={**SINCE, "start": ""}), "is empty", by_schema=True),
    Case(
        "spec.service.replicas", spec(service={"replicas": 2}), "SQLite can be served by one pod only", by_server=True
    ),
]

#: Schedules that a CronJob does not take, or that never come.
CRONS = [
    ("* * * *", "has 4 fields"),
    ("0 * * * * *", "no field for seconds"),
    ("* * * * 7", "goes beyond 0 to 6 in the day of the week"),
    ("60 * * * *", "goes beyond 0 to 59 in the minute"),
    ("* 24 * * *", "goes beyond 0 to 23 in the hour"),
    ("* * 0 * *", "goes beyond 1 to 31 in the day of the month"),
    ("* * * 13 *", "goes beyond 1 to 12 in the month"),
    ("5-1 * * * *", "ends before it begins"),
    ("*/0 * * * *", "has a step of 0"),
    ("1,,2 * * * *", "lacks a number in the minute"),
    ("* * L * *", "has 'L' in the day of the month"),
    ("* * * * 5L", "has '5L' in the day of the week"),
    ("* * * * 1#2", "has '1#2' in the day of the week"),
    ("* * 15W * *", "has '15W' in the day of the month"),
    ("* * * JANUARY *", "has 'JANUARY' in the month"),
    ("MON * * * *", "has 'MON' in the minute"),
    ("+5 * * * *", "has '+5' in the minute"),
    ("0 0 30 2 *", "never comes"),
    ("0 0 31 4,6 *", "never comes"),
    ("@every 1h", "has no times of its own"),
    ("@reboot", "is no known word"),
    ("TZ=UTC * * * * *", "names a time zone"),
    ("CRON_TZ=Europe/Paris 0 0 * * *", "names a time zone"),
]

SCHEDULE = [
    Case("spec.schedule.cron", spec(schedule={}), "is missing", by_schema=True),
    Case("spec.schedule.cron", spec(schedule={"cron": ""}), "is empty", by_schema=True),
    *(Case("spec.schedule.cron", spec(schedule={"cron": cron}), message) for cron, message in CRONS),
    Case("spec.schedule.timeZone", spec(schedule={"cron": "@daily", "timeZone": "Local"}), "is another zone"),
    Case("spec.schedule.timeZone", spec(schedule={"cron": "@daily", "timeZone": "Europe/Atlantis"}), "is no time zone"),
    Case("spec.schedule.timeZone", spec(schedule={"cron": "@daily", "timeZone": "Europe"}), "is no time zone"),
    Case("spec.schedule.timeZone", spec(schedule={"cron": "@daily", "timeZone": ""}), "is empty", by_schema=True),
    Case(
        "spec.schedule.timeZone",
        spec(schedule={"cron": "@daily", "timeZone": "../UTC"}),
        "is no time zone",
        by_schema=True,
    ),
]

CLUSTER = [
    Case("spec.run.requestId", spec(run={"requestId": "a b"}), "is not an id", by_schema=True),
    Case("spec.run.requestId", spec(run={"requestId": 5}), "must be text", by_schema=True),
    Case("spec.run.backoffLimit", spec(run={"backoffLimit": 11}), "at most 10", by_schema=True),
    Case("spec.run.deadline", spec(run={"deadline": "0s"}), "must be from 1s to 168h", by_server=True),
    Case("spec.run.deadline", spec(run={"deadline": "169h"}), "must be from 1s to 168h", by_server=True),
    Case(
        "spec.run.resources.limits.memory",
        spec(run={"resources": {"limits": {"memory": "1 GB"}}}),
        "is not a quantity",
        by_schema=True,
    ),
    Case("spec.history.failed", spec(history={"failed": -1}), "at least 0", by_schema=True),
    Case("spec.storage.size", spec(storage={"size": "big"}), "is not a size", by_schema=True),
    Case("spec.storage.storageClassName", spec(storage={"storageClassName": "A"}), "is not a name", by_schema=True),
    Case("spec.service.replicas", spec(service={"replicas": "1"}), "must be a whole number", by_schema=True),
    Case("spec.service.image", spec(service={"image": "a b"}), "is not an image", by_schema=True),
    Case("spec.service.tokenSecret", spec(service={"tokenSecret": "hunter2"}), "must be a map", by_schema=True),
    Case("spec.frontend.enabled", spec(frontend={"enabled": "yes"}), "must be true or false", by_schema=True),
    Case(
        "spec.pod.tolerations[0].effect",
        spec(pod={"tolerations": [{"effect": "Never"}]}),
        "must be NoSchedule, PreferNoSchedule or NoExecute",
        by_schema=True,
    ),
    Case("spec.pod.imagePullSecrets[0]", spec(pod={"imagePullSecrets": ["a"]}), "must be a map", by_schema=True),
    Case("spec.pod.affinity", spec(pod={"affinity": []}), "must be a map", by_schema=True),
]

CASES = [
    *HEAD,
    *EXTRACT,
    *AUTH,
    *PAGES,
    *PARTITIONS,
    *LIMITS,
    *TRANSFORM,
    *LOAD,
    *NAMES,
    *BETWEEN,
    *SCHEDULE,
    *CLUSTER,
]

#: For pytest: no two alike, and read in the order of the table.
IDS = [f"{number} {case.path} {case.message}" for number, case in enumerate(CASES, start=1)]
