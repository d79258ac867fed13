"""Where the tap writes: the writing side of a log."""

from collections.abc import Callable
from typing import Any, Protocol

from fieldstream.events import Event, Path


class Sink(Protocol):
    """What a run's recorder needs of a log. It is called under the recorder's lock, from the threads of the program."""

    @property
    def wants_chunks(self) -> bool:
        """Whether ``chunk`` is to be called, with the provider's chunks as DSPy hands them over."""
        ...

    @property
    def wants_literals(self) -> bool:
        """Whether ``literal`` is to be called, with the literal text of fields that are not texts."""
        ...

    def record(self, kind: Callable[..., Event], /, **members: Any) -> None:
        """Append an event of this class; the sink knows its ``seq`` and ``at``."""
        ...

    def open_text(self, kind: Callable[..., Event], /, **members: Any) -> int:
        """A handle for deltas of this class that are alike in all but their text."""
        ...

    def append(self, text: int, *pieces: str) -> None:
        """Append to the text of this handle, a delta for each piece."""
        ...

    def completed(self, call: str, field: str, candidate: int, path: Path) -> None:
        """What is at this path in the field is whole, as far as its text goes."""
        ...

    def chunk(self, chunk: object) -> None: ...

    def literal(self, call: str, field: str, piece: str) -> None: ...

    def literal_ended(self, call: str, field: str) -> None: ...

    def sent(self, value: object) -> None:
        """The live object of the ``custom`` event that was recorded just before."""
        ...

    def piece(self, call: str, text: str) -> None:
        """More of the text that an LM writes for this call; what comes until the next piece is what it decided.

        Called where ``literal`` is wanted, also for a piece that decides nothing yet.
        """
        ...

    def flush(self) -> None:
        """What belongs together is in: tell the readers."""
        ...
