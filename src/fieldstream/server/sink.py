"""What stands between a run and its log: it takes what a recorder says, and passes it on."""

from collections.abc import Callable
from typing import Any

from fieldstream.events import Event, Path
from fieldstream.tap import Sink


class PassingSink:
    """Passes everything on that a log keeps. A subclass looks at it, or holds some of it back."""

    wants_chunks = False
    wants_literals = False

    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    def record(self, kind: Callable[..., Event], /, **members: Any) -> None:
        """Record an event."""
        self._sink.record(kind, **members)

    def open_text(self, kind: Callable[..., Event], /, **members: Any) -> int:
        """A handle for deltas; below zero for a text that is not passed on."""
        return self._sink.open_text(kind, **members)

    def append(self, text: int, *pieces: str) -> None:
        """Append to a text."""
        self._sink.append(text, *pieces)

    def flush(self) -> None:
        """Wake the readers."""
        self._sink.flush()

    # What only sinks in this process have a use for, which read values as they are.

    def completed(self, call: str, field: str, candidate: int, path: Path) -> None: ...

    def chunk(self, chunk: object) -> None: ...

    def literal(self, call: str, field: str, piece: str) -> None: ...

    def literal_ended(self, call: str, field: str) -> None: ...

    def sent(self, value: object) -> None: ...

    def piece(self, call: str, text: str) -> None: ...
