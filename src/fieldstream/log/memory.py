"""A run's log in memory.

A delta is three numbers (which text, where in all that was written, when), no object: events are made anew for each
reader. A text is no object of its own either, but for its path: a value may be a list of a great many short ones. The
pieces of all texts are kept in the order in which they came, joined in blocks. So a finished log weighs about as much
as what was written.
"""

import threading
import time
from array import array
from bisect import bisect_right
from collections.abc import Callable
from itertools import accumulate
from typing import Any, NamedTuple, TypeAlias

from fieldstream.events import Channel, Event, FieldDelta, LmDelta, Path, RunEnded

_PIECES_PER_BLOCK = 512
"""How many pieces stay apart before they are joined: more cost memory, fewer cost a reader at the tail."""


class _Pieces:
    """What the deltas appended, one piece an event: the newest as they came, the older ones joined in blocks."""

    __slots__ = ("_blocks", "_offsets", "_tail")

    def __init__(self) -> None:
        self._tail: list[str] = []
        self._blocks: list[str] = []
        # Where each joined piece begins in its block. Every block but the last holds the same number of pieces.
        self._offsets = array("I")

    def append(self, piece: str) -> None:
        """Take a piece."""
        self._tail.append(piece)
        if len(self._tail) == _PIECES_PER_BLOCK:
            self.seal()

    def between(self, first: int, last: int) -> str:
        """The text of the pieces ``first`` to ``last``, both included."""
        joined = len(self._offsets)
        if first >= joined:
            return (
                self._tail[first - joined] if first == last else "".join(self._tail[first - joined : last - joined + 1])
            )
        parts: list[str] = []
        while first <= last and first < joined:
            index = first // _PIECES_PER_BLOCK
            beyond = min(last + 1, (index + 1) * _PIECES_PER_BLOCK, joined)
            block = self._blocks[index]
            at_block_end = beyond == joined or beyond % _PIECES_PER_BLOCK == 0
            end = len(block) if at_block_end else self._offsets[beyond]
            parts.append(block[self._offsets[first] : end])
            first = beyond
        if first <= last:
            parts.extend(self._tail[first - joined : last - joined + 1])
        return "".join(parts)

    def each(self, first: int, last: int) -> list[str]:
        """The pieces ``first`` to ``last``, both included."""
        joined = len(self._offsets)
        if first >= joined:
            return self._tail[first - joined : last - joined + 1]
        return [self.between(each, each) for each in range(first, last + 1)]

    def seal(self) -> None:
        """Join what is left: the block is full, or no more will come."""
        if self._tail:
            self._offsets.extend(accumulate(map(len, self._tail[:-1]), initial=0))
            self._blocks.append("".join(self._tail))
            self._tail = []


_Delta: TypeAlias = Callable[[int, float, str, Path], Event]
"""Makes a delta: of its ``seq`` and ``at``, its text, and the text's path."""


def _field_delta(call: str, field: str, candidate: int = 0) -> _Delta:
    # Each member by its name: `functools.partial`, or `**members`, takes several times as long.
    return lambda seq, at, text, path: FieldDelta(
        seq=seq, at=at, call=call, field=field, candidate=candidate, path=path, text=text
    )


def _lm_delta(call: str, channel: Channel = "text", candidate: int = 0) -> _Delta:
    return lambda seq, at, text, path: LmDelta(
        seq=seq, at=at, call=call, text=text, channel=channel, candidate=candidate
    )


class Completion(NamedTuple):
    """What is at ``path`` in a field was whole after so many events."""

    events: int
    call: str
    field: str
    candidate: int
    path: Path


