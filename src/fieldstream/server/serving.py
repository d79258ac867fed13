"""Serving an app until the process is told to end."""

import asyncio
import contextlib
import socket
from collections.abc import Callable
from types import FrameType

import uvicorn
from fastapi import FastAPI

from fieldstream.server.host import Host


class _Server(uvicorn.Server):
    """Tells its host at once that it is to end, so that runs end, and with them the connections that it waits for."""

    def __init__(self, config: uvicorn.Config, host: Host, ready: Callable[[str], None]) -> None:
        super().__init__(config)
        self._host = host
        self._ready = ready
        self._draining: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._loop = asyncio.get_running_loop()
        if self.started:
            name = self.servers[0].sockets[0].getsockname()
            address = f"[{name[0]}]" if ":" in name[0] else name[0]
            self._ready(f"http://{address}:{name[1]}")

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._drain)
        super().handle_exit(sig, frame)

    def _drain(self) -> None:
        if self._draining is None:
            self._draining = asyncio.get_running_loop().create_task(
                self._host.runs.drain(self._host.limits.shutdown_seconds)
            )

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._drain()
        await super().shutdown(sockets)
        if self._draining is not None:
            await self._draining


def serve(
    app: FastAPI,
    host: Host,
    address: str,
    port: int,
    *,
    ready: Callable[[str], None],
    log_config: dict[str, object] | None,
) -> None:
    """Serve until SIGINT or SIGTERM: then no new runs are taken, and open ones have until their deadline to finish.

    ``ready`` is told the URL. Raises ``OSError`` where the address cannot be listened at.
    """
    listening = socket.create_server(
        (address, port), family=socket.AF_INET6 if ":" in address else socket.AF_INET, backlog=2048
    )
    config = uvicorn.Config(
        app,
        log_config=log_config,
        timeout_graceful_shutdown=int(host.limits.shutdown_seconds) + 5,
        server_header=False,
        ws="websockets-sansio",
    )
    server = _Server(config, host, ready)
    with contextlib.closing(listening), contextlib.suppress(KeyboardInterrupt):
        server.run(sockets=[listening])
