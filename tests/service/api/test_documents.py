"""The pipeline's document, its preview, the OpenAPI document and the page that shows it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import POSTS, InProcess


class TestPreview:
    def test_records_before_and_after_and_what_would_become_of_them(self, empty: InProcess) -> None:
        preview = empty.get("/etl/preview").json()

        assert [record["id"] for record in preview["before"]] == [1, 2, 3]
        assert [row["user_id"] for row in preview["after"]] == [1, 1, 1]
        assert preview["would"]["inserted"] == 3
        assert empty.get("/etl/runs").json() == []

    def test_a_full_one_is_about_all_records(self, posts: InProcess) -> None:
        preview = posts.get("/etl/preview?n=1&full=true").json()

        assert len(preview["before"]) == 1
        assert preview["would"] == {
            "fetched": 100, "inserted": 0, "updated": 0, "unchanged": 97, "rejected": 3, "skipped": 0, "deleted": 0,
        }  # fmt: skip
        assert len(preview["rejected"]) == 3

    @pytest.mark.parametrize("query", ["n=-1", "n=1001", "n=x", "full=perhaps"])
    def test_what_cannot_be_is_refused(self, empty: InProcess, query: str) -> None:
        assert empty.get(f"/etl/preview?{query}").status_code == 422

    def test_a_source_that_fails_is_a_bad_gateway(self, make: Callable[..., InProcess], document: Path) -> None:
        document.write_text(POSTS.replace("sample:posts", "file:missing.json"))

        answer = make(document).get("/etl/preview")

        assert answer.status_code == 502
        assert answer.json()["reason"]


class TestPipeline:
    def test_it_is_the_document_as_it_was_given(self, empty: InProcess) -> None:
        found = empty.get("/etl/pipeline").json()

        assert found["metadata"] == {"name": "posts"}
        assert found["spec"]["load"] == {"table": "posts", "key": ["id"]}
        assert "status" not in found

    def test_secrets_are_named_and_never_told(
        self, make: Callable[..., InProcess], document: Path, tmp_path: Path
    ) -> None:
        (tmp_path / "token").write_text("s3cret")
        auth = "{url: https://example.com/posts, auth: {bearer: {token: {file: token}}}}"
        document.write_text(POSTS.replace('{url: "sample:posts"}', auth))

        answer = make(document).get("/etl/pipeline")

        assert answer.json()["spec"]["extract"]["auth"] == {"bearer": {"token": {"file": "token"}}}
        assert "s3cret" not in answer.text


class TestOpenApi:
    def test_every_route_is_described_with_the_problems_it_may_answer_with(self, empty: InProcess) -> None:
        paths = empty.get("/openapi.json").json()["paths"]

        assert {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods} == {
            "GET /posts",
            "GET /tables/{table}",
            "GET /health",
            "GET /ready",
            "GET /metrics",
            "GET /stats",
            "POST /etl/run",
            "POST /etl/replay",
            "GET /etl/runs",
            "GET /etl/runs/{id}",
            "DELETE /etl/runs/{id}",
            "GET /etl/runs/{id}/rejects",
            "GET /etl/runs/{id}/events",
            "GET /etl/preview",
            "GET /etl/pipeline",
        }
        for methods in paths.values():
            for operation in methods.values():
                for status, response in operation["responses"].items():
                    problem = int(status) >= 400
                    assert ("application/problem+json" in response["content"]) == problem

    def test_its_server_is_where_it_was_asked(self, empty: InProcess) -> None:
        assert empty.get("/openapi.json").json()["servers"] == [{"url": "/"}]
        assert empty.get("/api/openapi.json").json()["servers"] == [{"url": "/api"}]

    def test_no_parameter_may_be_null(self, empty: InProcess) -> None:
        assert '"null"' not in str(
            [
                each.get("parameters")
                for path in empty.get("/openapi.json").json()["paths"].values()
                for each in path.values()
            ]
        )

    @pytest.mark.parametrize(
        ("protect", "protected"), [("writes", {"post", "delete"}), ("reads", {"get", "post", "delete"})]
    )
    def test_a_token_is_asked_for_where_it_is_wanted(
        self, make: Callable[..., InProcess], document: Path, protect: str, protected: set[str]
    ) -> None:
        service = make(document, api_token="t", api_protect=protect)

        found = service.get("/openapi.json", headers={"authorization": "Bearer t"}).json()

        open_paths = {"/health", "/ready", "/metrics"}
        for path, methods in found["paths"].items():
            for method, operation in methods.items():
                assert ("security" in operation) == (method in protected and path not in open_paths)


class TestPage:
    @pytest.mark.parametrize("root", ["", "/api"])
    def test_the_root_is_the_page_and_its_files_are_asked_for_anew(self, empty: InProcess, root: str) -> None:
        page = empty.get(f"{root}/")

        assert page.headers["content-type"] == "text/html; charset=utf-8"
        for path in re.findall(r'(?:src|href)="((?:js/|style|icon)[^"]+)"', page.text):
            part = empty.get(f"{root}/{path}")
            assert (part.status_code, part.headers.get_list("cache-control")) == (200, ["no-cache"])
            again = empty.get(f"{root}/{path}", headers={"if-none-match": part.headers["etag"]})
            assert again.status_code == 304

    def test_it_asks_no_other_host_for_anything(self, empty: InProcess) -> None:
        page = empty.get("/docs")
        parts = re.findall(r'(?:src|href)="([^"]+)"', page.text)

        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert {empty.get(f"/{part}").status_code for part in parts} == {200}
        for part in ("docs", "docs/docs.css", "docs/docs.js"):
            text = empty.get(f"/{part}").text
            assert not re.search(r"https?:|url\(|import |innerHTML", text)

    def test_there_is_nothing_else_beside_it(self, empty: InProcess) -> None:
        assert empty.get("/docs/docs.py").status_code == 404
        assert empty.get("/docs/..%2Fapp.py").status_code == 404
