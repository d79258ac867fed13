"""The socket that a thread waits on for an LM, so that a cancel can end the wait.

A blocked read ends, with an error, when its socket is shut down from another thread; and the provider sees the
connection close.

Touches of DSPy: ``StdlibTransport._send_request`` of its native engines, whose connection has its ``sock``. Touches of
httpcore, which LiteLLM's clients stand on: ``SyncStream.write``, whose stream has its ``_sock``.
"""

import socket
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any
from weakref import WeakKeyDictionary

from fieldstream.tap.internals import known
from fieldstream.tap.waits.cancel import Cancellation


class InterruptibleSocket:
    """The socket that one attempt of an LM's call last wrote its request to."""

    def __init__(self, cancellation: Cancellation) -> None:
        self._cancellation = cancellation
        self._socket: socket.socket | None = None

    def use(self, used: socket.socket) -> None:
        """A request is about to be written to this socket."""
        with _users_lock:
            self._socket = used
            _users[used] = self
        self._cancellation.check()

    def shut_down(self) -> None:
        """End what waits on the socket, if nobody else has got it from its pool meanwhile; its owner closes it."""
        with _users_lock:
            if self._socket is not None and _users.get(self._socket) is self:
                with suppress(OSError):
                    # Below any encryption, whose state belongs to the thread that reads.
                    socket.socket.shutdown(self._socket, socket.SHUT_RDWR)


# Who wrote to a socket last. Sockets go back to their pools, where others take them, before an attempt is quite over.
_users: WeakKeyDictionary[socket.socket, InterruptibleSocket] = WeakKeyDictionary()
_users_lock = threading.RLock()


def _used(used: socket.socket | None) -> None:
    if used is None:
        return
    if (current := _current.get()) is not None:
        current.use(used)
    elif used in _users:
        with _users_lock:
            _users.pop(used, None)


_current: ContextVar[InterruptibleSocket | None] = ContextVar("fieldstream_socket", default=None)


@contextmanager
def interruptible_socket(cancellation: Cancellation) -> Generator[InterruptibleSocket]:
    """Requests that are written in this block, by this thread, are written to the socket that comes back."""
    token = _current.set(interruptible := InterruptibleSocket(cancellation))
    try:
        yield interruptible
    finally:
        _current.reset(token)


def install_native() -> None:
    """Tell of the sockets of DSPy's native engines."""
    from dspy._vendor.lm15.transports._sync import StdlibTransport

    original: Callable[..., Any] = known(
        vars(StdlibTransport)["_send_request"], "self", "conn", "request", "parsed", "proxy", "write_timeout"
    )

    def send_request(self: Any, conn: Any, *args: Any, **kwargs: Any) -> Any:
        _used(getattr(conn, "sock", None))
        return original(self, conn, *args, **kwargs)

    setattr(StdlibTransport, "_send_request", send_request)  # noqa: B010 (it is a private one)


def install_httpcore() -> None:
    """Tell of the sockets of httpcore's synchronous connections."""
    from httpcore._backends.sync import SyncStream

    original: Callable[..., None] = known(SyncStream.write, "self", "buffer", "timeout")

    def write(self: Any, buffer: bytes, timeout: float | None = None) -> None:
        _used(getattr(self, "_sock", None))
        original(self, buffer, timeout)

    SyncStream.write = write