class MemoryLog:
    """Where a run's events are kept while the process lives. Writers and readers may be in any threads.

    A writer says ``record`` and ``append`` and then ``flush``, which wakes whoever waits. A reader asks ``read`` for
    what comes after its cursor, and ``wait`` to be called when there may be more.
    """

    wants_chunks = False
    wants_literals = False

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began = clock()
        # Reentrant: a waiting task that is collected forgets its wait from wherever that happens, perhaps from in here.
        self._lock = threading.RLock()
        # One entry an event: its text's number (or, below zero, which event it is), when, and its piece (or none).
        self._source = array("i")
        self._at = array("d")
        self._pieces = _Pieces()
        self._events: list[Event] = []
        # One entry a text: what makes its deltas (texts of one field share that), and where it is in the field.
        self._deltas: list[_Delta] = []
        self._paths: list[Path] = []
        self._shared: dict[tuple[Any, ...], _Delta] = {}
        # One entry a completion: after how many events, of which field, and where in it.
        self._completed_after = array("I")
        self._completed_fields: list[tuple[str, str, int]] = []
        self._completed_paths: list[Path] = []
        self._fields: dict[tuple[str, str, int], tuple[str, str, int]] = {}
        self._waiters: list[Callable[[], None]] = []
        self._ended = False

    def __len__(self) -> int:
        return len(self._source)

    @property
    def ended(self) -> bool:
        """Whether the closing event is in."""
        return self._ended

    def now(self) -> float:
        """The time on the clock of its events, in seconds since it began."""
        return self._clock() - self._began

    def record(self, kind: Callable[..., Event], /, **members: Any) -> None:
        """Append an event of the given class; the log gives it its ``seq`` and ``at``."""
        with self._lock:
            if self._ended:
                raise RuntimeError(f"{kind} came after the run's closing event; the log is complete")
            now = self._clock() - self._began
            event = kind(seq=len(self._source), at=now, **members)
            self._events.append(event)
            self._pieces.append("")
            self._at.append(now)
            self._source.append(-len(self._events))
            if isinstance(event, RunEnded):
                self._ended = True
                self._pieces.seal()

    def open_text(self, kind: Callable[..., Event], /, **members: Any) -> int:
        """A handle for ``append``: deltas of the given class, alike in all but their text."""
        with self._lock:
            path: Path = members.pop("path", ())
            key = (kind, *members.items())
            if (delta := self._shared.get(key)) is None:
                delta = self._shared[key] = (_field_delta if kind is FieldDelta else _lm_delta)(**members)
            self._deltas.append(delta)
            self._paths.append(path)
            return len(self._paths) - 1

    def append(self, text: int, *pieces: str) -> None:
        """Append to the text that ``open_text`` gave this handle for: a delta for each piece."""
        with self._lock:
            if self._ended:
                raise RuntimeError("a delta came after the run's closing event; the log is complete")
            now = self._clock() - self._began
            for piece in pieces:
                self._pieces.append(piece)
                self._at.append(now)
                self._source.append(text)

    def flush(self) -> None:
        """Wake who waits."""
        if self._waiters:
            with self._lock:
                waiters, self._waiters = self._waiters, []
            for wake in waiters:
                wake()

    def completed(self, call: str, field: str, candidate: int, path: Path) -> None:
        """What is at this path is whole. No event says so: it is for those who read values in this process."""
        field_key = (call, field, candidate)
        with self._lock:
            self._completed_after.append(len(self._source))
            self._completed_fields.append(self._fields.setdefault(field_key, field_key))
            self._completed_paths.append(path)

    def completions(self, after: int, events: int) -> list[Completion]:
        """Those after so many of them, as far as they belong to the first so many ``events``."""
        if len(self._completed_after) == after:
            return []
        with self._lock:
            until = bisect_right(self._completed_after, events, lo=after)
            return [
                Completion(self._completed_after[each], *self._completed_fields[each], self._completed_paths[each])
                for each in range(after, until)
            ]

    def wait(self, after: int, wake: Callable[[], None], completions: int | None = None) -> bool:
        """Have ``wake`` called, once and from any thread, when there is more after this cursor.

        ``False``: there is already, or the log is complete; ``wake`` will not be called. Who has seen so many
        ``completions`` waits for one more of them, too.
        """
        with self._lock:
            if self._ended or len(self._source) > after + 1:
                return False
            if completions is not None and len(self._completed_after) > completions:
                return False
            self._waiters.append(wake)
            return True

    def forget(self, wake: Callable[[], None]) -> None:
        """Take a ``wait`` back."""
        with self._lock:
            if wake in self._waiters:
                self._waiters.remove(wake)

    def read(self, after: int = -1, *, limit: int = 1024, merge: bool = False) -> list[Event]:
        """The events after the one with this ``seq`` (-1: from the first), at most ``limit`` of them.

        With ``merge``, consecutive deltas of one text come as one, which carries the last ``seq`` it covers.
        """
        events: list[Event] = []
        position = max(after, -1) + 1
        if len(self._source) <= position:
            return events
        with self._lock:
            count = len(self._source)
            while position < count and len(events) < limit:
                source = self._source[position]
                if source < 0:
                    events.append(self._events[-source - 1])
                    position += 1
                    continue
                # The deltas of one text, as far as they come in a row.
                first = position
                beyond = count if merge else min(count, first + limit - len(events))
                position += 1
                while position < beyond and self._source[position] == source:
                    position += 1
                delta, path = self._deltas[source], self._paths[source]
                if merge:
                    text = self._pieces.between(first, position - 1)
                    events.append(delta(position - 1, self._at[position - 1], text, path))
                    continue
                pieces = self._pieces.each(first, position - 1)
                events += [delta(first + at, self._at[first + at], text, path) for at, text in enumerate(pieces)]
        return events

    # What only other sinks keep.

    def chunk(self, chunk: object) -> None: ...

    def literal(self, call: str, field: str, piece: str) -> None: ...

    def literal_ended(self, call: str, field: str) -> None: ...

    def sent(self, value: object) -> None: ...

    def piece(self, call: str, text: str) -> None: ...
