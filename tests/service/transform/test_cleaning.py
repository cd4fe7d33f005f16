"""Cleaning, beyond what docs/conversions.md shows."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etl_service.spec import Clean
from etl_service.transform.cleaning import STEPS, clean_all, cleaner, collapse_spaces, strip_html

markup = st.lists(
    st.sampled_from(
        [
            "1" * 5000,
            *"< > </ <p> <br/> <!-- --> <script> </script> <a href= ' \" & &amp; &# ; x \0 <![CDATA[ <?".split(),
            "\n",
        ]
    )
    | st.text(max_size=3)
).map("".join)


@given(markup | st.text(), st.lists(st.sampled_from(get_args(Clean)), max_size=4))
@settings(max_examples=200, deadline=None)
def test_any_text_can_be_cleaned_one_by_one_or_as_a_column(text: str, steps: list[Clean]) -> None:
    clean = cleaner(steps)

    assert clean_all(steps, [text]) == [clean(text) if clean else text]


@given(st.sampled_from([step for step in get_args(Clean) if step not in ("strip_html", "milliseconds")]), st.text())
def test_what_is_clean_stays_as_it_is(step: Clean, text: str) -> None:
    clean = STEPS[step]
    once = clean(text)

    assert once is None or clean(once) == once


@given(st.text(st.sampled_from("ab \t\n\r\x0b\x0c\x1c\x1f\x85\u00a0\u2028\u3000é")))
def test_only_single_spaces_are_left(text: str) -> None:
    collapsed = collapse_spaces(text)

    assert collapsed.split() == text.split()
    assert "  " not in collapsed
    assert not any(mark.isspace() and mark != " " for mark in collapsed)


@pytest.mark.parametrize(
    ("page", "seen"),
    [
        ("1 < 2 and 3 > 2", "1 < 2 and 3 > 2"),
        ("I <3 it", "I <3 it"),
        ("un<b>believ</b>able", "unbelievable"),
        ("<ul><li>a<li>b</ul>", "a\nb"),
        ("a<BR>b<br />c", "a\nb\nc"),
        ('<a title="a > b" href=x>link</a>', "link"),
        ("<a title='it\"s'>x</a><p don't>y", "x\ny"),
        ('<img alt="unclosed>x', "x"),
        ("a<!-- <b> -->b<!-- never closed", "ab"),
        ("<style>p { color: red }</style>text", "text"),
        ("<SCRIPT src=x>if (a < b) {}</SCRIPT >text<script>never closed", "text"),
        ("<!DOCTYPE html><html><body>text</body></html>", "text"),
        ("&lt;b&gt; &eacute; &#233; &#xE9; &nbsp;", "<b> é é é"),
        ("AT&T &unknown; &", "AT&T &unknown; &"),
        ("&amp;lt;", "&lt;"),
        ("&#0;&#xD800;", "\ufffd\ufffd"),
        ("<pre>", ""),
        ("<prefix>text", "text"),
    ],
)
def test_of_html_a_reader_sees_the_text(page: str, seen: str) -> None:
    assert strip_html(page) == seen


@pytest.mark.parametrize("unit", ["<a \"'", "<a '\"", "<!--", "<script", "<script>", '<a "<b" ', "&#1", "<a ", "&"])
def test_hostile_html_takes_no_more_than_its_length_in_time(unit: str) -> None:
    strip_html(unit * 100_000)  # a second at most, where quadratic time would be hours
