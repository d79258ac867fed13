"""The body of a provider's response: in the blocks in which it comes from its socket, and at little cost.

DSPy's native engines take a body apart into the chunks of HTTP's transfer coding, and these into lines, at the cost of
several copies of the whole block for each; and they wait for each block in a task of its own. In a stream of ours a
block of bytes stays one, and is waited for where it is wanted. Elsewhere everything is as before.

Touches of DSPy: ``ChunkedDecoder`` as ``_http11`` names it (its place is taken, its ``ProtocolError`` raised);
``iter_lines`` and ``aiter_lines`` of ``TransportResponse`` and ``AsyncTransportResponse``; ``wait_for`` as ``_async``
names it.
"""

# pyright: reportPrivateUsage=false, reportPrivateImportUsage=false
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

from dspy._vendor.lm15.transports import _async, _http11
from dspy._vendor.lm15.transports._types import AsyncTransportResponse, TransportResponse

from fieldstream.tap.internals import known
from fieldstream.tap.lms.stream.sse import current_decoder

_MAX_LINE = 16 * 1024


class ChunkedBody:
    """Decodes ``Transfer-Encoding: chunked`` (RFC 9112, section 7.1), and accepts what DSPy's own decoder accepts."""

    def __init__(self) -> None:
        self.complete = False
        self.leftover = b""
        """What came after the body's end."""
        self._rest = b""  # what has come and is not decided
        self._missing = 0  # how much of a chunk is still to come
        self._in_chunk = False  # whether a chunk, or the end of its last line, is still to come
        self._in_trailer = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        """What these bytes hold of the body, in one piece."""
        data = self._rest + data if self._rest else data
        at = 0
        parts: list[bytes] = []
        while not self._in_trailer:
            if not self._in_chunk:
                at = _take_whole_chunks(data, at, parts)
            else:
                if self._missing and (part := data[at : at + self._missing]):
                    parts.append(part)
                    at += len(part)
                    self._missing -= len(part)
                if self._missing or (after := _line_end(data, at)) is None:
                    break
                at = after
                self._in_chunk = False
            if (line := _line(data, at)) is None:
                break
            end, after = line
            self._missing = _size(data[at:end])
            at = after
            self._in_chunk = self._missing > 0
            self._in_trailer = not self._in_chunk
        while self._in_trailer and not self.complete and (line := _line(data, at)) is not None:
            end, after = line
            self.complete = end == at
            at = after
        self._rest = data[at:]
        if self.complete:
            self.leftover, self._rest = self._rest, b""
        if parts:
            yield b"".join(parts)

    def eof(self) -> None:
        """The connection was closed."""
        if not self.complete:
            raise _http11.ProtocolError("connection closed mid-chunk")

    def drain(self) -> bytes:
        """What only the end of the connection would release."""
        return b""


def _take_whole_chunks(data: bytes, at: int, parts: list[bytes]) -> int:
    """Take the chunks that follow each other whole and in their usual form; give where the rest begins."""
    try:
        while (end := data.find(b"\r\n", at, at + 10)) > 0:
            start = end + 2
            beyond = start + int(data[at:end], 16)
            if beyond <= start or data[beyond : beyond + 2] != b"\r\n":
                break
            parts.append(data[start:beyond])
            at = beyond + 2
    except ValueError:
        pass  # It is for who looks closer.
    return at


def _line(data: bytes, at: int) -> tuple[int, int] | None:
    """Where the line that begins here ends, and what follows begins; nothing if it has not ended.

    A line feed alone ends a line where no other end is in sight.
    """
    end, after = (found := data.find(b"\r\n", at)), found + 2
    if end < 0:
        end, after = (found := data.find(b"\n", at)), found + 1
    if (len(data) if end < 0 else end) - at > _MAX_LINE:
        raise _http11.ProtocolError("chunk line exceeds limit")
    return None if end < 0 else (end, after)


def _line_end(data: bytes, at: int) -> int | None:
    """What follows the end of line that is to be here; nothing if it has not come."""
    if data.startswith(b"\r\n", at):
        return at + 2
    if len(data) - at < 2:
        return None
    if data.startswith(b"\n", at):
        return at + 1
    raise _http11.ProtocolError("missing CRLF after chunk data")


def _size(line: bytes) -> int:
    try:
        size = int(line.split(b";", 1)[0].strip(), 16)
    except ValueError:
        size = -1
    if size < 0:
        raise _http11.ProtocolError(f"malformed chunk size: {line!r}")
    return size


def _wrap_decoder(original: Callable[[], Any]) -> Callable[[], Any]:
    return lambda: original() if current_decoder.get() is None else ChunkedBody()


def _wrap_lines(original: Callable[[Any], Iterator[bytes]]) -> Callable[[Any], Iterator[bytes]]:
    # Who takes these apart is our decoder, for which blocks will do.
    return lambda self: original(self) if current_decoder.get() is None else iter(self)


def _wrap_alines(original: Callable[[Any], AsyncIterator[bytes]]) -> Callable[[Any], AsyncIterator[bytes]]:
    return lambda self: original(self) if current_decoder.get() is None else aiter(self)


def _wrap_wait(original: Callable[..., Any]) -> Callable[..., Any]:
    async def wait_for(awaitable: Awaitable[Any], timeout: float | None, **options: Any) -> Any:
        if current_decoder.get() is None or not timeout or options:
            return await original(awaitable, timeout, **options)
        async with asyncio.timeout(timeout):
            return await awaitable

    return wait_for


def install() -> None:
    """Take the places, once in a process."""
    decoder = known(_http11.ChunkedDecoder, "max_line_bytes")
    lines = known(TransportResponse.iter_lines, "self")
    alines = known(AsyncTransportResponse.aiter_lines, "self")
    wait_for = known(_async.wait_for, "awaitable", "timeout", "cancel_result")
    http11: Any = _http11
    transport: Any = _async
    response: Any = TransportResponse
    aresponse: Any = AsyncTransportResponse
    http11.ChunkedDecoder = _wrap_decoder(decoder)
    transport.wait_for = _wrap_wait(wait_for)
    response.iter_lines = _wrap_lines(lines)
    aresponse.aiter_lines = _wrap_alines(alines)
