"""The platform's list of sources, from the environment to what a user sees."""

from __future__ import annotations

import json
import os
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from sources.hostile import answers, posts, serving

DOCUMENT = """\
apiVersion: etlpipeline.dev/v1alpha1
kind: EtlPipeline
metadata: {name: posts}
spec:
  extract: {url: "%s", limits: {retries: 0, timeout: 5s}}
  transform: {columns: [{name: id, type: integer}]}
  load: {table: posts, key: [id]}
"""


def etl(folder: Path, url: str, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    (folder / "posts.yaml").write_text(DOCUMENT % url)
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("ETL_")}
    command = [sys.executable, "-m", "etl_service", *arguments]
    return subprocess.run(
        command, cwd=folder, env=inherited | environ, capture_output=True, text=True, check=False, timeout=60
    )


def test_a_run_on_a_platform_does_not_read_what_the_list_lacks_and_its_record_says_so(tmp_path):
    with serving({"/": answers(posts(1, 3))}) as source:
        arguments = ("run", "posts.yaml", "--output", "json")
        refused = etl(tmp_path, source.url + "/", *arguments, ETL_ALLOWED_SOURCES="public")
        assert source.requests == []
        allowed = etl(tmp_path, source.url + "/", *arguments, ETL_ALLOWED_SOURCES="127.0.0.1")
        unset = etl(tmp_path, source.url + "/", *arguments)

    record = json.loads(refused.stdout)
    assert (refused.returncode, record["status"], record["reason"]) == (1, "failed", "SourceForbidden")
    assert "extract.url leads to 127.0.0.1, an address of this machine itself" in record["message"]
    assert [json.loads(ended.stdout)["counts"]["fetched"] for ended in (allowed, unset)] == [3, 3]


def test_a_list_that_cannot_be_is_an_error_of_the_environment(tmp_path):
    ended = etl(tmp_path, "sample:", "run", "posts.yaml", ETL_ALLOWED_SOURCES="10.1.2.3/16")

    assert ended.returncode == 2
    assert "InvalidSettings: ETL_ALLOWED_SOURCES: '10.1.2.3/16'" in ended.stderr
    assert "what to do: write 10.1.0.0/16" in ended.stderr


@pytest.mark.parametrize("url", ["sample:posts", "file:posts.json"])
def test_what_is_read_without_a_network_is_not_asked_about(tmp_path, url):
    (tmp_path / "posts.json").write_text(json.dumps(posts(1, 3)))

    assert etl(tmp_path, url, "run", "posts.yaml", ETL_ALLOWED_SOURCES="public").returncode == 0


@dataclass
class Tls:
    """A server with a certificate for ``localhost``, which remembers by which name it was asked for."""

    port: int = 0
    names: list[str | None] = field(default_factory=list)


@pytest.fixture
def tls(tmp_path: Path) -> Iterator[Tls]:
    make = "openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 2 -subj /CN=localhost"
    subprocess.run(
        [*make.split(), "-addext", "subjectAltName=DNS:localhost"], cwd=tmp_path, check=True, capture_output=True
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    server = Tls()
    context.sni_callback = lambda connection, name, context: server.names.append(name)
    body = json.dumps(posts(1, 3)).encode()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server.port = listener.getsockname()[1]

        def serve() -> None:
            with listener.accept()[0] as plain, context.wrap_socket(plain, server_side=True) as connection:
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server
        thread.join(10)


def test_a_certificate_is_asked_for_and_judged_by_the_name_though_the_address_is_connected_to(tmp_path, tls):
    ended = etl(
        tmp_path,
        f"https://localhost:{tls.port}/",
        *("run", "posts.yaml", "--output", "json"),
        ETL_ALLOWED_SOURCES="localhost",
        SSL_CERT_FILE=str(tmp_path / "cert.pem"),
    )

    assert json.loads(ended.stdout)["counts"]["fetched"] == 3
    assert tls.names == ["localhost"]
