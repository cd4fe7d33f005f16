"""Whatever a source does, reading it ends, as a typed error that says what happened."""

from __future__ import annotations

from typing import Any

import pytest

from etl_service.extract import errors
from sources.hostile import posts

NEXT_URL = {"records": "/data", "pagination": {"nextUrl": {"path": "/next"}}}
BY_PAGE: dict[str, Any] = {"pagination": {"page": {}}}


@pytest.mark.parametrize(
    ("path", "extract", "error"),
    [
        ("/500", {}, errors.SourceFailed),
        ("/403", {}, errors.SourceRefused),
        ("/no-such-path", {}, errors.SourceRefused),
        ("/429-tomorrow", {}, errors.RateLimited),
        ("/hangs", {}, errors.SourceTimeout),
        ("/resets", {}, errors.SourceUnreachable),
        ("/resets-within", {}, errors.BodyTruncated),
        ("/ends-early", {}, errors.BodyTruncated),
        ("/truncated", {}, errors.BodyTruncated),
        ("/truncated-gzip", {}, errors.BodyTruncated),
        ("/truncated-brotli", {}, errors.BodyTruncated),
        ("/corrupt-gzip", {}, errors.BodyCorrupt),
        ("/unknown-encoding", {}, errors.WrongContent),
        ("/gzip-bomb", {}, errors.RecordTooLarge),
        ("/brotli-bomb", {}, errors.RecordTooLarge),
        ("/gzip-bomb", {"limits": {"maxBytes": "4Mi"}}, errors.MaxBytesExceeded),
        ("/brotli-bomb", {"limits": {"maxBytes": "4Mi"}}, errors.MaxBytesExceeded),
        ("/endless", {"limits": {"maxBytes": "20Mi"}}, errors.MaxBytesExceeded),
        ("/html", {}, errors.WrongContent),
        ("/html-as-json", {}, errors.WrongContent),
        ("/image", {}, errors.WrongContent),
        ("/nothing", {}, errors.InvalidJson),
        ("/not-json", {}, errors.InvalidJson),
        ("/trailing-garbage", {}, errors.InvalidJson),
        ("/object", {}, errors.RecordsNotAnArray),
        ("/object", {"records": "/total"}, errors.RecordsNotAnArray),
        ("/object", {"records": "/posts"}, errors.RecordsMissing),
        ("/same-page", BY_PAGE, errors.PageRepeated),
        ("/cycle", NEXT_URL, errors.PageRepeated),
        ("/redirect-loop", {}, errors.RedirectLoop),
        ("/redirects-for-ever", {}, errors.TooManyRedirects),
        ("/redirects-to-ftp", {}, errors.AddressUnusable),
    ],
)
def test_each_way_to_misbehave_is_an_error_of_its_own(misbehaving, read, path, extract, error):
    limits = {"timeout": "400ms", "retries": 1} | extract.get("limits", {})

    with pytest.raises(error) as caught:
        read(url=misbehaving + path, **{**extract, "limits": limits})

    assert type(caught.value) is error
    assert str(caught.value).startswith("page ")
    assert misbehaving in str(caught.value)
    assert caught.value.message == str(caught.value)


@pytest.mark.parametrize("path", ["/drips", "/slow-headers"])
def test_a_source_that_is_never_silent_for_long_is_ended_by_the_deadline(misbehaving, read, path):
    with pytest.raises(TimeoutError):
        read(url=misbehaving + path, limits={"timeout": "5s"}, deadline=1.5)


@pytest.mark.parametrize("path", ["/500-then-200", "/429-seconds", "/429-date"])
def test_a_source_that_recovers_is_read(misbehaving, read, path):
    assert read(url=misbehaving + path) == posts(1, 10)
    assert read.stats.retries == 1


def test_records_of_any_shape_are_delivered_since_only_the_mapping_can_judge_them(misbehaving, read):
    assert read(url=misbehaving + "/wrong-shape") == [1, "two", None, [3], {"id": {"deep": True}}]
