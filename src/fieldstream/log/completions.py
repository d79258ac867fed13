"""Following a log together with what is known, beside its events, of the parts of values that are whole."""

from collections.abc import Callable
from typing import Protocol, TypeAlias

from fieldstream.events import Event
from fieldstream.log.follow import Cursor, Follower, Log
from fieldstream.log.memory import Completion

Entry: TypeAlias = Event | Completion


class CompletionLog(Log, Protocol):
    """A log that knows, beside its events, which parts of values are whole."""

    def completions(self, after: int, events: int) -> list[Completion]: ...

    def wait(self, after: int, wake: Callable[[], None], completions: int | None = None) -> bool: ...


class CompletionCursor(Follower[Entry]):
    """A place in both. Deltas of one text that wait together come as one."""

    def __init__(self, log: CompletionLog) -> None:
        super().__init__()
        self._log = log
        self._cursor = Cursor(log, merge=True)
        self._seen = 0

    def take(self) -> list[Entry]:
        before = self._cursor.after
        events = self._cursor.take()
        # After the events, so that none is missing of those that come between them.
        completions = self._log.completions(self._seen, self._cursor.after + 1)
        entries: list[Entry] = []
        if not completions:
            entries += events
            return entries
        self._seen += len(completions)
        at = 0
        for event in events:
            # A text that went on behind a completion may have come as one.
            while at < len(completions) and completions[at].events <= before + 1:
                entries.append(completions[at])
                at += 1
            entries.append(event)
            before = event.seq
        return entries + completions[at:]

    def _wait(self, wake: Callable[[], None]) -> bool:
        return self._log.wait(self._cursor.after, wake, self._seen)

    def _forget(self, wake: Callable[[], None]) -> None:
        self._log.forget(wake)
