"""What a run looks like so far: a state that events go into. It draws nothing and knows no terminal."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, assert_never

from fieldstream._draft import Draft
from fieldstream.events import (
    UNSET,
    CallEnded,
    CallStarted,
    Custom,
    Event,
    Failure,
    FieldDelta,
    FieldEnded,
    FieldKind,
    FieldReset,
    FieldStarted,
    LmDelta,
    Outcome,
    RunEnded,
    RunSnapshot,
    RunStarted,
    Status,
)
from fieldstream.terminal.call import CallView


@dataclass(slots=True)
class View:
    """A run: what it has done so far and what it is doing. ``apply`` takes its events in, one after the other."""

    program: str = ""
    run: str = ""
    at: float = 0.0
    calls: dict[str, CallView] = field(default_factory=dict[str, CallView])
    roots: list[CallView] = field(default_factory=list[CallView])
    status: str | None = None
    """The last message for a person, until the call that it is about ends."""
    chunks: int = 0
    """How many deltas of fields there were."""
    first_text: float | None = None
    """When the first text of any kind came, in seconds since the run began."""
    outcome: Outcome | None = None
    result: Any = UNSET
    error: Failure | None = None
    usage: dict[str, Any] = field(default_factory=dict[str, Any])
    _status_of: str | None = None

    @property
    def told(self) -> bool:
        """Whether the result is no more than what the run's only predictor wrote, which is to be seen already."""
        shown = [call for call in self.walk() if call.shown]
        return len(shown) == 1 and shown[0].values is not None and shown[0].values == self.result

    def walk(self) -> Iterator[CallView]:
        """Every call, each after the one it is in."""
        for root in self.roots:
            yield from root.walk()

    def apply(self, event: Event) -> None:
        """Take an event in."""
        self.at = max(self.at, event.at)
        match event:
            case RunStarted():
                self.run, self.program = event.run, event.program
            case CallStarted():
                self._open(event)
            case FieldStarted():
                if (call := self.calls.get(event.call)) is not None:
                    call.field(event.field, event.candidate, event.kind).ended = False
            case FieldDelta():
                if (call := self.calls.get(event.call)) is not None:
                    kind: FieldKind = "data" if event.path or event.text is None else "text"
                    call.field(event.field, event.candidate, kind).apply(event)
                self.chunks += 1
                self._wrote(event.at)
            case FieldReset():
                if (call := self.calls.get(event.call)) is not None:
                    call.field(event.field, event.candidate).withdraw(event.reason, event.path)
            case FieldEnded():
                if (call := self.calls.get(event.call)) is not None:
                    call.field(event.field, event.candidate).ended = True
            case LmDelta():
                if (call := self.calls.get(event.call)) is not None:
                    call.field(event.channel, event.candidate).pieces.append(event.text)
                self._wrote(event.at)
            case CallEnded():
                self._close(event)
            case Status():
                self.status, self._status_of = event.message, event.call
            case Custom():
                pass
            case RunSnapshot():
                self._restore(event)
            case RunEnded():
                self.outcome, self.result = event.outcome, event.result
                self.error, self.usage = event.error, event.usage
            case _:
                assert_never(event)

    def _wrote(self, at: float) -> None:
        self.first_text = at if self.first_text is None else min(self.first_text, at)

    def _open(self, event: CallStarted) -> None:
        parent = self.calls.get(event.parent) if event.parent is not None else None
        call = CallView(event.call, parent, event.kind, event.name, event.at, event.arguments, event.whole)
        self.calls[event.call] = call
        (self.roots if parent is None else parent.children).append(call)

    def _close(self, event: CallEnded) -> None:
        call = self.calls.get(event.call)
        if call is None:
            return
        call.seconds = event.seconds
        # An LM's call is announced when it has something to say, so that its beginning is known only now.
        call.started = min(call.started, event.at - event.seconds)
        call.error, call.result, call.usage, call.cached = event.error, event.result, event.usage, event.cached
        call.values = event.fields
        if self._status_of == call.id:
            self.status = None
        for known in call.fields.values():
            known.ended = True

    def _restore(self, snapshot: RunSnapshot) -> None:
        self.run, self.program = snapshot.run, snapshot.program
        self.calls, self.roots = {}, []
        for call in snapshot.calls:
            self._open(call)
        for each in snapshot.fields:
            if (call := self.calls.get(each.call)) is None:
                continue
            known = call.field(each.field, each.candidate, each.kind)
            known.ended = each.ended
            if isinstance(each.value, str) and each.kind == "text":
                known.pieces = [each.value]
            elif each.value is not UNSET:
                known.draft = Draft()
                known.draft.assign((), each.value)
