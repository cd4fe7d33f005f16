"""Names made from keys, beyond what docs/conversions.md shows."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from etl_service.spec.names import name_problem
from etl_service.spec.words import ADDED, HIDDEN, SQL
from etl_service.transform.names import Names, column_name

some_keys = st.lists(
    st.text(max_size=6)
    | st.sampled_from(
        ["id", "ID", "Id", "user_id", "userId", "UserID", "order", "order_", "run_id", "x" * 70, "x" * 71]
    ),
    unique=True,
)


@given(st.text())
def test_any_key_gives_a_name_that_every_database_takes(key: str) -> None:
    assert name_problem(column_name(key), "column") is None


def test_no_word_that_is_taken_is_a_name() -> None:
    for word in SQL | ADDED | HIDDEN:
        assert name_problem(column_name(word), "column") is None
        assert name_problem(column_name(word.upper()), "column") is None


def test_a_name_stays_as_it_is() -> None:
    assert [column_name(name) for name in ("id", "user_id", "_id", "__typename", "a1")] == [
        *("id", "user_id", "_id", "__typename", "a1")
    ]


@given(some_keys, st.randoms(use_true_random=False))
def test_no_two_keys_have_one_name_and_the_order_does_not_matter(keys: list[str], rng: random.Random) -> None:
    names, others = Names(()), Names(())
    names.give(keys)
    others.give(rng.sample(keys, len(keys)))

    given = {key: names[key] for key in keys}

    assert len({name.lower() for name in given.values()}) == len(keys)
    assert all(name_problem(name, "column") is None for name in given.values())
    assert given == {key: others[key] for key in keys}


def test_a_key_that_comes_later_takes_no_name_away() -> None:
    names = Names(())

    names.give(["userId"])
    names.give(["user_id", "user id"])

    assert [names[key] for key in ("userId", "user_id", "user id")] == ["user_id", "user_id_2", "user_id_3"]


def test_long_keys_that_begin_alike_have_names_of_their_own() -> None:
    one, other = column_name("a" * 100 + "x"), column_name("a" * 100 + "y")

    assert one != other
    assert len(one) == len(other) == 63


def test_a_name_that_exists_keeps_its_case() -> None:
    names = Names(["UserId", "ID"])

    names.give(["userid", "id"])

    assert (names["userid"], names["id"]) == ("UserId", "ID")
