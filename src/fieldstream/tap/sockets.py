"""The socket that a thread waits on for an LM, so that a cancel can end the wait.

A blocked read ends, with an error, when its socket is shut down from another thread; and the provider sees the connection
close.

Touches of DSPy: ``StdlibTransport._send_request`` of its native engines, whose connection has its ``sock``. Touches of
httpcore, which LiteLLM's clients stand on: ``SyncStream.write``, whose stream has its ``_sock``.
"""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any

from fieldstream.tap.cancel import Cancellation


class InterruptibleSocket:
    """The socket that one attempt of an LM's call last wrote its request to."""

    def __init__(self, cancellation: Cancellation) -> None:
        self._cancellation = cancellation
        self._socket: socket.socket | None = None

    def use(self, used: socket.socket) -> None:
        """A request is about to be written to this socket."""
        self._socket = used
        self._cancellation.check()

    def shut_down(self) -> None:
        """End what waits on the socket; its owner closes it."""
        if self._socket is not None:
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)


_current: ContextVar[InterruptibleSocket | None] = ContextVar("fieldstream_socket", default=None)


@contextmanager
def interruptible_socket(cancellation: Cancellation) -> Iterator[InterruptibleSocket]:
    """Requests that are written in this block, by this thread, are written to the socket that comes back."""
    token = _current.set(interruptible := InterruptibleSocket(cancellation))
    try:
        yield interruptible
    finally:
        _current.reset(token)


def install_native() -> None:
    """Tell of the sockets of DSPy's native engines."""
    from dspy._vendor.lm15.transports._sync import StdlibTransport

    original = StdlibTransport._send_request

    def send_request(self: Any, conn: Any, *args: Any, **kwargs: Any) -> Any:
        if (current := _current.get()) is not None:
            current.use(conn.sock)
        return original(self, conn, *args, **kwargs)

    StdlibTransport._send_request = send_request


def install_httpcore() -> None:
    """Tell of the sockets of httpcore's synchronous connections."""
    from httpcore._backends.sync import SyncStream

    original: Callable[..., None] = SyncStream.write

    def write(self: Any, buffer: bytes, timeout: float | None = None) -> None:
        if (current := _current.get()) is not None:
            current.use(self._sock)
        original(self, buffer, timeout)

    SyncStream.write = write
