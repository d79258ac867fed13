"""A run's events as they came over a wire: a log that somebody else writes.

The events keep the numbers that they have there. There may be gaps (a merged delta carries the last ``seq`` that it
covers), and a snapshot comes as the events that it stands for, which all have its ``seq``.
"""

import threading
from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterable
from typing import Any, cast

from fieldstream._merged import merged
from fieldstream._snapshots import Known
from fieldstream.events import (
    UNSET,
    Event,
    FieldDelta,
    FieldEnded,
    FieldReset,
    Path,
    RunEnded,
    RunSnapshot,
)
from fieldstream.log.memory import Completion

_Field = tuple[str, str, int]


class ReceivedLog:
    """Where the events are kept while the process lives. Who receives them, and who reads, may be in any threads.

    ``after`` is the last ``seq`` that is known already, so that it is not expected. ``heard`` is told of each event
    before any reader is given it.
    """

    def __init__(self, after: int = -1, heard: Callable[[Event], None] = lambda event: None) -> None:
        # Reentrant: a waiting task that is collected forgets its wait from wherever that happens, perhaps from in here.
        self._lock = threading.RLock()
        self._after = after
        self._heard = heard
        self._events: list[Event] = []
        self._seqs = array("q")
        self._whole = _Whole()
        self._known = Known()
        self._waiters: list[Callable[[], None]] = []
        self._ended = False
        self._error: BaseException | None = None

    @property
    def last(self) -> int:
        """The last event's ``seq``: who asks for what comes after it misses nothing."""
        return self._seqs[-1] if self._seqs else self._after

    @property
    def ended(self) -> bool:
        """Whether the closing event is in, or will never be."""
        return self._ended or self._error is not None

    @property
    def error(self) -> BaseException | None:
        """Why it breaks off before the closing event, if it does."""
        return self._error

    def take(self, events: Iterable[Event]) -> bool:
        """Keep events, and wake who waits; whether there was one that was not there before."""
        with self._lock:
            before = len(self._events)
            for event in events:
                if self.ended:
                    break
                if isinstance(event, RunSnapshot):
                    # The first may stand for less than what its reader claimed to know.
                    if not self._events or event.seq > self.last:
                        for each in list(self._known.told_by(event)):
                            self._append(each)
                elif event.seq > self.last or (isinstance(event, RunEnded) and event.seq == self.last):
                    # The closing event may also come behind a snapshot that stands for it, too.
                    self._append(event)
            new = len(self._events) > before
        if new:
            self._wake()
        return new

    def fail(self, error: BaseException) -> None:
        """Nothing more will come. Readers get what there is, and then this error; after the closing event none does."""
        with self._lock:
            if self.ended:
                return
            self._error = error
        self._wake()

    def _append(self, event: Event) -> None:
        self._heard(event)
        self._whole.look(event, self.last + 1)
        self._known.note(event)
        self._events.append(event)
        self._seqs.append(event.seq)
        self._ended = self._ended or isinstance(event, RunEnded)

    def _wake(self) -> None:
        with self._lock:
            waiters, self._waiters = self._waiters, []
        for wake in waiters:
            wake()

    def read(self, after: int = -1, *, limit: int = 1024, merge: bool = False) -> list[Event]:
        """The events after the one with this ``seq`` (-1: from the first), about ``limit`` of them.

        With ``merge``, consecutive deltas of one text come as one, which carries the last ``seq`` it covers. Raises the
        error of a log that breaks off, when all that there is was read.
        """
        with self._lock:
            first = bisect_right(self._seqs, after)
            beyond = min(first + limit, len(self._events))
            while 0 < beyond < len(self._events) and self._seqs[beyond] == self._seqs[beyond - 1]:
                beyond += 1  # What one cursor stands behind comes together.
            events = self._events[first:beyond]
            if not events and self._error is not None:
                raise self._error
        return merged(events) if merge else events

    def wait(self, after: int, wake: Callable[[], None], completions: int | None = None) -> bool:
        """Have ``wake`` called, once and from any thread, when there is more after this cursor.

        ``False``: there is already, or the log is complete; ``wake`` will not be called. Who has seen so many
        ``completions`` waits for one more of them, too.
        """
        with self._lock:
            if self.ended or self.last > max(after, self._after):
                return False
            if completions is not None and len(self._whole.completions) > completions:
                return False
            self._waiters.append(wake)
            return True

    def forget(self, wake: Callable[[], None]) -> None:
        """Take a ``wait`` back."""
        with self._lock:
            if wake in self._waiters:
                self._waiters.remove(wake)

    def completions(self, after: int, events: int) -> list[Completion]:
        """Those after so many of them, as far as they belong to the events before this ``seq``."""
        with self._lock:
            completions = self._whole.completions
            until = bisect_right(completions, events, lo=after, key=lambda completion: completion.events)
            return completions[after:until]


class _Whole:
    """Tells which parts of values are whole: who has only the events knows it when the next part begins."""

    def __init__(self) -> None:
        self.completions: list[Completion] = []
        # Where each field's value grows.
        self._paths: dict[_Field, Path] = {}

    def look(self, event: Event, seq: int) -> None:
        """What this event tells; ``seq`` is the next one after those before it."""
        if not isinstance(event, FieldDelta | FieldReset | FieldEnded):
            return
        field = (event.call, event.field, event.candidate)
        path = self._paths.get(field, ())
        match event:
            case FieldDelta():
                if event.path != path or event.value is not UNSET:
                    self._left(field, path, event.path, seq)
                    self._paths[field] = event.path + _last(event.value)
            case FieldReset():
                self._paths.pop(field, None)
            case FieldEnded():
                self._left(field, path, (), seq)
                self._paths.pop(field, None)

    def _left(self, field: _Field, path: Path, now: Path, seq: int) -> None:
        """The value grew at ``path``, and does now at another place: what does not enclose that is whole."""
        for length in range(len(path), 0, -1):
            if path[:length] == now[:length]:
                break
            self.completions.append(Completion(seq, *field, path[:length]))


def _last(value: Any) -> Path:
    """Where a value that is set would go on to grow."""
    if isinstance(value, list) and value:
        return (len(cast("list[Any]", value)) - 1,)
    if isinstance(value, dict) and value:
        return (next(reversed(cast("dict[str, Any]", value))),)
    return ()
