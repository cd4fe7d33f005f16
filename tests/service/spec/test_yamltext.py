"""YAML is read as Kubernetes reads it."""

from __future__ import annotations

import pytest

from etl_service.spec.yamltext import NotYaml, documents

#: What sigs.k8s.io/yaml 1.4, which kubectl and the API server are built on, makes of ``value: …``.
KUBERNETES = [
    ("y", True),
    ("Yes", True),
    ("on", True),
    ("TRUE", True),
    ("tRUE", "tRUE"),
    ("n", False),
    ("NO", False),
    ("off", False),
    ("~", None),
    ("Null", None),
    ("", None),
    ("010", 8),
    ("08", 8),
    ("0o10", 8),
    ("0x1F", 31),
    ("-0b11", -3),
    ("1_000", 1000),
    ("_1", "_1"),
    ("+5", 5),
    ("1.0", 1),
    ("1.10", 1.1),
    ("1e3", 1000),
    (".5", 0.5),
    ("5.", 5),
    ("-.5", -0.5),
    ("1e400", "1e400"),
    ("1:30", "1:30"),
    ("12:30:45", "12:30:45"),
    ("2024-01-01", "2024-01-01"),
    ("2024-01-01T00:00:00Z", "2024-01-01T00:00:00Z"),
    ("=", "="),
    ("1.2.3", "1.2.3"),
    ("'5'", "5"),
    ('"yes"', "yes"),
    ("!!str 5", "5"),
    ("|-\n  5", "5"),
    ('"\\u00e9"', "é"),
    ("a#b # c", "a#b"),
]


@pytest.mark.parametrize(("text", "value"), KUBERNETES, ids=[repr(text) for text, _ in KUBERNETES])
def test_a_value_is_what_kubernetes_takes_it_for(text, value):
    (document,) = documents(f"value: {text}\n")

    assert document.value == {"value": value}
    assert type(document.value["value"]) is type(value)


@pytest.mark.parametrize(
    ("text", "message", "line"),
    [
        ("a: 1\nb: {c: 1,\n  c: 2}", "comes twice", 3),
        ('{"a": 1,\n "a": 2}', "comes twice", 2),
        ("a:\n  1: b", "has a key that is no text", 2),
        ("a:\n  y: b", "has a key that is no text", 2),
        ("a:\n  ? [b]\n  : c", "has a key that is no text", 2),
        ("a: !!binary aGk=", "has a tag", 1),
        ("a: !secret b", "has a tag", 1),
        ("a: 1\nb: .nan", "is .nan, which JSON does not have", 2),
        ("a: -.INF", "is -.INF, which JSON does not have", 1),
        ("a: [1, 2", "is not YAML", 2),
        ("a:\n\t- b", "is not YAML", 2),
        ("a: *b", "is not YAML: found undefined alias", 1),
        ("a: {<<: b}", "merges something that is no map", 1),
        ("a: b\x00", "control character", None),
        ("a: &b [*b]", "is nested too deeply", None),
        ("a: " + "[" * 100_000, "is nested too deeply", None),
        ("- " * 100_000, "is nested too deeply", None),
        (
            "a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n"
            + "".join(f"{b}: &{b} [{', '.join([f'*{a}'] * 10)}]\n" for a, b in zip("abcde", "bcdef", strict=True)),
            "holds too many values",
            1,
        ),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_what_would_be_lost_or_changed_in_silence_is_refused(text, message, line):
    with pytest.raises(NotYaml) as refused:
        documents(text)

    assert message in refused.value.message
    assert refused.value.remedy
    assert refused.value.line == line


def test_anchors_and_merges_are_read():
    (document,) = documents("a: &a {x: 1, z: 2}\nb: {<<: *a, x: 3}\nc: {<<: [{p: 1}, {p: 2, q: 2}]}\n")

    assert document.value == {"a": {"x": 1, "z": 2}, "b": {"x": 3, "z": 2}, "c": {"p": 1, "q": 2}}


def test_json_is_read_with_what_yaml_would_not_take():
    (document,) = documents('{\n\t"a": "\\ud83d\\ude00\\/",\n\t"b": 1.0\n}')

    assert document.value == {"a": "😀/", "b": 1}


def test_every_document_of_a_text_is_read_but_the_empty_ones():
    assert [document.value for document in documents("---\n# nothing\n---\na: 1\n---\n---\nb: 2\n...\n")] == [
        {"a": 1},
        {"b": 2},
    ]


def test_the_line_of_what_is_missing_is_that_of_what_it_is_missing_in():
    (document,) = documents("a: 1\nb:\n  - c\n  - d: e\n")

    assert document.line(("b",)) == 2
    assert document.line(("b", 1)) == 4
    assert document.line(("b", 1, "missing", "too")) == 4
    assert document.line(("missing",)) == 1
