"""Requests that do not arrive: uvicorn waits for them for ever, and holds as much of them as comes."""

from __future__ import annotations

from asyncio import TimerHandle, Transport
from collections.abc import Callable
from typing import Any, ClassVar, Literal

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from etl_service.api.guard import NOT_KEPT, SECURITY_HEADERS
from etl_service.api.problems import MEDIA_TYPE, problem


class Arriving(HttpToolsProtocol):
    """A connection on which a request's head comes soon and is not long; bodies are the guard's to judge.

    What uvicorn refuses by itself is a problem here too, with the headers of every other answer.
    """

    #: How long a head may take to come, and how long the rest of a body whose answer has been sent, in seconds.
    head_patience: ClassVar[float] = 15.0
    rest_patience: ClassVar[float] = 5.0
    #: How long a head may be. Nginx takes up to 32 KiB.
    max_head: ClassVar[int] = 64 * 1024

    _timer: TimerHandle | None = None
    _part: Literal["none", "head", "body"] = "none"  #: what is to come of a request that has begun
    _begun = 0  #: how many requests, and pieces of their bodies, have
    _head = 0  #: how much has come since that is no body: of a head, or of the trailers after a body

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait(self.head_patience, self._give_up)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        earlier = self._begun
        super().data_received(data)
        if self._part == "none":
            # Line breaks, or the rest of a body, begin no request, and yet end uvicorn's own wait for one.
            if self._timer is None and not self._is_answering:
                self._wait(self.timeout_keep_alive, self._give_up)
        elif self._begun == earlier:
            self._head += len(data)
            if self._head > self.max_head:
                detail = f"the request's head or trailers are longer than {self.max_head} bytes"
                self._refuse(431, "HeadersTooLarge", detail)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._part, self._head = "head", 0
        self._begun += 1
        self._wait(self.head_patience, self._give_up)

    def on_headers_complete(self) -> None:
        self._part = "body"
        self._stop_waiting()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._begun += 1
        self._head = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._part = "none"
        self._stop_waiting()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._part == "body" and not self._is_answering:  # a next request, which came while this was answered
            # Who is still sending reads the answer only then, and is not let send for ever.
            self._wait(self.rest_patience, self.transport.close)

    def send_400_response(self, msg: str) -> None:
        self._refuse(400, "BadRequest", "this is no request that can be read")

    def _give_up(self) -> None:
        if self._part == "none":
            self.transport.close()
        elif self._is_answering:  # an earlier request, which this one was sent after
            self._wait(self.head_patience, self._give_up)
        else:
            self._refuse(408, "RequestTimeout", f"the request's head did not come within {self.head_patience:g} s")

    def _refuse(self, status: int, reason: str, detail: str) -> None:
        """Answer a request that is none yet, and close."""
        self._stop_waiting()
        if not self._is_answering:
            told = problem(status, reason, detail)
            body = told.model_dump_json(exclude_none=True).encode()
            headers = [(b"content-type", MEDIA_TYPE.encode()), (b"content-length", b"%d" % len(body))]
            headers += [*SECURITY_HEADERS, NOT_KEPT, (b"connection", b"close")]
            lines = [b"HTTP/1.1 %d %s" % (status, told.title.encode()), *(b": ".join(header) for header in headers)]
            self.transport.write(b"\r\n".join([*lines, b"", body]))
        self.transport.close()

    @property
    def _is_answering(self) -> bool:
        cycle: RequestResponseCycle | None = self.cycle  # before the first request, whatever uvicorn declares
        return cycle is not None and not cycle.response_complete

    def _wait(self, seconds: float, then: Callable[[], Any]) -> None:
        self._stop_waiting()
        self._timer = self.loop.call_later(seconds, then)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
