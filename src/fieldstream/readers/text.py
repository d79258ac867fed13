"""One field's text, read from a run's events: as it is written, call after call."""

import json
from collections.abc import Iterable, Sequence

from fieldstream._fields import FieldName
from fieldstream.events import (
    CallEnded,
    Event,
    FieldDelta,
    FieldKind,
    FieldReset,
    FieldStarted,
    ResetReason,
    RunEnded,
)
from fieldstream.readers.calls import FieldCalls


class Text(str):
    """A piece of a field's text."""

    __slots__ = ("call", "reset", "withdrawn")

    call: str
    """The id of the predictor's call that wrote it."""

    reset: ResetReason | None
    """Why something that was said of the field before is withdrawn, where it is."""

    withdrawn: tuple[str, ...]
    """The ids of the calls that said it. It is this piece's own call, but for ``rerun``: then it is all calls of an
    attempt (of ``dspy.BestOfN``, say) whose place the next one takes; or, in the end, the chosen one."""

    def __new__(
        cls, text: str, call: str = "", reset: ResetReason | None = None, withdrawn: Iterable[str] = ()
    ) -> "Text":
        piece = super().__new__(cls, text)
        piece.call = call
        piece.reset = reset
        piece.withdrawn = tuple(withdrawn)
        return piece


class _Call:
    """A call of the field's predictor: what it wrote and nobody has read, while another is being read."""

    __slots__ = ("ended", "id", "kept", "kind", "reset", "unread", "withdrawn")

    def __init__(self, id: str, kind: FieldKind, *, keep: bool = False) -> None:
        self.id = id
        self.kind: FieldKind = kind
        self.unread: list[Text] = []
        # All that it wrote, where it may have to be shown again.
        self.kept: list[str] | None = [] if keep else None
        self.reset: ResetReason | None = None
        self.withdrawn: list[str] = []
        self.ended = False

    def write(self, text: str) -> None:
        self.unread.append(Text(text, self.id, self.reset, self.withdrawn))
        self.reset = None
        self.withdrawn = []
        if self.kept is not None:
            self.kept.append(text)

    def withdraw(self, reason: ResetReason, calls: Iterable[str]) -> None:
        """What these calls showed is withdrawn, which the next piece says."""
        if self.kept is not None:
            self.kept.clear()
        self.reset = "rerun" if self.reset == "rerun" else reason
        self.withdrawn += [call for call in calls if call not in self.withdrawn]

    def read(self) -> list[Text]:
        if self.ended and self.reset is not None:
            self.write("")  # Nothing took the place of what was withdrawn; that must be said all the same.
        unread, self.unread = self.unread, []
        return unread


class TextAssembler:
    """Events in, one field's text out. Where several calls write it at once, they are given one after the other.

    A field that is no text comes once, when its call ends, as JSON.
    """

    def __init__(self, name: FieldName) -> None:
        self._name = name
        self._calls = FieldCalls(name, self._open, self._again)
        self.ended = False

    def feed(self, events: Iterable[Event]) -> list[Text]:
        """What the events say of the field."""
        pieces: list[Text] = []
        for event in events:
            self.ended = self.ended or isinstance(event, RunEnded)
            if (call := self._calls.concerned(event)) is not None:
                self._take(call, event)
            while (front := self._calls.front) is not None:
                pieces += front.read()
                if not front.ended:
                    break
                self._calls.drop_front()
        return pieces

    def _take(self, call: _Call, event: Event) -> None:
        match event:
            case FieldDelta(text=str(text)) if call.kind == "text":
                call.write(text)
            case FieldReset() if call.kind == "text":
                call.withdraw(event.reason, [call.id])
            case CallEnded(fields=fields) if call.kind == "data" and fields is not None and self._name.field in fields:
                call.write(json.dumps(fields[self._name.field], ensure_ascii=False))
            case _:
                pass

    def _open(self, event: FieldStarted, withdrawn: Sequence[str]) -> _Call:
        call = _Call(event.call, event.kind, keep=self._calls.undecided)
        if withdrawn:
            call.withdraw("rerun", withdrawn)
        return call

    def _again(self, kept: _Call | None, withdrawn: Sequence[str]) -> _Call:
        """The chosen attempt is not the last one: its text comes once more, whole."""
        call = _Call("" if kept is None else kept.id, "text")
        if withdrawn:
            call.withdraw("rerun", withdrawn)
        if text := "".join((kept.kept if kept is not None else None) or ()):
            call.write(text)
        return call
