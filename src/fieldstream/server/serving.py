"""A server process: an app of programs, served until it is told to end."""

import asyncio
import contextlib
import ipaddress
import signal
import socket
import threading
from collections.abc import Callable, Generator, Mapping
from types import FrameType
from typing import Literal, Unpack

import uvicorn
from starlette.middleware.trustedhost import TrustedHostMiddleware

from fieldstream.server.application import Program, ServerOptions, app_of, host_of
from fieldstream.server.host import Host
from fieldstream.server.logs import log_config


class Server:
    """Programs as a server of their own."""

    def __init__(self, programs: Mapping[str, Program], **options: Unpack[ServerOptions]) -> None:
        self.host = host_of(programs, **options)
        self.app = app_of(self.host)

    def run(
        self,
        address: str = "127.0.0.1",
        port: int = 8000,
        *,
        ready: Callable[[str], None] = print,
        log: Literal["text", "json"] = "json",
    ) -> None:
        """Serve until SIGINT or SIGTERM. Then no new runs are taken, and open ones have until their deadline to finish.

        ``ready`` is told the URL. Raises ``OSError`` where the address cannot be listened at.
        """
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        if is_loopback(address):
            # Another site's page may have its name resolve to this machine; the Host header tells.
            self.app.add_middleware(TrustedHostMiddleware, allowed_hosts=["localhost", "127.0.0.1", "[::1]", address])
        config = uvicorn.Config(
            self.app,
            log_config=log_config(log),
            server_header=False,
            timeout_graceful_shutdown=5,
        )
        listening = socket.create_server((address, port), family=family, backlog=2048)
        with contextlib.closing(listening), contextlib.suppress(KeyboardInterrupt):
            _Process(config, self.host, ready).run(sockets=[listening])


class _Process(uvicorn.Server):
    """When it is to end, its host ends the runs first: until then it listens and says that it takes no new ones.

    Uvicorn, which would close WebSockets at once, has only connections left that wait for nothing. A second signal
    ends the runs at once, and a third whatever is left.
    """

    def __init__(self, config: uvicorn.Config, host: Host, ready: Callable[[str], None]) -> None:
        super().__init__(config)
        self._host = host
        self._ready = ready
        self._loop: asyncio.AbstractEventLoop | None = None
        self._hurries = False

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._loop = asyncio.get_running_loop()
        if self.started and sockets:
            address, port, *_ = sockets[0].getsockname()
            self._ready(f"http://[{address}]:{port}" if ":" in address else f"http://{address}:{port}")

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """Uvicorn's own raises them again in the end: a server that ended well would look like one that was killed."""
        if threading.current_thread() is not threading.main_thread():  # Python lets no other thread listen for them.
            yield
            return
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if not self.should_exit:
            self.should_exit = True
        elif not self._hurries and self._loop is not None:
            self._hurries = True
            self._loop.call_soon_threadsafe(self._host.runs.end)
        else:
            self.force_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await self._host.runs.drain(0 if self._hurries else self._host.limits.shutdown_seconds)
        await super().shutdown(sockets)
        if self.force_exit:  # Uvicorn leaves that out, and its task would be cancelled with a traceback.
            await self.lifespan.shutdown()


def is_loopback(address: str) -> bool:
    """Whether only this machine reaches the address."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"
