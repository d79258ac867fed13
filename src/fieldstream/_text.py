"""One field's text, read from a run's events: as it is written, call after call."""

import json
from collections import deque
from collections.abc import Iterable

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

    __slots__ = ("call", "reset")

    call: str
    """The id of the predictor's call that wrote it."""

    reset: ResetReason | None
    """Why all that this call said of the field before is withdrawn, where it is."""

    def __new__(cls, text: str, call: str = "", reset: ResetReason | None = None) -> "Text":
        piece = super().__new__(cls, text)
        piece.call = call
        piece.reset = reset
        return piece


class _Call:
    """A call of the field's predictor: what it wrote and nobody has read, while another is being read."""

    __slots__ = ("ended", "id", "kind", "reset", "unread")

    def __init__(self, id: str, kind: FieldKind) -> None:
        self.id = id
        self.kind: FieldKind = kind
        self.unread: list[Text] = []
        self.reset: ResetReason | None = None
        self.ended = False

    def write(self, text: str) -> None:
        self.unread.append(Text(text, self.id, self.reset))
        self.reset = None

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
                    self._calls[id].reset = event.reason
            case FieldStarted(call=id, field=field, candidate=0) if field == self._name.field and id in self._meant:
                self._calls[id] = _Call(id, event.kind)
                self._order.append(self._calls[id])
            case CallStarted(kind="predictor") if self._name.fits(event.name):
                self._meant.add(event.call)
            case CallEnded(call=id):
                self._meant.discard(id)
                if (call := self._calls.pop(id, None)) is not None:
                    call.ended = True
                    if call.kind == "data" and event.fields is not None and self._name.field in event.fields:
                        call.write(json.dumps(event.fields[self._name.field], ensure_ascii=False))
            case RunEnded():
                self.ended = True
            case _:
                pass
