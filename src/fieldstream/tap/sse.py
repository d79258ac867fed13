"""Server-sent events from the lines of a provider's response, as DSPy's native engines read them.

The format is that of the HTML standard (https://html.spec.whatwg.org/multipage/server-sent-events.html), of which DSPy
takes ``event``, ``data`` and comments. Here a line may be of any length, as the body of a plain answer may; and the end
mark that OpenAI's protocol knows is noticed.
"""

from collections.abc import AsyncIterator, Iterator


class SseEvent:
    """One event: its name, where it has one, and its data."""

    __slots__ = ("data", "event")

    def __init__(self, event: str | None, data: str) -> None:
        self.event = event
        self.data = data


class SseDecoder:
    """Takes lines, gives events. ``done`` says whether the end mark, ``[DONE]``, has come."""

    __slots__ = ("_data", "_event", "done")

    def __init__(self) -> None:
        self._event: str | None = None
        self._data: list[str] = []
        self.done = False

    def feed(self, raw: bytes) -> SseEvent | None:
        """The event that this line ends, if it ends one."""
        line = raw.decode("utf-8", "replace").rstrip("\r\n")
        if not line:
            return self.finish()
        if line.startswith("data:"):
            self._data.append(line[5:].lstrip())
        elif line.startswith("event:"):
            self._event = line[6:].strip()
        return None

    def finish(self) -> SseEvent | None:
        """The event that the end of the stream ends, if it ends one."""
        event = None
        if self._data:
            data = self._data[0] if len(self._data) == 1 else "\n".join(self._data)
            if data == "[DONE]":
                self.done = True
            event = SseEvent(self._event, data)
            self._data = []
        self._event = None
        return event


def decode(decoder: SseDecoder, lines: Iterator[bytes]) -> Iterator[SseEvent]:
    """The events of the lines."""
    for raw in lines:
        if (event := decoder.feed(raw)) is not None:
            yield event
    if (event := decoder.finish()) is not None:
        yield event


async def adecode(decoder: SseDecoder, lines: AsyncIterator[bytes]) -> AsyncIterator[SseEvent]:
    """As ``decode``, awaited."""
    async for raw in lines:
        if (event := decoder.feed(raw)) is not None:
            yield event
    if (event := decoder.finish()) is not None:
        yield event
