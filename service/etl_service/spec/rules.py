"""The rules between fields, in one table for each part of the document.

A breach is what a rule finds at fault, in words for its message; nothing where the rule is kept. The models run these
rules when they are made, so an `EtlPipeline` that exists keeps them all. Those of partitions are with their model.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

from etl_service.spec.rule import Rule, at_least_one, at_most_one, not_both

if TYPE_CHECKING:
    from etl_service.spec.auth import Auth
    from etl_service.spec.extract import Extract
    from etl_service.spec.load import Load
    from etl_service.spec.pagination import OffsetPagination, PagePagination, Pagination
    from etl_service.spec.pipeline import PipelineSpec
    from etl_service.spec.secret import Secret
    from etl_service.spec.transform import ColumnSpec, Transform

#: In CEL: the names of a list that come twice, whether the run looks back in time, and the column it begins from.
_TWICE = "{0}.exists(one, !{0}.exists_one(other, other.lowerAscii() == one.lowerAscii()))"
_COLUMNS = "(has(self.transform) && has(self.transform.columns) ? self.transform.columns : [])"
_KEY = "(has(self.load.key) ? self.load.key : [])"
_CURSOR = f"{_COLUMNS}.filter(column, column.name == self.extract.incremental.column)"
_LOOKBACK = (
    "has(self.extract.incremental) && has(self.extract.incremental.lookback) && "
    "duration(self.extract.incremental.lookback) > duration('0s')"
)

SECRET_RULES: tuple[Rule[Secret], ...] = (
    at_most_one("secret_key_ref", "env", "file"),
    at_least_one("secret_key_ref", "env", "file"),
)

AUTH_RULES: tuple[Rule[Auth], ...] = (at_most_one("bearer", "basic", "api_key", "oauth2"),)

PAGINATION_RULES: tuple[Rule[Pagination], ...] = (at_most_one("page", "offset", "cursor", "link", "next_url"),)

PAGE_RULES: tuple[Rule[PagePagination], ...] = (
    not_both("total_path", "total_header"),
    Rule(
        path="sizeParam",
        message="is set, and size is not: there is nothing to send",
        remedy="set size, or leave sizeParam out",
        breach=lambda page: page.size_param is not None and page.size is None,
        cel="!has(self.sizeParam) || has(self.size)",
    ),
)

OFFSET_RULES: tuple[Rule[OffsetPagination], ...] = (not_both("total_path", "total_header"),)

EXTRACT_RULES: tuple[Rule[Extract], ...] = (
    Rule(
        path="body",
        message="is set, and method is GET: only a POST has a body",
        remedy="set method: POST, or leave the body out",
        breach=lambda extract: extract.body is not None and extract.method == "GET",
    ),
    Rule(
        path="url",
        message="is no web address, and {} needs one",
        remedy="use a URL that begins with https:, or leave the field out",
        breach=lambda extract: _first(_of_the_web(extract)) if not _is_web(extract) else None,
        cel="self.url.matches('^https?:') || !has(self.headers) && !has(self.auth) && !has(self.pagination) && "
        "!has(self.incremental) && !has(self.partitions) && !(has(self.method) && self.method == 'POST')",
        in_general="what is set beside it",
    ),
    Rule(
        path="params",
        message="the parameter {} is set twice: by two of url, params, auth, pagination, incremental and partitions",
        remedy="leave it to one of them",
        breach=lambda extract: _twice(_parameters(extract)),
    ),
    Rule(
        path="partitions.count",
        message="is set, and the pagination does not tell where the pages end before they are read",
        remedy="set pagination.page or pagination.offset, with totalPath or totalHeader, or divide by values or ranges",
        breach=lambda extract: extract.partitions and extract.partitions.count and not _tells_total(extract),
        cel="!has(self.partitions) || !has(self.partitions.count) || has(self.pagination) && "
        "(has(self.pagination.page) && (has(self.pagination.page.totalPath) || has(self.pagination.page.totalHeader)) "
        "|| has(self.pagination.offset) && (has(self.pagination.offset.totalPath) || "
        "has(self.pagination.offset.totalHeader)))",
    ),
)

TRANSFORM_RULES: tuple[Rule[Transform], ...] = (
    Rule(
        path="columns",
        message="{} comes twice; SQL does not tell upper case from lower case",
        remedy="give each column a name of its own",
        breach=lambda transform: _column_twice(column.name for column in transform.columns or ()),
        cel=f"!has(self.columns) || !{_TWICE.format('self.columns.map(column, column.name)')}",
        in_general="a column",
    ),
)

LOAD_RULES: tuple[Rule[Load], ...] = (
    not_both("sqlite", "postgres"),
    Rule(
        path="key",
        message="is empty, and mode upsert needs to know which row is which",
        remedy="name the columns of the key, such as [id], or set mode: append or mode: replace",
        breach=lambda load: load.mode == "upsert" and not load.key,
        cel="has(self.mode) && self.mode != 'upsert' || has(self.key) && self.key.size() > 0",
    ),
    Rule(
        path="key",
        message="names {} twice",
        remedy="name each column once",
        breach=lambda load: _column_twice(load.key),
        cel=f"!has(self.key) || !{_TWICE.format('self.key')}",
        in_general="a column",
    ),
    Rule(
        path="allowEmpty",
        message="is set, and mode is {}: only a replace can empty the table",
        remedy="set mode: replace, or leave allowEmpty out",
        breach=lambda load: load.mode if load.allow_empty and load.mode != "replace" else None,
        cel="!has(self.allowEmpty) || !self.allowEmpty || has(self.mode) && self.mode == 'replace'",
        in_general="another",
    ),
)

PIPELINE_RULES: tuple[Rule[PipelineSpec], ...] = (
    Rule(
        path="load.key",
        message="names {}, which is not among the columns of the transform",
        remedy="add the column, or correct its name",
        breach=lambda spec: _first(name for name in spec.load.key if _is_unknown(name, spec)),
        cel=f"{_COLUMNS}.size() == 0 || {_KEY}.all(key, {_COLUMNS}.exists(column, column.name == key))",
        in_general="a column",
    ),
    Rule(
        path="load.key",
        message="names {}, a column of type json: two texts may mean one value",
        remedy="choose a column of another type",
        breach=lambda spec: _first(name for name in spec.load.key if _type_of(name, spec) == "json"),
        cel=f"{_COLUMNS}.filter(column, column.type == 'json').all(column, !{_KEY}.exists(key, column.name == key))",
        in_general="one",
    ),
    Rule(
        path="extract.incremental.column",
        message="is {}, which is not among the columns of the transform",
        remedy="add the column, or correct its name",
        breach=lambda spec: _first(name for name in _cursor(spec) if _is_unknown(name, spec)),
        cel=f"!has(self.extract.incremental) || {_COLUMNS}.size() == 0 || {_CURSOR}.size() > 0",
        in_general="a name",
    ),
    Rule(
        path="extract.incremental.column",
        message="is of type {}, which has no greatest value",
        remedy="choose a column of type timestamp, date, integer, number or text",
        breach=lambda spec: _first(
            kind for name in _cursor(spec) if (kind := _type_of(name, spec)) in ("boolean", "json")
        ),
        cel=f"!has(self.extract.incremental) || {_CURSOR}.all(column, !(column.type in ['boolean', 'json']))",
        in_general="boolean or json",
    ),
    Rule(
        path="extract.incremental.lookback",
        message="is set, and the column is of type {}: a time can only be taken from a time",
        remedy="choose a column of type timestamp or date, or leave lookback out",
        breach=lambda spec: _first(
            kind
            for name in _cursor(spec)
            if _looks_back(spec) and (kind := _type_of(name, spec)) not in (None, "timestamp", "date")
        ),
        cel=f"!({_LOOKBACK}) || {_CURSOR}.all(column, column.type in ['timestamp', 'date'])",
        in_general="another",
    ),
    Rule(
        path="extract.incremental",
        message="is set, and mode is replace: what was not fetched again would be deleted",
        remedy="set mode: upsert or mode: append, or leave incremental out",
        breach=lambda spec: spec.extract.incremental is not None and spec.load.mode == "replace",
        cel="!has(self.extract.incremental) || !has(self.load.mode) || self.load.mode != 'replace'",
    ),
    Rule(
        path="extract.incremental.lookback",
        message="is set, and mode is append without a key: what is fetched again would be inserted again",
        remedy="set load.key, or leave lookback out",
        breach=lambda spec: _looks_back(spec) and spec.load.mode == "append" and not spec.load.key,
        cel=f"!({_LOOKBACK}) || !has(self.load.mode) || self.load.mode != 'append' || {_KEY}.size() > 0",
    ),
    Rule(
        path="service.replicas",
        message="is {}, and SQLite can be served by one pod only",
        remedy="set load.postgres, or replicas: 1",
        breach=lambda spec: spec.service.replicas if spec.service.replicas > 1 and not spec.load.postgres else None,
        cel="has(self.load.postgres) || !has(self.service) || !has(self.service.replicas) || self.service.replicas < 2",
        in_general="more than 1",
    ),
    Rule(
        path="extract.partitions",
        message="is set, and SQLite takes the rows of one process only",
        remedy="set load.postgres, or leave partitions out",
        breach=lambda spec: spec.extract.partitions is not None and not spec.load.postgres,
        cel="has(self.load.postgres) || !has(self.extract.partitions)",
    ),
    Rule(
        path="extract.partitions",
        message="is set, and the columns are inferred: workers that see a part each would not agree on them",
        remedy="name the columns in transform.columns; `etl preview` shows which there are",
        breach=lambda spec: spec.extract.partitions is not None and spec.transform.columns is None,
        cel="!has(self.extract.partitions) || has(self.transform) && has(self.transform.columns)",
    ),
)


def _is_web(extract: Extract) -> bool:
    return extract.url.startswith(("http:", "https:"))


def _of_the_web(extract: Extract) -> Iterable[str]:
    """The fields that are set, and that only a request over HTTP can have."""
    fields = ("params", "headers", "auth", "pagination", "incremental", "partitions")
    yield from (name for name in fields if getattr(extract, name))
    yield from ("method POST",) if extract.method == "POST" else ()


def _parameters(extract: Extract) -> Iterable[str]:
    """The names of all the query parameters that a request will have."""
    from etl_service.spec.address import query_names

    yield from set(query_names(extract.url))
    yield from extract.params
    if extract.auth and extract.auth.api_key and extract.auth.api_key.in_ == "query":
        yield extract.auth.api_key.name
    if extract.incremental:
        yield extract.incremental.param
    if extract.partitions:
        yield from filter(None, (extract.partitions.param, extract.partitions.to_param))
    if extract.pagination:
        page, offset, cursor = extract.pagination.page, extract.pagination.offset, extract.pagination.cursor
        yield from filter(None, (page.param, page.size_param) if page else ())
        yield from (offset.param, offset.limit_param) if offset else ()
        yield from (cursor.param,) if cursor else ()


def _tells_total(extract: Extract) -> bool:
    way = extract.pagination and (extract.pagination.page or extract.pagination.offset)
    return bool(way and (way.total_path is not None or way.total_header))


def _cursor(spec: PipelineSpec) -> tuple[str, ...]:
    return (spec.extract.incremental.column,) if spec.extract.incremental else ()


def _looks_back(spec: PipelineSpec) -> bool:
    return bool(spec.extract.incremental and spec.extract.incremental.lookback)


def _is_unknown(name: str, spec: PipelineSpec) -> bool:
    return spec.transform.columns is not None and _column(name, spec) is None


def _type_of(name: str, spec: PipelineSpec) -> str | None:
    column = _column(name, spec)
    return column.type if column else None


def _column(name: str, spec: PipelineSpec) -> ColumnSpec | None:
    return next((column for column in spec.transform.columns or () if column.name == name), None)


def _column_twice(names: Iterable[str]) -> str | None:
    name = _twice(name.lower() for name in names)
    return f"the column {name}" if name else None


def _twice(names: Iterable[str]) -> str | None:
    return _first(name for name, count in Counter(names).items() if count > 1)


def _first(found: Iterable[str]) -> str | None:
    return next(iter(found), None)
