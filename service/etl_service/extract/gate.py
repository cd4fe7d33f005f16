"""Where a source may be: its name is looked up once, what it leads to is judged, and nothing else is connected to."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from etl_service.spec import AllowedSources

#: The addresses of a host, in the order in which to try them; raises OSError where it has none.
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]


class Forbidden(Exception):
    """The platform does not let this be read; the text says what it is, as in ``10.0.0.1, a private address``."""


@dataclass(frozen=True, slots=True)
class Gate:
    allowed: AllowedSources
    resolve: Resolve

    async def addresses(self, host: str, port: int) -> Sequence[str]:
        """Where to connect, now: who connects elsewhere, or looks the name up again, has not been here.

        Raises:
            OSError: the host has no address.
            Forbidden: it has one that must not be read.
        """
        found = await self.resolve(host, port)
        if (refusal := self.allowed.refusal(host, found)) is not None:
            raise Forbidden(refusal)
        return found

    async def look(self, host: str, port: int) -> None:
        """Let a host pass that somebody else looks up, as a proxy does: by what it is here, or by its listed name.

        Raises:
            OSError: it cannot be looked up now.
            Forbidden: it has an address that must not be read, or none that can be judged.
        """
        try:
            await self.addresses(host, port)
        except OSError as error:
            if (refusal := self.allowed.refusal(host, ())) is not None:
                raise Forbidden(refusal) from None
            if not self.allowed.lists(host):
                if error.errno == socket.EAI_AGAIN:
                    raise OSError(f"{host} cannot be looked up now, to judge where a proxy leads") from error
                raise Forbidden(f"{host}, which has no address here by which to judge where a proxy leads") from None


async def system_resolve(host: str, port: int) -> Sequence[str]:
    """What the system says, which also knows the odd ways to write an address, such as ``0x7f.1``."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError:
        raise socket.gaierror(socket.EAI_NONAME, "this can be nobody's name") from None
    return list(dict.fromkeys(str(address[0]) for *_, address in found))
