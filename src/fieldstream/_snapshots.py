"""The events that a ``run.snapshot`` stands for, for readers that take a run event by event."""

from collections.abc import Iterator
from typing import Any

from msgspec.structs import replace

from fieldstream.events import (
    UNSET,
    CallEnded,
    CallStarted,
    Event,
    FieldDelta,
    FieldEnded,
    FieldReset,
    FieldStarted,
    RunSnapshot,
    RunStarted,
)


class Known:
    """Which calls and fields are known, so that a snapshot tells only of the others, or anew."""

    def __init__(self) -> None:
        self._calls: set[str] = set()
        self._ended: set[str] = set()
        self._fields: set[tuple[str, str, int]] = set()
        self._any = False

    def note(self, event: Event) -> None:
        """The event is known."""
        self._any = True
        match event:
            case CallStarted():
                self._calls.add(event.call)
            case CallEnded():
                self._ended.add(event.call)
            case FieldStarted():
                self._fields.add((event.call, event.field, event.candidate))
            case _:
                pass

    def told_by(self, snapshot: RunSnapshot) -> Iterator[Event]:
        """The events that a snapshot stands for. A field that is known is withdrawn, and comes anew."""
        seq, at = snapshot.seq, snapshot.at
        if not self._any:
            yield RunStarted(seq=seq, at=0.0, run=snapshot.run, program=snapshot.program)
        for call in snapshot.calls:
            if call.call not in self._calls:
                yield replace(call, seq=seq)
        for field in snapshot.fields:
            if field.call in self._ended:
                continue
            place: dict[str, Any] = {"call": field.call, "field": field.field, "candidate": field.candidate}
            if (field.call, field.field, field.candidate) in self._fields:
                yield FieldReset(seq=seq, at=at, reason="repair", **place)
            else:
                yield FieldStarted(seq=seq, at=at, kind=field.kind, **place)
            if field.value is not UNSET and field.kind == "text":
                yield FieldDelta(seq=seq, at=at, text=field.value, **place)
            elif field.value is not UNSET:
                yield FieldDelta(seq=seq, at=at, value=field.value, **place)
            if field.ended:
                yield FieldEnded(seq=seq, at=at, **place)
        for call in snapshot.ended:
            if call.call not in self._ended:
                yield replace(call, seq=seq)
