"""Stands in for the service behind Nginx: answers that show what Nginx makes of them. Runs in a container."""

from __future__ import annotations

import json
import signal
import socket
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

released = threading.Event()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path == "/api/etl/runs/1/events":
            self.send_events()
        elif self.path == "/api/fails":
            self.send_json(503, {"reason": "DatabaseUnavailable"}, "application/problem+json")
        elif self.path == "/api/absent":
            self.send_json(404, {"reason": "NotFound"}, "application/problem+json")
        elif self.path == "/api/large":
            self.send_json(200, ["a row like any other"] * 1000)
        elif self.path == "/api/release":
            released.set()
            self.send_json(200, None)
        else:
            self.send_json(200, {"path": self.path, "host": socket.gethostname(), "headers": dict(self.headers)})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_json(200, {"bytes": len(body)})

    def send_json(self, status: int, value: object, media_type: str = "application/json") -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        # The service sends these itself: nobody is to get them twice.
        self.send_header("Content-Security-Policy", "default-src 'none'")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        self.wfile.write(body)

    def send_events(self) -> None:
        """One event now, one more when `/api/release` has been asked for."""
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(b"event: progress\ndata: 1\n\n")
        released.wait(60)
        self.wfile.write(b"event: end\ndata: 2\n\n")


if __name__ == "__main__":
    # A process that is the first of its container does not die of signals that it does not handle.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    ThreadingHTTPServer(("0.0.0.0", 8000), Handler).serve_forever()
