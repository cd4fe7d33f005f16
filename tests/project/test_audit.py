"""`make lint` names vulnerable dependencies, or says that nobody could be asked; by the real tools."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from sources.jsonplaceholder import free_port

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".venv-lint/bin/python"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not PYTHON.exists(), reason="`make lint` makes the environment of the linters"),
    pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed"),
]

#: As OSV answers for a package, and npm for several.
OSV = {
    "vulns": [
        {
            "id": "PYSEC-2026-1",
            "summary": "It does what it should not.",
            "affected": [
                {
                    "package": {"name": "NAME", "ecosystem": "PyPI"},
                    "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}]}],
                }
            ],
        }
    ]
}
NPM = {
    "express": [
        {
            "id": 1,
            "title": "It does what it should not",
            "url": "https://example.com/1",
            "severity": "high",
            "vulnerable_versions": "*",
        }
    ]
}


@contextmanager
def advisories(vulnerable: bool, package: str = "click", fixed: str = "") -> Iterator[dict[str, str]]:
    """The environment of who asks a service of the test's own."""

    class Service(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = self.rfile.read(int(self.headers["Content-Length"]))
            known: object = NPM if vulnerable else {}
            if self.path == "/osv":
                known = OSV if vulnerable and json.loads(asked)["package"]["name"] == package else {}
            answer = json.dumps(known).replace("NAME", package).encode()
            if fixed:
                answer = answer.replace(
                    b'{"introduced": "0"}', b'{"introduced": "0"}, {"fixed": "%s"}' % fixed.encode()
                )
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Service) as server:
        Thread(target=server.serve_forever).start()
        try:
            yield asking(server.server_port)
        finally:
            server.shutdown()


def asking(port: int) -> dict[str, str]:
    return {
        "PIP_AUDIT_VULNERABILITY_SERVICE": "osv",
        "PIP_AUDIT_OSV_URL": f"http://127.0.0.1:{port}/osv",
        "NPM_CONFIG_REGISTRY": f"http://127.0.0.1:{port}/",
        "NPM_CONFIG_FETCH_RETRIES": "0",
        "NO_PROXY": "127.0.0.1",
    }


STRICT = {"LINT_ALL": "1"}


def audit(settings: dict[str, str], *program: str) -> subprocess.CompletedProcess[str]:
    environ = {name: value for name, value in os.environ.items() if name != "LINT_ALL"} | settings
    command = [PYTHON, *(program or ["tools/audit.py"])]
    return subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)


def test_a_vulnerability_is_named_and_fails_where_it_is_shipped_and_everything_has_to_be_checked():
    with advisories(vulnerable=True, fixed="999") as service:
        done, strict = audit(service), audit(service | STRICT)

    assert (done.returncode, strict.returncode) == (0, 1)
    assert done.stderr == strict.stderr
    assert re.search("^what is shipped: click .*: PYSEC-2026-1, mended in 999$", done.stderr, re.MULTILINE)
    assert re.search(
        "^what tests need: .*express.*; npm audit --prefix tests/sources says why$", done.stderr, re.MULTILINE
    )


def test_a_vulnerability_that_is_accepted_is_named_with_the_reason():
    accepting = "from tools import audit; audit.ACCEPTED['PYSEC-2026-1'] = 'nobody asks for it'; audit.main()"
    with advisories(vulnerable=True) as service:
        done = audit(service | STRICT, "-c", accepting)

    assert done.returncode == 0
    assert re.search("^accepted: click .*: PYSEC-2026-1, nobody asks for it$", done.stderr, re.MULTILINE)


def test_a_vulnerability_of_tests_alone_is_no_failure():
    with advisories(vulnerable=True, package="pytest") as service:
        done = audit(service | STRICT)

    assert done.returncode == 0
    assert re.search("^what tests need: pytest .*: PYSEC-2026-1, mended in no version yet$", done.stderr, re.MULTILINE)


def test_nothing_is_said_where_nothing_is_known():
    with advisories(vulnerable=False) as service:
        done = audit(service)

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_that_nobody_answers_is_said_and_fails_only_where_everything_has_to_be_checked():
    nobody = asking(free_port())

    done, strict = audit(nobody), audit(nobody | STRICT)

    assert done.returncode == 0
    assert done.stderr.count("nothing is known: of ") == 3
    assert strict.returncode == 1
