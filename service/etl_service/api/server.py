"""The web server around the application."""

from __future__ import annotations

import asyncio
import socket

import uvicorn
from fastapi import FastAPI

from etl_service.api.arrival import Arriving
from etl_service.api.service import Service
from etl_service.settings import SettingsInvalid

#: How long open answers may take when the service is to stop; the runs that it began have ten seconds of it.
_GRACE = 15


def listen(host: str, port: int) -> socket.socket:
    """Take the port; 0 takes any.

    Raises:
        SettingsInvalid: somebody has it, or the address is not of this machine.
    """
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, port), family=family, backlog=2048)
        # asyncio does this for sockets of its own making; without it a short answer waits 40 ms for company.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return listener
    except OSError as error:
        raise SettingsInvalid(
            f"cannot listen on {host} port {port}: {error.strerror or error}; choose another with --port or ETL_PORT",
            field="ETL_PORT",
        ) from error


def serve(app: FastAPI, listener: socket.socket) -> None:
    """Serve until SIGTERM or SIGINT, then end what is under way, within bounds; a second SIGINT waits for nothing."""
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="on",
        ws="none",
        http=Arriving,
        timeout_keep_alive=65,  # longer than a proxy's in front, which is 60 s for most
        timeout_graceful_shutdown=_GRACE,
    )
    _Server(config, app.state.service).run(sockets=[listener])


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, service: Service) -> None:
        super().__init__(config)
        self._service = service

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # uvicorn waits for open answers, and some of those wait for a run: so runs are to end first.
        stopping = asyncio.create_task(self._service.stop())
        await super().shutdown(sockets)
        await stopping
