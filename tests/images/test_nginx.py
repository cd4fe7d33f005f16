"""Nginx in its container, before a service that the test holds in its hands."""

from __future__ import annotations

import os
import shutil
import socket
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from images.engine import CONTAINED, ROOT, container, docker, eventually, network

FRONTEND = "etlpipeline/frontend:dev"
CONF = "--tmpfs=/etc/nginx/conf.d:uid=101"
HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
SECURITY = {
    "content-security-policy": "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}


def upstream(net, *options):
    script = f"--volume={Path(__file__).parent / 'upstream.py'}:/upstream.py:ro"
    return container(
        "etlpipeline/service:dev",
        f"--network={net}",
        "--entrypoint=python",
        script,
        *options,
        command=("/upstream.py",),
    )


def frontend(net, *options):
    return container(FRONTEND, f"--network={net}", *CONTAINED, CONF, "--publish=127.0.0.1::8080", *options)


@contextmanager
def client_of(nginx):
    with httpx.Client(base_url=nginx.url(8080), timeout=20, trust_env=False) as client:
        eventually(lambda: client.get("/healthz").is_success)
        yield client


@pytest.fixture(scope="module")
def net(images):
    with network() as name:
        yield name


@pytest.fixture(scope="module")
def nginx(net):
    """Before a service that answers."""
    with upstream(net, "--network-alias=service"), frontend(net) as it, client_of(it) as client:
        eventually(lambda: client.get("/api/health").is_success)
        yield client


@pytest.fixture(scope="module")
def alone(net):
    """Before a service that is not there."""
    with frontend(net, "--env=ETL_SERVICE_URL=http://nowhere:8000") as it, client_of(it) as client:
        yield client


def secured(response):
    return {name: response.headers.get_list(name) for name in SECURITY} == {
        name: [text] for name, text in SECURITY.items()
    }


def test_the_page_and_its_modules_are_served(nginx):
    page = nginx.get("/")
    module = nginx.get("/js/api.js")

    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert module.status_code == 200
    assert "javascript" in module.headers["content-type"]


@pytest.mark.parametrize(
    ("status", "method", "path"),
    [
        (200, "GET", "/"),
        (200, "GET", "/healthz"),
        (404, "GET", "/no/such/page"),
        (404, "GET", "/js/"),
        (405, "POST", "/"),
        (301, "GET", "/api"),
        (200, "GET", "/api/health"),
        (404, "GET", "/api/absent"),
        (503, "GET", "/api/fails"),
    ],
)
def test_every_answer_has_each_security_header_once(nginx, status, method, path):
    response = nginx.request(method, path)

    assert response.status_code == status
    assert secured(response)
    assert response.headers["server"] == "nginx"


def test_a_request_that_makes_no_sense_is_refused_with_the_headers_too(nginx):
    address = urlsplit(str(nginx.base_url))
    with socket.create_connection((address.hostname, address.port), timeout=10) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\n\r\n")  # without Host
        answer = connection.makefile("rb").read().decode().lower()

    assert answer.startswith("http/1.1 400")
    assert all(f"{name}: {text}".lower() in answer for name, text in SECURITY.items())


def test_the_policy_allows_no_inline_code(nginx):
    policy = nginx.get("/").headers["content-security-policy"]

    assert "unsafe" not in policy
    assert "default-src 'self'" in policy


def test_the_page_is_asked_for_again_each_time_and_sent_only_when_it_changed(nginx):
    first = nginx.get("/")

    again = nginx.get("/", headers={"If-None-Match": first.headers["etag"]})
    changed = nginx.get("/", headers={"If-None-Match": '"of-another-version"'})

    assert first.headers["cache-control"] == "no-cache"
    assert (again.status_code, again.content, again.headers["cache-control"]) == (304, b"", "no-cache")
    assert secured(again)
    assert (changed.status_code, changed.content) == (200, first.content)


def test_an_upgrade_is_seen_at_once_though_the_size_and_time_of_a_file_are_the_same(nginx, net, tmp_path):
    context = tmp_path / "checkout"
    shutil.copytree(ROOT / "frontend", context / "frontend")
    shutil.copy(ROOT / "Dockerfile", context)
    page = context / "frontend/index.html"
    times = page.stat()
    page.write_text(page.read_text().replace("EtlPipeline", "ETLPipeline"))
    os.utime(page, ns=(times.st_atime_ns, times.st_mtime_ns))

    upgraded = docker("build", "--quiet", "--target=frontend", str(context))
    try:
        with container(upgraded, f"--network={net}", "--publish=127.0.0.1::8080") as it, client_of(it) as client:
            before = nginx.get("/")
            after = client.get("/", headers={"If-None-Match": before.headers["etag"]})
    finally:
        docker("image", "rm", upgraded)

    assert after.status_code == 200
    assert "ETLPipeline" in after.text
    assert len(after.content) == len(before.content)


def test_what_the_service_says_of_caching_stands(nginx):
    assert nginx.get("/api/health").headers.get_list("cache-control") == ["no-store"]


@pytest.mark.parametrize("path", ["/js/api.js", "/api/large"])
def test_text_is_compressed_for_who_can_read_it(nginx, path):
    packed = nginx.get(path, headers={"Accept-Encoding": "gzip"})
    plain = nginx.get(path, headers={"Accept-Encoding": "identity"})

    assert packed.headers["content-encoding"] == "gzip"
    assert packed.headers["vary"] == "Accept-Encoding"
    assert "content-encoding" not in plain.headers
    assert packed.content == plain.content


def test_a_compressed_file_is_known_again_by_its_etag(nginx):
    packed = nginx.get("/js/api.js", headers={"Accept-Encoding": "gzip"})

    again = nginx.get("/js/api.js", headers={"Accept-Encoding": "gzip", "If-None-Match": packed.headers["etag"]})

    assert again.status_code == 304


def test_the_service_gets_the_path_as_it_came_and_the_host_that_the_browser_named(nginx):
    path = "/api/tables/a%2Fb?q=%C3%A9&q=2"

    seen = nginx.get(path, headers={"Host": "etl.example.com:8443", "X-Forwarded-Proto": "https"}).json()

    assert seen["path"] == path
    assert seen["headers"]["Host"] == "etl.example.com:8443"
    assert seen["headers"]["X-Forwarded-Proto"] == "https"


def test_events_arrive_while_the_service_holds_the_stream_open(nginx):
    with nginx.stream("GET", "/api/etl/runs/1/events", headers={"Accept-Encoding": "gzip"}) as stream:
        events = stream.iter_text()

        assert next(events) == "event: progress\ndata: 1\n\n"

        nginx.get("/api/release")
        assert "".join(events) == "event: end\ndata: 2\n\n"


def test_a_body_up_to_a_mebibyte_is_passed_on_and_no_larger_one(nginx):
    mebibyte = 1024 * 1024

    fitting = nginx.post("/api/etl/run", content=b"x" * mebibyte)
    large = nginx.post("/api/etl/run", content=b"x" * (mebibyte + 1))

    assert fitting.json() == {"bytes": mebibyte}
    assert (large.status_code, large.json()["status"], large.json()["reason"]) == (413, 413, "ContentTooLarge")
    assert large.headers["content-type"] == "application/problem+json"
    assert secured(large)


@pytest.mark.slow
@pytest.mark.parametrize(
    "sent",
    [
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ",
        b"POST /api/etl/run HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nx",
    ],
)
def test_a_request_that_does_not_come_is_not_waited_for(nginx, sent):
    address = urlsplit(str(nginx.base_url))
    with socket.create_connection((address.hostname, address.port), timeout=40) as connection:
        connection.sendall(sent)

        with suppress(ConnectionResetError):
            assert connection.recv(1000) in (b"", b"HTTP/1.1 408")


def test_the_access_log_says_what_was_asked_for_and_not_what_was_looked_for(net):
    with (
        upstream(net, "--network-alias=logged"),
        frontend(net, "--env=ETL_SERVICE_URL=http://logged:8000") as it,
        client_of(it) as client,
    ):
        eventually(lambda: client.get("/api/health").is_success)

        client.get("/api/posts?q=c4nary", headers={"Referer": "http://localhost/?q=c4nary"})

        eventually(lambda: '"GET /api/posts HTTP/1.1" 200' in it.logs)
        assert "c4nary" not in it.logs


def test_an_unknown_path_says_so_in_a_small_page(nginx):
    response = nginx.get("/no/such/page", headers=HTML)

    assert response.status_code == 404
    assert "There is nothing here" in response.text


def test_errors_of_the_service_are_its_own(nginx):
    assert nginx.get("/api/fails", headers=HTML).json() == {"reason": "DatabaseUnavailable"}
    assert nginx.get("/api/absent", headers=HTML).json() == {"reason": "NotFound"}


def test_without_the_service_programs_get_a_problem(alone):
    response = alone.post("/api/etl/run")

    assert response.status_code == 502
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json().items() >= {"status": 502, "title": "Bad Gateway", "reason": "ServiceUnreachable"}.items()
    assert response.headers["retry-after"] == "2"
    assert response.headers["cache-control"] == "no-cache"
    assert secured(response)


def test_without_the_service_people_get_a_page(alone):
    response = alone.get("/api/docs", headers=HTML)

    assert (response.status_code, response.headers["content-type"]) == (502, "text/html; charset=utf-8")
    assert "Try again" in response.text
    assert secured(response)


def test_without_the_service_nginx_is_well_and_serves_the_page(alone):
    assert alone.get("/healthz").text == "ok\n"
    assert alone.get("/").status_code == 200


def test_a_service_that_comes_back_at_another_address_is_found(net):
    with ExitStack() as containers:
        start = containers.enter_context
        client = start(client_of(start(frontend(net, "--env=ETL_SERVICE_URL=http://moving:8000"))))
        first = start(upstream(net, "--network-alias=moving", "--hostname=first"))
        address = first.address
        eventually(lambda: client.get("/api/health").json().get("host") == "first")

        docker("rm", "--force", "--volumes", first.name)
        assert client.get("/api/health").status_code == 502
        start(upstream(net))  # takes the address
        second = start(upstream(net, "--network-alias=moving", "--hostname=second"))

        assert second.address != address
        eventually(lambda: client.get("/api/health").json().get("host") == "second", seconds=15)


def test_the_short_name_of_a_service_is_enough_in_kubernetes(net):
    with (
        upstream(net, "--network-alias=posts.team.svc.cluster.local"),
        frontend(net, "--dns-search=team.svc.cluster.local", "--env=ETL_SERVICE_URL=http://posts:8000/") as nginx,
        client_of(nginx) as client,
    ):
        eventually(lambda: client.get("/api/health").is_success)


@pytest.mark.parametrize("url", ["service:8000", "http://service:8000/base", "http://a; return 200"])
def test_an_address_that_cannot_be_ends_the_container_with_a_message(images, url):
    with container(FRONTEND, f"--env=ETL_SERVICE_URL={url}") as nginx:
        eventually(lambda: nginx.state["Status"] == "exited")

        assert nginx.state["ExitCode"] == 1
        assert f"ETL_SERVICE_URL is '{url}'; make it" in nginx.logs


def test_nginx_ends_within_seconds_though_a_stream_is_open(net):
    with upstream(net, "--network-alias=holding"), frontend(net, "--env=ETL_SERVICE_URL=http://holding:8000") as it:
        with client_of(it) as client:
            eventually(lambda: client.get("/api/health").is_success)
            with client.stream("GET", "/api/etl/runs/1/events") as stream:
                events = stream.iter_text()
                next(events)

                docker("stop", "--time=30", it.name)

        assert it.state["ExitCode"] == 0
