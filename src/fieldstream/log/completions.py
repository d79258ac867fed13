"""Following a log together with what is known, beside its events, of the parts of values that are whole."""

from collections.abc import Callable
from typing import TypeAlias

from fieldstream.events import Event
from fieldstream.log.follow import Cursor, Follower
from fieldstream.log.memory import Completion, MemoryLog

Entry: TypeAlias = Event | Completion


class CompletionCursor(Follower[Entry]):
    """A place in both. Deltas of one text that wait together come as one."""

    def __init__(self, log: MemoryLog) -> None:
        super().__init__()
        self._log = log
        self._cursor = Cursor(log, merge=True)
        self._seen = 0

    def take(self) -> list[Entry]:
        completions = self._log.completions(self._seen)
        events = self._cursor.take()
        entries: list[Entry] = []
        taken = 0
        for event in events:
            while taken < len(completions) and completions[taken].events <= event.seq:
                entries.append(completions[taken])
                taken += 1
            entries.append(event)
        while taken < len(completions) and completions[taken].events <= self._cursor.after + 1:
            entries.append(completions[taken])
            taken += 1
        self._seen += taken
        return entries

    def _wait(self, wake: Callable[[], None]) -> bool:
        return self._log.wait(self._cursor.after, wake, self._seen)

    def _forget(self, wake: Callable[[], None]) -> None:
        self._log.forget(wake)
