"""One connection of a client: HTTP/1.1 by h11 (RFC 9112), keep-alive, pipelined requests one after the other.

It always reads, also while it answers: so it knows at once when the client leaves, and then cancels the answer.
"""

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import cast

import h11

_MAX_PIPELINED = 1 << 20
"""Bytes that a client may send ahead of its answers."""


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request, complete: the target as it was sent, header names in lower case."""

    method: str
    target: str
    headers: dict[str, str]
    content: bytes


Handler = Callable[["Connection", HttpRequest], Awaitable[None]]


class Connection(asyncio.Protocol):
    """Reads requests and hands each to `handler`, which answers with `start`, `send` and `end`, or with `drop`.

    When the client leaves before the end, `gone` becomes true and the handler is cancelled.
    """

    def __init__(
        self, handler: Handler, on_open: Callable[["Connection"], None], on_close: Callable[..., None]
    ) -> None:
        self.gone = False
        self._handler = handler
        self._on_open = on_open
        self._on_close = on_close
        self._http = h11.Connection(h11.SERVER)
        self._request: h11.Request | None = None
        self._body: list[bytes] = []
        self._task: asyncio.Task[None] | None = None
        self._ahead = 0
        self._writable: asyncio.Future[None] | None = None
        self._transport: asyncio.Transport

    # What the loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The client is there."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=0)  # waiting to write means until the kernel has it all
        # Else the kernel holds small writes back until the client has acknowledged the last one, some 40 ms later.
        # (asyncio does this by itself only for sockets that it made.)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._on_open(self)

    def data_received(self, data: bytes) -> None:
        """Bytes of a request."""
        if self._task is not None:
            self._ahead += len(data)
            if self._ahead > _MAX_PIPELINED:
                self._transport.abort()
                return
        self._http.receive_data(data)
        self._read()

    def eof_received(self) -> None:
        """The client has closed, perhaps in the middle of an answer."""
        self._leave()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is closed, by whom ever."""
        self._leave()
        self._on_close(self)

    def pause_writing(self) -> None:
        """The kernel takes no more for now."""
        self._writable = asyncio.get_running_loop().create_future()

    def resume_writing(self) -> None:
        """The kernel has taken everything."""
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)
        self._writable = None

    # What the handler calls.

    async def start(self, status: int, headers: list[tuple[str, str]]) -> None:
        """Send the status and the headers."""
        self._write(h11.Response(status_code=status, headers=headers, reason=b""))
        await self._drain()

    async def send(self, data: bytes) -> None:
        """Send a part of the body; returns when the kernel has it."""
        self._write(h11.Data(data=data))
        await self._drain()

    async def end(self, data: bytes = b"") -> None:
        """Send the last part of the body, and its end."""
        if data:
            self._write(h11.Data(data=data))
        self._write(h11.EndOfMessage())
        await self._drain()

    async def respond(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        """Send a whole answer at once."""
        head = h11.Response(status_code=status, headers=[*headers, ("content-length", str(len(body)))], reason=b"")
        with_body = self._request is not None and self._request.method != b"HEAD"
        parts = (head, h11.Data(data=body), h11.EndOfMessage()) if with_body else (head, h11.EndOfMessage())
        self._transport.write(b"".join(self._http.send(part) or b"" for part in parts))
        await self._drain()

    def drop(self, *, reset: bool = False) -> None:
        """Close in the middle of the body: with FIN, or with RST."""
        if reset:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()

    def abort(self) -> None:
        """Close at once, as the server does when it stops."""
        if self._task is not None:
            self._task.cancel()
        self._transport.abort()

    @property
    def _socket(self) -> socket.socket:
        return self._transport.get_extra_info("socket")

    def _write(self, event: h11.Response | h11.InformationalResponse | h11.Data | h11.EndOfMessage) -> None:
        if data := self._http.send(event):
            self._transport.write(data)

    async def _drain(self) -> None:
        if self._writable is not None:
            await self._writable

    def _read(self) -> None:
        while self._task is None:
            try:
                event = self._http.next_event()
            except h11.RemoteProtocolError as error:
                self._refuse(error)
                return
            match event:
                case h11.Request():
                    self._request = event
                    self._body = []
                    if self._http.they_are_waiting_for_100_continue:
                        self._write(h11.InformationalResponse(status_code=100, headers=[], reason=b""))
                case h11.Data():
                    self._body.append(bytes(event.data))
                case h11.EndOfMessage():
                    self._answer()
                case h11.ConnectionClosed():
                    self._transport.close()
                    return
                case _:  # h11.NEED_DATA or h11.PAUSED
                    return

    def _answer(self) -> None:
        assert self._request is not None
        head = self._request
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in head.headers}
        request = HttpRequest(head.method.decode(), head.target.decode("latin-1"), headers, b"".join(self._body))
        self._ahead = 0
        self._body = []
        self._task = asyncio.get_running_loop().create_task(self._run(request))

    async def _run(self, request: HttpRequest) -> None:
        try:
            await self._handler(self, request)
        finally:
            self._task = None
            if self._http.our_state is h11.DONE and self._http.their_state is h11.DONE and not self.gone:
                self._http.start_next_cycle()
                self._read()
            else:
                self._transport.close()

    def _leave(self) -> None:
        if not self.gone:
            self.gone = True
            if self._task is not None:
                self._task.cancel()

    def _refuse(self, error: h11.RemoteProtocolError) -> None:
        if self._http.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            text = str(error).encode()
            headers = [("content-type", "text/plain"), ("content-length", str(len(text))), ("connection", "close")]
            self._write(h11.Response(status_code=error.error_status_hint, headers=headers, reason=b""))
            self._write(h11.Data(data=text))
            self._write(h11.EndOfMessage())
        self._transport.close()
