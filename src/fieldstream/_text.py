"""One field's text, read from a run's events: as it is written, call after call."""

import json
from collections import deque
from collections.abc import Iterable

from fieldstream._attempts import Attempts, Rerun
from fieldstream._fields import FieldName
from fieldstream.events import (
    CallEnded,
    CallStarted,
    Event,
    FieldDelta,
    FieldKind,
    FieldReset,
    FieldStarted,
    ResetReason,
    RunEnded,
)


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

    def withdraw(self, reason: ResetReason, calls: list[str]) -> None:
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
        self._meant: set[str] = set()
        self._calls: dict[str, _Call] = {}
        self._order: deque[_Call] = deque()
        self._attempts = Attempts()
        self._kept: dict[str, list[str]] = {}
        self.ended = False

    def feed(self, events: Iterable[Event]) -> list[Text]:
        """What the events say of the field."""
        pieces: list[Text] = []
        for event in events:
            self._take(event)
            if self._order:
                pieces += self._order[0].read()
            while self._order and self._order[0].ended:
                self._order.popleft()
                if self._order:
                    pieces += self._order[0].read()
        return pieces

    def _take(self, event: Event) -> None:
        match event:
            case FieldDelta(call=id, field=field, candidate=0) if field == self._name.field and id in self._calls:
                if self._calls[id].kind == "text" and event.text is not None:
                    self._calls[id].write(event.text)
            case FieldReset(call=id, field=field, candidate=0) if field == self._name.field and id in self._calls:
                if self._calls[id].kind == "text":
                    self._calls[id].withdraw(event.reason, [id])
            case FieldStarted(call=id, field=field, candidate=0) if field == self._name.field and id in self._meant:
                self._start(_Call(id, event.kind, keep=self._attempts.undecided))
            case CallStarted():
                self._attempts.started(event)
                if event.kind == "predictor" and self._name.fits(event.name):
                    self._meant.add(event.call)
            case CallEnded():
                self._end(event)
            case RunEnded():
                self.ended = True
            case _:
                pass

    def _start(self, call: _Call) -> None:
        if withdrawn := self._attempts.writes(call.id):
            call.withdraw("rerun", withdrawn)
        self._calls[call.id] = call
        self._order.append(call)

    def _end(self, event: CallEnded) -> None:
        self._meant.discard(event.call)
        if (call := self._calls.pop(event.call, None)) is not None:
            call.ended = True
            if call.kind == "data" and event.fields is not None and self._name.field in event.fields:
                call.write(json.dumps(event.fields[self._name.field], ensure_ascii=False))
            if call.kept is not None:
                self._kept[call.id] = call.kept
        if (rerun := self._attempts.ended(event)) is not None:
            self._show_again(rerun)
        if not self._attempts.undecided:
            self._kept.clear()

    def _show_again(self, rerun: Rerun) -> None:
        """The chosen attempt is not the last one: its text comes once more, whole."""
        for id in rerun.restored or [""]:
            call = _Call(id, "text")
            if rerun.withdrawn:
                call.withdraw("rerun", rerun.withdrawn)
            if text := "".join(self._kept.get(id, ())):
                call.write(text)
            call.ended = True
            self._order.append(call)
            rerun = Rerun([], rerun.restored)
