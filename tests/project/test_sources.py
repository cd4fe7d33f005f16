"""The sources that other tests rely on are what they say."""

from __future__ import annotations

import httpx


def test_jsonplaceholder_has_a_hundred_posts_as_one_array_and_in_linked_pages(jsonplaceholder):
    whole = httpx.get(f"{jsonplaceholder}/posts").json()
    page = httpx.get(f"{jsonplaceholder}/posts", params={"_page": 1, "_limit": 10})

    assert len(whole) == 100
    assert page.json() == whole[:10]
    assert page.headers["X-Total-Count"] == "100"
    assert page.links["next"]["url"].endswith("_page=2&_limit=10")


def test_a_changed_jsonplaceholder_differs_in_what_was_changed_only(jsonplaceholder, changed_jsonplaceholder):
    before = httpx.get(f"{jsonplaceholder}/posts").json()

    after = httpx.get(changed_jsonplaceholder({"posts": {7: {"title": "new"}}}) + "/posts").json()

    assert [post["id"] for post, old in zip(after, before, strict=True) if post != old] == [7]
    assert after[6] == before[6] | {"title": "new"}
