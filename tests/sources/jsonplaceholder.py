"""The real jsonplaceholder, as its authors publish it, on a port of this machine."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent

#: Resource to id to the fields that are to differ.
Changes = Mapping[str, Mapping[int, Mapping[str, Any]]]


@contextmanager
def serving(changes: Changes | None = None) -> Iterator[str]:
    """Run the server, with some records changed where asked; gives its URL once it answers."""
    node = shutil.which("node")
    if node is None or not (FOLDER / "node_modules/jsonplaceholder").is_dir():
        raise RuntimeError("jsonplaceholder is not installed; run `npm ci --prefix tests/sources`, or `make test`")

    port = free_port()
    program = "changed.js" if changes else "node_modules/jsonplaceholder"
    settings = {"PORT": str(port), "NODE_ENV": "production", "CHANGES": json.dumps(changes)}
    server = subprocess.Popen([node, program], cwd=FOLDER, env=os.environ | settings, stdout=subprocess.DEVNULL)
    try:
        wait_for(port, server)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait()


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def wait_for(port: int, server: subprocess.Popen[bytes], seconds: float = 30) -> None:
    """Return once something listens on the port.

    Raises:
        RuntimeError: the server ended, or the time did.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and server.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except ConnectionRefusedError:
            time.sleep(0.02)  # nothing announces the moment a program begins to listen
        else:
            return
    raise RuntimeError(f"{server.args!r} did not listen on port {port} within {seconds:.0f} seconds")
