"""Server-sent events from the bytes of a provider's response, as DSPy's native engines read them.

The format is that of the HTML standard (https://html.spec.whatwg.org/multipage/server-sent-events.html), of which DSPy
takes ``event``, ``data`` and comments. Here a line may be of any length, as the body of a plain answer may; and the end
mark that OpenAI's protocol knows is noticed.
"""

from collections.abc import AsyncIterator, Callable, Iterator
from contextvars import ContextVar


class SseEvent:
    """One event: its name, where it has one, and its data."""

    __slots__ = ("data", "event")

    def __init__(self, event: str | None, data: str) -> None:
        self.event = event
        self.data = data


class SseDecoder:
    """Takes the body as it comes, in blocks of any size, and gives events.

    ``take`` is offered the data of each event, as it is on the wire. What it takes (it says so) is not given: so a
    stream's text need not go through the layers that an event goes through. ``taken`` is called when an event is given
    next, or the block is over. ``done`` says whether the end mark, ``[DONE]``, has come.
    """

    __slots__ = ("_data", "_event", "_rest", "done", "take", "taken")

    def __init__(self) -> None:
        self.take: Callable[[bytes], bool] = _take_nothing
        self.taken: Callable[[], None] = _nothing
        self._event: str | None = None
        self._data: list[bytes] = []
        self._rest: list[bytes] = []  # the pieces of a line that has not ended
        self.done = False

    def feed(self, block: bytes) -> Iterator[SseEvent]:
        """The events that end in this block."""
        lines = block.split(b"\n")
        if self._rest:
            self._rest.append(lines[0])
            if len(lines) == 1:
                return
            lines[0] = b"".join(self._rest)
        rest = lines.pop()
        self._rest = [rest] if rest else []
        data, take = self._data, self.take
        for line in lines:
            if line.startswith(b"data:"):
                data.append(line[5:])
            elif line and line.strip(b"\r"):
                if line.startswith(b"event:"):
                    self._event = _text(line[6:]).strip()
            elif data:
                if len(data) == 1 and take(data[0]):
                    data.clear()
                    self._event = None
                else:
                    self.taken()
                    yield self._end()
            else:
                self._event = None
        self.taken()

    def finish(self) -> Iterator[SseEvent]:
        """The event that the end of the stream ends, if it ends one."""
        if self._rest:
            yield from self.feed(b"\n")
        if self._data:
            self.taken()
            yield self._end()

    def _end(self) -> SseEvent:
        data = "\n".join([_text(line).lstrip() for line in self._data])
        if data == "[DONE]":
            self.done = True
        event = SseEvent(self._event, data)
        self._data.clear()
        self._event = None
        return event


def _take_nothing(data: bytes) -> bool:
    return False


def _nothing() -> None: ...


def _text(line: bytes) -> str:
    return line.decode("utf-8", "replace").rstrip("\r")


def decode(decoder: SseDecoder, blocks: Iterator[bytes]) -> Iterator[SseEvent]:
    """The events of a body."""
    for block in blocks:
        yield from decoder.feed(block)
    yield from decoder.finish()


async def adecode(decoder: SseDecoder, blocks: AsyncIterator[bytes]) -> AsyncIterator[SseEvent]:
    """As ``decode``, awaited."""
    async for block in blocks:
        for event in decoder.feed(block):
            yield event
    for event in decoder.finish():
        yield event


current_decoder: ContextVar[SseDecoder | None] = ContextVar("fieldstream_sse_decoder", default=None)
"""The decoder of the stream that is being read, where it is one of ours."""
