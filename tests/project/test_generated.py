"""Files that are made from the code are those of today's code."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.generate import GENERATED, generated

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", GENERATED)
def test_a_generated_file_is_what_the_code_makes_of_it(name):
    assert (ROOT / name).read_text() == generated(name), "run `make generated`"
