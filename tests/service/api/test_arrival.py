"""Requests that come slowly, never, without end, or as nonsense: asked over real connections."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import uvicorn

from etl_service.api.arrival import Arriving
from etl_service.api.guard import MAX_BODY

from .conftest import InProcess, Process


class Hasty(Arriving):
    head_patience = 0.8
    rest_patience = 0.8


@pytest.fixture
def port(empty: InProcess) -> Iterator[int]:
    """Where the service listens, with less patience than it has by itself."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        empty.app,
        log_config=None,
        lifespan="off",
        ws="none",
        http=Hasty,
        server_header=False,
        timeout_keep_alive=2,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    yield listener.getsockname()[1]
    server.should_exit = True
    thread.join()
    listener.close()


@pytest.fixture
def connect(port: int) -> Iterator[Callable[[], socket.socket]]:
    opened: list[socket.socket] = []

    def connect() -> socket.socket:
        opened.append(socket.create_connection(("127.0.0.1", port), timeout=10))
        return opened[-1]

    yield connect
    for connection in opened:
        connection.close()


Connect = Callable[[], socket.socket]


def rest(connection: socket.socket) -> bytes:
    """What comes until the other end closes."""
    received = b""
    try:
        while block := connection.recv(65536):
            received += block
    except ConnectionResetError:
        pass
    return received


def drip(connection: socket.socket, byte: bytes, seconds: float = 5) -> float:
    """Send a byte now and then until the other end has had enough; how long that took."""
    began = time.monotonic()
    try:
        while time.monotonic() - began < seconds:
            connection.sendall(byte)
            time.sleep(0.05)
    except OSError:
        pass
    return time.monotonic() - began


def test_a_connection_on_which_nothing_is_asked_is_closed(connect: Connect) -> None:
    assert rest(connect()) == b""


def test_a_head_that_comes_in_drips_is_not_waited_for(connect: Connect) -> None:
    connection = connect()
    connection.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")

    assert drip(connection, b"x") < 4
    answer = rest(connection)

    assert answer.startswith(b"HTTP/1.1 408 Request Timeout\r\n") or not answer  # what was read is lost in a reset


def test_a_head_that_stops_is_answered_as_a_problem_with_all_headers(connect: Connect) -> None:
    connection = connect()
    connection.sendall(b"GET /health HTTP/1.1\r\nHost: local")

    answer = rest(connection)

    assert answer.startswith(b"HTTP/1.1 408 Request Timeout\r\ncontent-type: application/problem+json\r\n")
    assert b"\r\nx-content-type-options: nosniff\r\n" in answer
    assert b'"reason":"RequestTimeout"' in answer


def send_a_long_head(connection: socket.socket) -> None:
    connection.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n")
    time.sleep(0.05)
    for _ in range(5):
        connection.sendall(b"X-Long: " + b"x" * 16_000 + b"\r\n")
        time.sleep(0.01)


def test_so_is_one_that_is_too_long(connect: Connect) -> None:
    connection = connect()
    send_a_long_head(connection)

    assert b"431 Request Header Fields Too Large" in rest(connection)


def test_trailers_without_end_are_not_taken(connect: Connect) -> None:
    connection = connect()
    connection.sendall(b"POST /health HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
    connection.sendall(b"1\r\nx\r\n0\r\n")
    trailer = b"X-Long: " + b"x" * 16_000 + b"\r\n"

    with pytest.raises(OSError):
        for _ in range(64 * 2**20 // len(trailer)):  # more than the sockets hold
            connection.sendall(trailer)


@pytest.mark.parametrize(
    "request_line", [b"nonsense\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00"]
)
def test_and_one_that_is_none(connect: Connect, request_line: bytes) -> None:
    connection = connect()
    connection.sendall(request_line)

    answer = rest(connection)

    assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b"\r\nx-frame-options: DENY\r\n" in answer
    assert b'"reason":"BadRequest"' in answer


def test_line_breaks_keep_no_connection_open(connect: Connect) -> None:
    connection = connect()
    connection.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert connection.recv(12) == b"HTTP/1.1 200"

    assert drip(connection, b"\r\n") < 4


@pytest.mark.parametrize("method", [b"GET", b"POST"])
def test_who_goes_on_sending_after_the_answer_is_let_go(connect: Connect, method: bytes) -> None:
    connection = connect()
    length = MAX_BODY + 1
    connection.sendall(b"%s /health HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % (method, length))
    status = connection.recv(12)

    assert status in (b"HTTP/1.1 200", b"HTTP/1.1 413")
    assert drip(connection, b"x") < 4


def test_requests_that_come_whole_are_answered_one_after_the_other_with_pauses_between(connect: Connect) -> None:
    connection = connect()
    for body in (b"", b"x" * 200_000, b""):
        connection.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        received = b""
        while not received.endswith(b'{"status":"ok"}'):
            block = connection.recv(65536)
            assert block, "the connection was closed"
            received += block
        time.sleep(1.2)  # longer than a head may take: the next has not begun


def test_requests_that_come_together_are_answered_in_turn(connect: Connect) -> None:
    connection = connect()
    connection.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n" * 3)

    received = b""
    while received.count(b'{"status":"ok"}') < 3:
        block = connection.recv(65536)
        assert block, received
        received += block


def test_one_that_comes_with_the_one_before_has_time_to_come_whole(connect: Connect) -> None:
    connection = connect()
    first = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
    connection.sendall(first + b"POST /health HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\nx")
    time.sleep(1.2)  # longer than the rest of a body may take whose answer has been sent
    connection.sendall(b"x")

    assert b"HTTP/1.1 405 " in rest(connection)


def test_the_service_listens_so(serve: Callable[..., Process], document: Path) -> None:
    service = serve(document)
    with service.client() as client:
        assert client.get("/health").status_code == 200
    address = urlsplit(service.url)
    with socket.create_connection((address.hostname, address.port), timeout=10) as connection:
        send_a_long_head(connection)

        assert b"431 Request Header Fields Too Large" in rest(connection)
