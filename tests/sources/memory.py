"""A small source whose records a test holds in its hands: they can change, be held back, and come in pages."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit


@dataclass
class MemorySource:
    """``GET /records?page=n`` gives a page with a Link to the next; ``GET /records`` gives the first.

    With ``group=…`` there are only the records that have it.
    """

    records: Sequence[Any] = ()
    page_size: int = 1000
    requests: list[str] = field(default_factory=list)
    failing: Counter[str] = field(default_factory=Counter)  #: how often what asks for a group fails yet
    untold: int = 0  #: how many records more than there are the source says it has
    port: int = 0
    _held_after: int = 0
    _open: threading.Event = field(default_factory=threading.Event)
    _asked: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def __post_init__(self) -> None:
        self._open.set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/records"

    @contextmanager
    def held(self, after: int = 0) -> Iterator[None]:
        """Answer nobody inside the block, but those who ask for one of the first pages."""
        self._held_after = after
        self._open.clear()
        try:
            yield
        finally:
            self._open.set()

    def wait_for_request(self, timeout: float = 20) -> None:
        """Wait until somebody has asked."""
        assert self._asked.acquire(timeout=timeout), "nobody asked"

    def answer(self, path: str) -> tuple[int, bytes, dict[str, str]]:
        self.requests.append(path)
        self._asked.release()
        query = dict(parse_qsl(urlsplit(path).query))
        page, group = int(query.get("page", "1")), query.get("group")
        if page > self._held_after:
            self._open.wait(60)
        if group and self.failing[group] > 0:
            self.failing[group] -= 1
            return 500, b"", {}
        records = [record for record in self.records if group is None or record["group"] == group]
        start = (page - 1) * self.page_size
        headers = {"X-Total-Count": str(len(records) + self.untold)}
        if start + self.page_size < len(records):
            headers["Link"] = f'<{self.url}?{urlencode({**query, "page": page + 1})}>; rel="next"'
        return 200, json.dumps(records[start : start + self.page_size]).encode(), headers


@contextmanager
def serving(source: MemorySource) -> Iterator[MemorySource]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            status, body, headers = source.answer(self.path)
            self.send_response(status)
            headers |= {"Content-Type": "application/json", "Content-Length": str(len(body))}
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *args: object) -> None:
            """Readers that were killed hang up in the middle: nothing to tell."""

    server = Server(("127.0.0.1", 0), Handler)
    source.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield source
    finally:
        source._open.set()
        server.shutdown()
        server.server_close()
        thread.join()
