"""Valid documents of every form, for hypothesis."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from etl_service.spec import name_problem

Documents = st.SearchStrategy[dict[str, Any]]


def some(required: dict[str, st.SearchStrategy[Any]], /, **optional: st.SearchStrategy[Any]) -> Documents:
    """A map with all of the one, and any of the other."""
    return st.fixed_dictionaries(required, optional=optional)


def one(**members: st.SearchStrategy[Any]) -> Documents:
    """A union with one of its members."""
    return st.one_of(*(st.fixed_dictionaries({name: member}) for name, member in members.items()))


words = st.from_regex("[a-z]([-a-z0-9]{0,10}[a-z0-9])?", fullmatch=True)
tables = st.from_regex("[A-Za-z_][A-Za-z0-9_]{0,12}", fullmatch=True).filter(
    lambda name: not name_problem(name, "table")
)
names = st.from_regex("[a-z_][a-z0-9_]{0,12}", fullmatch=True).filter(lambda name: not name_problem(name, "column"))
pointers = st.lists(st.sampled_from(["a", "B", "0", "é", "~0", "~1", "", '"', " "]), max_size=3).map(
    lambda steps: "".join(f"/{step}" for step in steps)
)
params = st.dictionaries(
    st.sampled_from(["q", "filter[a]", "_limit", "sort.by", "été"]),
    st.text("abc é&=\n", max_size=5) | st.integers() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False),
    max_size=3,
)
headers = st.dictionaries(
    st.sampled_from(["Accept", "User-Agent", "X-Team"]),
    st.from_regex("[!-~]([ -~]{0,8}[!-~])?", fullmatch=True),
    max_size=2,
)
json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
something = json.filter(lambda value: value is not None)
secrets = one(
    secretKeyRef=some({"name": words, "key": words}),
    env=st.from_regex("[A-Z_]{1,8}", fullmatch=True),
    file=st.sampled_from(["token", "/run/a b", "../c"]),
)
durations = st.sampled_from(["1s", "1m30s", "0h5m", "1s500ms", "1h", "3600s"])
sizes = st.sampled_from(["1", "1024", "500M", "1Gi", "7Ti"])
labels = st.dictionaries(
    st.sampled_from(["app", "example.com/team"]), st.sampled_from(["", "a", "a.b_c-d"]), max_size=2
)
resources = some(
    {}, requests=st.just({"cpu": "500m", "memory": "64Mi"}), limits=st.sampled_from([{}, {"cpu": 1, "memory": "1Gi"}])
)

auths = one(
    bearer=some({"token": secrets}),
    basic=some({"username": words, "password": secrets}),
    apiKey=some({"name": st.just("X-Api-Key"), "value": secrets}, **{"in": st.sampled_from(["header", "query"])}),
    oauth2=some(
        {"tokenUrl": st.just("https://example.com/token"), "clientId": words, "clientSecret": secrets},
        scopes=st.lists(words, max_size=2),
    ),
)
totals = st.one_of(some({}), one(totalPath=pointers, totalHeader=st.just("X-Total-Count")))
pages = one(
    page=st.tuples(
        some({}, param=st.just("p"), start=st.integers(0, 9)),
        st.one_of(some({}), some({"size": st.integers(1, 100)}, sizeParam=st.just("per_page"))),
        totals,
    ).map(lambda parts: {**parts[0], **parts[1], **parts[2]}),
    offset=st.tuples(
        some({"limit": st.integers(1, 100)}, param=st.just("skip"), limitParam=st.just("top")), totals
    ).map(lambda parts: {**parts[0], **parts[1]}),
    cursor=some({"path": pointers}, param=st.just("c")),
    link=st.just({}),
    nextUrl=some({"path": pointers}),
)
limits = some(
    {},
    requestsPerSecond=st.integers(1, 9) | st.floats(0.1, 9),
    concurrency=st.integers(1, 64),
    timeout=durations,
    retries=st.integers(0, 20),
    maxPages=st.integers(1, 100),
    maxBytes=sizes,
)
clean = st.lists(st.sampled_from(["strip", "collapse_spaces", "lower", "empty_to_null"]), max_size=3)
schedules = some(
    {"cron": st.sampled_from(["*/15 * * * *", "0 9 * * MON-FRI", "@daily"])},
    timeZone=st.sampled_from(["UTC", "Europe/Paris", "America/Argentina/Buenos_Aires"]),
)
cluster = {
    "history": some({}, successful=st.integers(0, 100), failed=st.integers(0, 100)),
    "storage": some({}, size=sizes, storageClassName=words, retain=st.booleans()),
    "service": some(
        {},
        replicas=st.integers(0, 1),
        image=st.just("registry.example.com:5000/etl@sha256:0123"),
        resources=resources,
        tokenSecret=some({"name": words, "key": words}),
    ),
    "frontend": some({}, enabled=st.booleans(), replicas=st.integers(0, 3), resources=resources),
    "pod": some(
        {},
        nodeSelector=labels,
        tolerations=st.lists(some({}, key=words, operator=st.just("Exists"), effect=st.just("NoExecute")), max_size=2),
        affinity=st.dictionaries(words, json, max_size=2),
        labels=labels,
        annotations=labels,
        imagePullSecrets=st.lists(some({"name": words}), max_size=2),
    ),
}


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """A document that keeps every rule."""
    columns = draw(st.none() | st.lists(names, min_size=1, max_size=4, unique=True))
    mode = draw(st.sampled_from(["upsert", "append", "replace"]))
    of_table = st.sampled_from(columns) if columns else names
    key = draw(st.lists(of_table, min_size=1 if mode == "upsert" else 0, max_size=2, unique=True))

    source = draw(
        some({}, method=st.just("GET"), params=params, headers=headers, auth=auths, pagination=pages)
        | some({"method": st.just("POST")}, body=something, pagination=pages)
    )
    if mode != "replace" and draw(st.booleans()):
        lookback = {"lookback": durations} if key else {}
        source["incremental"] = draw(
            some({"column": of_table, "param": st.just("since"), "start": st.just("2024-01-01")}, **lookback)
        )
    transform = draw(some({}, onError=st.sampled_from(["quarantine", "skip", "fail"]), maxErrors=st.integers(0, 9)))
    if columns:
        transform["columns"] = [
            {
                "name": name,
                "type": draw(st.sampled_from(["timestamp", "date"])),
                **draw(some({}, **{"from": pointers, "required": st.booleans(), "clean": clean})),
            }
            for name in columns
        ]
    load = draw(some({"table": tables}) | some({"table": tables, "postgres": some({"dsn": secrets})}))
    load |= {"key": key, "mode": mode} | ({"allowEmpty": draw(st.booleans())} if mode == "replace" else {})
    return {
        "apiVersion": "etlpipeline.dev/v1alpha1",
        "kind": "EtlPipeline",
        "metadata": draw(some({"name": words}, namespace=words, labels=labels, annotations=labels)),
        "spec": {
            "extract": {
                "url": draw(st.sampled_from(["https://example.com/posts", "http://localhost:8000/a?b=c"])),
                **source,
                **draw(some({}, records=pointers, limits=limits)),
            },
            "load": load,
            **({"transform": transform} if transform else {}),
            **draw(
                some(
                    {},
                    schedule=schedules,
                    suspend=st.booleans(),
                    run=some({}, requestId=st.sampled_from(["", "a:1"]), deadline=durations, resources=resources),
                    **cluster,
                )
            ),
        },
    }
