"""What a transform is: events in, events out, without I/O and without a clock."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Protocol

from fieldstream.events import Event


class Stage(Protocol):
    """A transform at work, for one reader.

    ``feed`` takes a run's events one by one and gives those that take its place, in order; none to hold it back. The
    rules of the vocabulary hold for what it gives as they do for what it is fed: what was opened is closed before what
    encloses it, what is held of a field comes before its end, and ``run.ended`` is last. ``seq`` and ``at`` may stay
    as they are: they are set anew for the reader. A stage that gives ``run.ended`` before it was fed one stops the run,
    with that event's ``error``; it is fed no more.
    """

    def feed(self, event: Event, /) -> Iterable[Event]: ...


class Paced(ABC):
    """A stage that hands over what it was fed in its order, and when it is due, by a clock that it is told."""

    @abstractmethod
    def hold(self, event: Event, now: float, /) -> None:
        """Take an event that came ``now``."""

    @abstractmethod
    def due(self) -> float | None:
        """When the next event is to be handed over; ``None`` where there is none."""

    @abstractmethod
    def release(self, now: float, /) -> Event:
        """Hand over the next event."""


class Transform(Protocol):
    """What stands between a run and its readers. It has no state, and any number of runs and readers may share it.

        class Upper:
            def start(self):
                return self

            def feed(self, event):
                if isinstance(event, FieldDelta) and event.text is not None:
                    event = msgspec.structs.replace(event, text=event.text.upper())
                return [event]

    ``start`` gives a new ``Stage`` for each reader; one that remembers nothing may be the transform itself. One that
    may stop the run, and has an attribute ``watches`` that is true, works also where nobody reads, if it is one of a
    ``Streamer``'s: once more, in the program's thread, as the program writes.
    """

    def start(self) -> Stage | Paced: ...
