"""Who speaks: of calls that work at the same time, one after the other, so that their texts do not mix."""

from collections import deque
from collections.abc import Iterator

from fieldstream.events import CallEnded, CallStarted, Event, RunEnded, RunSnapshot, RunStarted


class Turns:
    """Gives a run's events in an order in which each call is told from its beginning to its end.

    A call has the word until it ends, and within it one of those that it made, and so on. What others do meanwhile is
    kept until it is their turn. A run that does one thing at a time passes through as it is.
    """

    def __init__(self) -> None:
        self._speaking: list[str] = []  # The call that has the word, after those that it is in.
        self._parents: dict[str, str | None] = {}
        self._waiting: dict[str, list[Event]] = {}  # By the outermost call that waits.

    def take(self, event: Event) -> Iterator[Event]:
        """What may be said now that this event has come."""
        if isinstance(event, RunEnded):
            yield from self._rest()
        coming: deque[Event] = deque([event])
        while coming:
            event = coming.popleft()
            waits_with = self._waits_with(event)
            if waits_with is not None:
                self._waiting.setdefault(waits_with, []).append(event)
                continue
            yield event
            if isinstance(event, CallStarted):
                self._speaking.append(event.call)
            elif isinstance(event, CallEnded) and event.call in self._speaking:
                del self._speaking[self._speaking.index(event.call) :]
                coming.extendleft(reversed(self._next()))

    def _next(self) -> list[Event]:
        """Give the word to who waits for it: the first that was called by who has it now."""
        speaker = self._speaking[-1] if self._speaking else None
        call = next((call for call in self._waiting if self._parents.get(call) == speaker), None)
        return [] if call is None else self._waiting.pop(call)

    def _waits_with(self, event: Event) -> str | None:
        """The waiting call that the event belongs to; ``None`` where it may be told now."""
        if isinstance(event, RunStarted | RunSnapshot | RunEnded):
            return None
        if isinstance(event, CallStarted):
            above = self._parents[event.call] = event.parent if event.parent in self._parents else None
            if above == (self._speaking[-1] if self._speaking else None):
                return None
        call: str | None = event.call
        while call is not None and call in self._parents:
            if call in self._waiting:
                return call
            if call in self._speaking:
                break
            call = self._parents[call]
        # A call that begins beside the one that has the word has to wait; all else belongs to those who have it.
        return event.call if isinstance(event, CallStarted) else None

    def _rest(self) -> Iterator[Event]:
        """What still waits at the end. That is only so for a log that was cut: a run closes what it opened."""
        while self._waiting:
            yield from self._waiting.pop(next(iter(self._waiting)))
