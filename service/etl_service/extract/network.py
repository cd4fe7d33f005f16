"""The way to a source: directly to an address that has passed the gate, or through the environment's proxy."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from ipaddress import ip_address
from ssl import SSLContext
from urllib.parse import urlsplit

import httpcore
import httpx

from etl_service.extract.errors import Place, ProxyUnusable
from etl_service.extract.gate import Gate

#: How long an address may keep the next one of the same host waiting, in seconds.
_HEAD_START = 2.0


#: What carries requests: by default, and by patterns of addresses; None there means by default.
Ways = tuple[httpx.AsyncBaseTransport, dict[str, httpx.AsyncBaseTransport | None]]


def ways(gate: Gate | None, environ: Mapping[str, str], *, http2: bool, limits: httpx.Limits, place: Place) -> Ways:
    """The ways to what passes the gate, or to anything where there is none.

    Raises:
        ProxyUnusable: the environment names a proxy that is none.
    """
    context = httpx.create_ssl_context()

    def way(proxy: str | None) -> httpx.AsyncBaseTransport:
        if gate is not None and proxy is None:
            return _Direct(gate, context, http2=http2, limits=limits)
        transport = httpx.AsyncHTTPTransport(verify=context, http2=http2, limits=limits, proxy=proxy)
        return transport if gate is None else _Proxied(gate, transport)

    mounts = {pattern: way(proxy) if proxy else None for pattern, proxy in proxies(environ, place).items()}
    return way(None), mounts


class _Direct(httpx.AsyncHTTPTransport):
    """Connections are kept, and used again for the same host and port: a page costs no look at the gate."""

    def __init__(self, gate: Gate, context: SSLContext, *, http2: bool, limits: httpx.Limits) -> None:
        super().__init__(verify=context, http2=http2, limits=limits)
        # httpx has no argument for the network beneath its pool: what would be set in vain would guard nothing.
        if not isinstance(self._pool, httpcore.AsyncConnectionPool):
            raise TypeError("this version of httpx keeps its pool elsewhere")
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=context,
            max_connections=limits.max_connections,
            max_keepalive_connections=limits.max_keepalive_connections,
            keepalive_expiry=limits.keepalive_expiry,
            http2=http2,
            network_backend=_Checked(gate),
        )


class _Checked(httpcore.AnyIOBackend):
    """Beneath TLS and HTTP, which go on with the name: certificates and the header Host are as ever."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        try:
            async with asyncio.timeout(timeout):
                *others, last = await self._gate.addresses(host, port)
                for address in others:
                    with suppress(httpcore.ConnectError, httpcore.ConnectTimeout):
                        return await super().connect_tcp(address, port, _HEAD_START, local_address, socket_options)
                return await super().connect_tcp(last, port, None, local_address, socket_options)
        except TimeoutError as error:
            raise httpcore.ConnectTimeout(str(error)) from error
        except OSError as error:
            raise httpcore.ConnectError(str(error)) from error


class _Proxied(httpx.AsyncBaseTransport):
    """The proxy looks names up again, and connects: what it lets through is up to who runs it."""

    def __init__(self, gate: Gate, transport: httpx.AsyncHTTPTransport) -> None:
        self._gate = gate
        self._transport = transport
        self._passed: set[str] = set()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        host = request.url.raw_host.decode("ascii")
        if host not in self._passed:
            try:
                async with asyncio.timeout(request.extensions.get("timeout", {}).get("connect")):
                    await self._gate.look(host, request.url.port or 0)
            except TimeoutError as error:
                raise httpx.ConnectTimeout(str(error), request=request) from error
            except OSError as error:
                raise httpx.ConnectError(str(error), request=request) from error
            self._passed.add(host)
        return await self._transport.handle_async_request(request)

    async def aclose(self) -> None:
        await self._transport.aclose()


def proxies(environ: Mapping[str, str], place: Place) -> dict[str, str | None]:
    """The proxy for each pattern of addresses, as `httpx` writes them; None where there is to be none.

    ``HTTP_PROXY``, ``HTTPS_PROXY``, ``ALL_PROXY`` and ``NO_PROXY``, each in small letters too, as curl reads them.

    Raises:
        ProxyUnusable: one is no address of a proxy; which may hold a password, so it is not shown.
    """
    found: dict[str, str | None] = {}
    for scheme in ("http", "https", "all"):
        name = f"{scheme}_proxy"
        if value := (environ.get(name) or environ.get(name.upper(), "")).strip():
            url = value if "://" in value else f"http://{value}"
            if not _is_proxy(url):
                raise ProxyUnusable(f"the environment variable {name.upper()} names no proxy that can be used", place)
            found[f"{scheme}://"] = url
    if found:
        for host in (environ.get("no_proxy") or environ.get("NO_PROXY", "")).replace(",", " ").split():
            if host == "*":
                return {}
            if pattern := _pattern(host):
                found[pattern] = None
    return found


def _is_proxy(url: str) -> bool:
    try:
        parts = urlsplit(url)
        httpx.URL(url)  # which takes less
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except (ValueError, httpx.InvalidURL):
        return False


_HOST = re.compile(r"\*?[\w.-]+(:\d{1,5})?", re.ASCII)


def _pattern(host: str) -> str | None:
    """A host and those beneath it; an address is itself alone. None for what is neither, such as a network."""
    try:
        address = ip_address(host.strip("[]"))
    except ValueError:
        return f"all://*{host.removeprefix('*')}" if _HOST.fullmatch(host) else None
    return f"all://[{address}]" if address.version == 6 else f"all://{address}"
