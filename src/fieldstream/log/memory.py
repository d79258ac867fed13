"""A run's log in memory.

The text of a field is kept once, in blocks; a delta is three numbers (which field, which piece of its text, when), no
object: events are made anew for each reader. So a finished log weighs about as much as the text it holds.
"""

import threading
import time
from array import array
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from fieldstream.events import Event, Path, RunEnded

_PIECES_PER_BLOCK = 512
"""How many pieces of a text stay apart before they are joined: more cost memory, fewer cost a reader at the tail."""


class _Text:
    """What was appended to one text, by pieces: the newest as they came, the older ones joined in blocks."""

    __slots__ = ("_blocks", "_offsets", "_tail", "delta")

    def __init__(self, delta: Callable[..., Event]) -> None:
        self.delta = delta
        self._tail: list[str] = []
        self._blocks: list[str] = []
        # Where each joined piece begins in its block. Every block but the last holds the same number of pieces.
        self._offsets = array("I")

    def append(self, piece: str) -> int:
        """Take a piece; its number comes back."""
        self._tail.append(piece)
        if len(self._tail) == _PIECES_PER_BLOCK:
            self._join()
        return len(self._offsets) + len(self._tail) - 1

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

    def seal(self) -> None:
        """No more will come: join what is left."""
        if self._tail:
            self._join()

    def _join(self) -> None:
        offset = 0
        for piece in self._tail:
            self._offsets.append(offset)
            offset += len(piece)
        self._blocks.append("".join(self._tail))
        self._tail = []


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
        # One entry an event: its text's number (or, below zero, which event it is), its piece, and when.
        self._source = array("i")
        self._piece = array("I")
        self._at = array("d")
        self._events: list[Event] = []
        self._texts: list[_Text] = []
        self._completions: list[Completion] = []
        self._waiters: list[Callable[[], None]] = []
        self._ended = False

    def __len__(self) -> int:
        return len(self._source)

    @property
    def ended(self) -> bool:
        """Whether the closing event is in."""
        return self._ended

    def record(self, kind: Callable[..., Event], /, **members: Any) -> None:
        """Append an event of the given class; the log gives it its ``seq`` and ``at``."""
        with self._lock:
            if self._ended:
                raise RuntimeError(f"{kind} came after the run's closing event; the log is complete")
            now = self._clock() - self._began
            event = kind(seq=len(self._source), at=now, **members)
            self._events.append(event)
            self._piece.append(0)
            self._at.append(now)
            self._source.append(-len(self._events))
            if isinstance(event, RunEnded):
                self._ended = True
                for text in self._texts:
                    text.seal()

    def open_text(self, kind: Callable[..., Event], /, **members: Any) -> int:
        """A handle for ``append``: deltas of the given class, alike in all but their text."""
        with self._lock:
            self._texts.append(_Text(partial(kind, **members)))
            return len(self._texts) - 1

    def append(self, text: int, piece: str) -> None:
        """Append a delta of the text that ``open_text`` gave this handle for."""
        with self._lock:
            if self._ended:
                raise RuntimeError("a delta came after the run's closing event; the log is complete")
            self._piece.append(self._texts[text].append(piece))
            self._at.append(self._clock() - self._began)
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
        with self._lock:
            self._completions.append(Completion(len(self._source), call, field, candidate, path))

    def completions(self, after: int, events: int) -> list[Completion]:
        """Those after so many of them, as far as they belong to the first so many ``events``."""
        with self._lock:
            known = self._completions
            until = after
            while until < len(known) and known[until].events <= events:
                until += 1
            return known[after:until]

    def wait(self, after: int, wake: Callable[[], None], completions: int | None = None) -> bool:
        """Have ``wake`` called, once and from any thread, when there is more after this cursor.

        ``False``: there is already, or the log is complete; ``wake`` will not be called. Who has seen so many
        ``completions`` waits for one more of them, too.
        """
        with self._lock:
            if self._ended or len(self._source) > after + 1:
                return False
            if completions is not None and len(self._completions) > completions:
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
        with self._lock:
            position = max(after, -1) + 1
            count = len(self._source)
            while position < count and len(events) < limit:
                source = self._source[position]
                if source < 0:
                    events.append(self._events[-source - 1])
                else:
                    first = last = self._piece[position]
                    while merge and position + 1 < count and self._source[position + 1] == source:
                        position += 1
                        last = self._piece[position]
                    text = self._texts[source]
                    events.append(text.delta(seq=position, at=self._at[position], text=text.between(first, last)))
                position += 1
        return events

    # What only other sinks keep.

    def chunk(self, chunk: object) -> None: ...

    def literal(self, call: str, field: str, piece: str) -> None: ...

    def literal_ended(self, call: str, field: str) -> None: ...

    def sent(self, value: object) -> None: ...

    def piece(self, call: str, text: str) -> None: ...
