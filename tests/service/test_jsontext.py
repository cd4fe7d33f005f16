"""Cutting JSON text into records."""

from __future__ import annotations

import subprocess
import sys

import pytest

from etl_service import jsontext


def test_an_array_is_cut_into_its_records_whatever_they_hold() -> None:
    records = [b'{"a": "],[\\""}', b"NaN", b"[[1], {}]", b'"\\ud800"']

    assert jsontext.split(b" [" + b" , ".join(records) + b"] ") == records
    assert jsontext.split(b"[ ]") == []


@pytest.mark.parametrize("text", [b"", b"[1", b'{"a": 1}', b'["a'])
def test_what_is_no_whole_array_is_told(text: bytes) -> None:
    with pytest.raises(ValueError, match="not a whole JSON array"):
        jsontext.split(text)


def test_a_string_that_does_not_end_is_found_out_in_one_pass() -> None:
    program = "from etl_service import jsontext; list(jsontext.TOKEN.finditer(b'\"' + b'\\\\\"' * 500_000))"

    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
