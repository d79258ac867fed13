"""A run's state so far, read from its events: its calls, its fields with the values that they have, its outcome."""

from collections.abc import Iterable
from typing import Any

import msgspec

from fieldstream._draft import Draft
from fieldstream.events import (
    UNSET,
    CallEnded,
    CallStarted,
    Event,
    Failure,
    FieldDelta,
    FieldEnded,
    FieldKind,
    FieldReset,
    FieldSnapshot,
    FieldStarted,
    Outcome,
    RunEnded,
    RunSnapshot,
    RunStarted,
)


class _Field:
    __slots__ = ("draft", "ended", "kind")

    def __init__(self, kind: FieldKind) -> None:
        self.kind: FieldKind = kind
        self.draft = Draft()
        self.ended = False


class CallState(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A call so far, and when it ended what came of it: the members of ``call.started`` and of ``call.ended``."""

    call: str
    parent: str | None = None
    kind: str
    name: str
    at: float
    arguments: dict[str, Any] | None = None
    whole: str | None = None
    attempt: int | None = None
    ended: bool = False
    seconds: float | None = None
    error: Failure | None = None
    usage: dict[str, Any] | None = None
    cached: bool = False
    result: Any = UNSET
    chosen: str | None = None


class RunState:
    """Takes a run's events, from its first on. Merged deltas are as good as single ones."""

    def __init__(self) -> None:
        self.run = ""
        self.program = ""
        self.seq = -1
        """The last event's."""
        self.at = 0.0
        self.end: RunEnded | None = None
        self._calls: dict[str, CallStarted] = {}
        self._ended: dict[str, CallEnded] = {}
        self._fields: dict[tuple[str, str, int], _Field] = {}

    @property
    def outcome(self) -> Outcome | None:
        """How the run ended; ``None`` while it goes on."""
        return None if self.end is None else self.end.outcome

    def feed(self, events: Iterable[Event]) -> None:
        """Take what comes next."""
        for event in events:
            self._take(event)
            self.seq, self.at = event.seq, event.at

    def _take(self, event: Event) -> None:
        match event:
            case FieldDelta():
                draft = self._field(event).draft
                if event.text is not None:
                    draft.append(event.path, event.text)
                else:
                    draft.assign(event.path, event.value)
            case CallStarted():
                self._calls[event.call] = event
            case CallEnded():
                self._ended[event.call] = event
            case FieldStarted():
                self._fields[event.call, event.field, event.candidate] = _Field(event.kind)
            case FieldReset():
                field = self._field(event)
                field.draft.withdraw(event.path)
                field.ended = False
            case FieldEnded():
                self._field(event).ended = True
            case RunStarted():
                self.run, self.program = event.run, event.program
            case RunSnapshot():
                self._restore(event)
            case RunEnded():
                self.end = event
            case _:
                pass  # Messages and an LM's own text pass by.

    def _field(self, event: FieldDelta | FieldReset | FieldEnded) -> _Field:
        return self._fields[event.call, event.field, event.candidate]

    def _restore(self, snapshot: RunSnapshot) -> None:
        self.run, self.program = snapshot.run, snapshot.program
        self._calls = {call.call: call for call in snapshot.calls}
        self._ended = {call.call: call for call in snapshot.ended}
        self._fields = {}
        for each in snapshot.fields:
            field = self._fields[each.call, each.field, each.candidate] = _Field(each.kind)
            field.ended = each.ended
            if each.value is not UNSET:
                field.draft.assign((), each.value)  # A copy: the snapshot's is to stay as it is.

    def snapshot(self) -> RunSnapshot:
        """What stands in the place of the events so far, but for the closing one, which is never left out.

        Its values are live: encode it before more is fed.
        """
        return RunSnapshot(
            seq=self.seq if self.end is None else self.seq - 1,
            at=self.at,
            run=self.run,
            program=self.program,
            calls=list(self._calls.values()),
            fields=self.fields(),
            ended=list(self._ended.values()),
        )

    def fields(self) -> list[FieldSnapshot]:
        """The fields so far, in the order in which they began. Their values are live."""
        return [
            FieldSnapshot(
                call=call, field=name, kind=field.kind, candidate=candidate, value=field.draft.value, ended=field.ended
            )
            for (call, name, candidate), field in self._fields.items()
        ]

    def calls(self) -> list[CallState]:
        """The calls so far, in the order in which they began."""
        return [self._call(call) for call in self._calls.values()]

    def _call(self, started: CallStarted) -> CallState:
        end = self._ended.get(started.call)
        came_of_it: dict[str, Any] = {}
        if end is not None:
            members = ("seconds", "error", "usage", "cached", "result", "chosen")
            came_of_it = {"ended": True, **{name: getattr(end, name) for name in members}}
        members = ("call", "parent", "kind", "name", "at", "arguments", "whole", "attempt")
        return CallState(**{name: getattr(started, name) for name in members}, **came_of_it)

    def predictor(self, call: str) -> str:
        """The path of the predictor that a call is of."""
        return self._calls[call].name
