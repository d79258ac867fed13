"""A stage that works on texts: which text an event belongs to, and where a text ends."""

from collections.abc import Iterable, Iterator
from typing import Protocol, TypeAlias

from fieldstream.events import (
    CallEnded,
    Event,
    FieldDelta,
    FieldEnded,
    FieldReset,
    FieldStarted,
    LmDelta,
    Path,
    RunEnded,
    RunSnapshot,
)

Key: TypeAlias = tuple[str, str, int]
"""A field of a call, or one channel of an LM's text: call, field or channel, candidate."""


class Machine(Protocol):
    """Makes another text of one text, piece by piece; it may hold back what it cannot decide yet."""

    def feed(self, text: str, /) -> Iterable[str]: ...

    def finish(self) -> Iterable[str]:
        """The text is over: what was held back."""
        ...


class OpenText:
    """The text that a field is at, or an LM's."""

    __slots__ = ("blank", "machine", "path", "shown_path")

    def __init__(self, machine: Machine, path: Path, shown_path: Path) -> None:
        self.machine = machine
        self.path = path
        self.shown_path = shown_path
        # Whether nothing of it was given yet.
        self.blank = True


class TextStage:
    """Sends each text of a run through a machine of its own.

    A text is a text field's, a string's inside a value, or an LM's. A string inside a value ends where the field goes
    on somewhere else. What a machine holds back comes out before whatever ends its text, and is dropped by what
    withdraws or replaces it.
    """

    def __init__(self) -> None:
        self._fields: dict[Key, OpenText] = {}
        self._lms: dict[Key, OpenText] = {}

    # What a subclass does

    def begin(self) -> Machine:
        """A machine for a new text."""
        raise NotImplementedError

    def other(self, event: Event) -> Event:
        """An event that is no piece of a text, as readers get it."""
        return event

    def place(self, path: Path) -> Path:
        """A path in a value, as readers get it."""
        return path

    def open_text(self, key: Key, path: Path) -> OpenText:
        """A field's text begins, or goes on after the field was somewhere else."""
        return OpenText(self.begin(), path, self.place(path))

    def snapshot(self, event: RunSnapshot) -> Event:
        return event

    # The events

    def feed(self, event: Event, /) -> Iterator[Event]:
        match event:
            case FieldDelta(text=str(text)):
                yield from self._text(event, text)
            case LmDelta():
                key = (event.call, event.channel, event.candidate)
                if (text := self._lms.get(key)) is None:
                    text = self._lms[key] = OpenText(self.begin(), (), ())
                for piece in text.machine.feed(event.text):
                    yield _lm_delta(key, piece, event.at)
            case FieldDelta(path=path):
                yield from self._leave((event.call, event.field, event.candidate), path, event.at)
                yield self.other(event)
            case FieldReset(path=path):
                key = (event.call, event.field, event.candidate)
                if path and (text := self._fields.get(key)) is not None and text.path == path and text.blank:
                    yield _nothing(key, text, event.at)  # What is withdrawn is there before.
                yield from self._leave(key, path, event.at)
                yield self.other(event)
            case FieldStarted() | FieldEnded():
                yield from self._end((event.call, event.field, event.candidate), event.at)
                yield self.other(event)
            case CallEnded(call=call):
                yield from self._end_all(call, event.at)
                yield self.other(event)
            case RunEnded():
                yield from self._end_all(None, event.at)
                yield self.other(event)
            case RunSnapshot():
                yield self.snapshot(event)
            case _:
                yield self.other(event)

    def _text(self, event: FieldDelta, text: str) -> Iterator[Event]:
        key = (event.call, event.field, event.candidate)
        current = self._fields.get(key)
        if current is None or current.path != event.path:
            yield from self._end(key, event.at)
            current = self._fields[key] = self.open_text(key, event.path)
        yield from self._show(key, current, current.machine.feed(text), event.at)

    def _leave(self, key: Key, path: Path, at: float) -> Iterator[Event]:
        """The field is written or withdrawn at a path; its text there is gone, elsewhere it is over."""
        current = self._fields.get(key)
        if current is not None and current.path[: len(path)] == path:
            del self._fields[key]
        else:
            yield from self._end(key, at)

    def _end(self, key: Key, at: float) -> Iterator[Event]:
        if (current := self._fields.pop(key, None)) is not None:
            yield from self._show(key, current, current.machine.finish(), at)
            if current.blank and current.path:
                yield _nothing(key, current, at)  # A string all of which was taken away is there all the same.

    def _end_all(self, call: str | None, at: float) -> Iterator[Event]:
        for key in [key for key in self._fields if call is None or key[0] == call]:
            yield from self._end(key, at)
        for key in [key for key in self._lms if call is None or key[0] == call]:
            for piece in self._lms.pop(key).machine.finish():
                yield _lm_delta(key, piece, at)

    def _show(self, key: Key, current: OpenText, pieces: Iterable[str], at: float) -> Iterator[Event]:
        call, field, candidate = key
        for piece in pieces:
            current.blank = False
            yield FieldDelta(
                seq=0, at=at, call=call, field=field, candidate=candidate, path=current.shown_path, text=piece
            )


def _nothing(key: Key, text: OpenText, at: float) -> FieldDelta:
    call, field, candidate = key
    return FieldDelta(seq=0, at=at, call=call, field=field, candidate=candidate, path=text.shown_path, value="")


def _lm_delta(key: Key, text: str, at: float) -> LmDelta:
    call, channel, candidate = key
    return LmDelta(seq=0, at=at, call=call, channel=channel, candidate=candidate, text=text)  # type: ignore[arg-type]
