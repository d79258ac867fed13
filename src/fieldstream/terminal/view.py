"""What a run looks like so far: a state that events go into. It draws nothing and knows no terminal."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, assert_never

from fieldstream.events import (
    UNSET,
    CallEnded,
    CallKind,
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
    Path,
    ResetReason,
    RunEnded,
    RunSnapshot,
    RunStarted,
    Status,
    WholeReason,
)
from fieldstream.terminal.value import Draft, as_json, as_text


@dataclass(slots=True)
class Withdrawn:
    """What was shown of a field and then taken back, and why."""

    reason: ResetReason
    text: str
    path: Path = ()


@dataclass(slots=True)
class FieldView:
    """A field of a predictor's call, or the text of an LM's."""

    name: str
    kind: FieldKind = "text"
    candidate: int = 0
    ended: bool = False
    withdrawn: list[Withdrawn] = field(default_factory=list[Withdrawn])
    pieces: list[str] = field(default_factory=list[str])
    """A text, as it came."""
    draft: Draft | None = None
    """Anything else."""
    version: int = 0
    """Changes when ``pieces`` begin anew."""

    @property
    def label(self) -> str:
        """The field's name, and which candidate's it is where that is not the first."""
        return f"{self.name} #{self.candidate + 1}" if self.candidate else self.name

    @property
    def blank(self) -> bool:
        """Whether nothing of it is to be seen."""
        return not self.pieces and (self.draft is None or self.draft.value is UNSET)

    def text(self, width: int | None = None) -> str:
        """What there is of it, for a person: a text as it is, a value as JSON (on lines of ``width``, if given)."""
        if self.draft is None:
            return "".join(self.pieces)
        value = self.draft.value
        if value is UNSET:
            return ""
        return as_text(value, width) if self.kind == "text" else as_json(value, width)

    def apply(self, delta: FieldDelta) -> None:
        """Take a delta in."""
        if delta.text is not None and self.kind == "text" and not delta.path and self.draft is None:
            self.pieces.append(delta.text)
            return
        if self.draft is None:
            self.draft = Draft()
            if self.pieces:
                self.draft.set((), "".join(self.pieces))
            self._clear()
        if delta.text is not None:
            self.draft.append(delta.path, delta.text)
        else:
            self.draft.set(delta.path, delta.value)

    def withdraw(self, reason: ResetReason, path: Path) -> None:
        """Take back what was shown at this path."""
        self.ended = False
        if path and self.draft is not None:
            known = self.draft.withdraw(path)
            self.withdrawn.append(Withdrawn(reason, "" if known is UNSET else as_text(known), path))
            return
        self.withdrawn.append(Withdrawn(reason, self.text()))
        self.draft = None
        self._clear()

    def _clear(self) -> None:
        self.pieces = []
        self.version += 1


@dataclass(slots=True)
class CallView:
    """A call: of a module, a predictor, an LM or a tool."""

    id: str
    parent: "CallView | None"
    kind: CallKind
    name: str
    started: float
    arguments: dict[str, Any] | None = None
    whole: WholeReason | None = None
    children: list["CallView"] = field(default_factory=list["CallView"])
    fields: dict[tuple[str, int], FieldView] = field(default_factory=dict[tuple[str, int], FieldView])
    seconds: float | None = None
    error: Failure | None = None
    result: Any = UNSET
    usage: dict[str, Any] | None = None
    cached: bool = False
    values: dict[str, Any] | None = None
    """A predictor's fields, as they turned out."""

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self.seconds is None

    def elapsed(self, now: float) -> float:
        """How long it took, or how long it has been at work."""
        return max(now - self.started, 0.0) if self.seconds is None else self.seconds

    def field(self, name: str, candidate: int = 0, kind: FieldKind = "text") -> FieldView:
        """Its field of this name; made where there is none."""
        known = self.fields.get((name, candidate))
        if known is None:
            known = self.fields[name, candidate] = FieldView(name, kind, candidate)
        return known

    @property
    def shown(self) -> bool:
        """Whether it has a place of its own: a module if nothing else stands for it, an LM if no predictor does."""
        match self.kind:
            case "module":
                return self.parent is not None and not self.children
            case "lm":
                return self.parent is None or self.parent.kind != "predictor"
            case "predictor" | "tool":
                return True

    @property
    def blames_itself(self) -> bool:
        """Whether it failed with an error that none of the calls in it has."""
        return self.error is not None and all(child.error != self.error for child in self.children)

    def above(self) -> Iterator["CallView"]:
        """The calls that it is in, from the innermost."""
        call = self.parent
        while call is not None:
            yield call
            call = call.parent

    def walk(self) -> Iterator["CallView"]:
        """The call and those in it, in the order in which they began."""
        yield self
        for child in self.children:
            yield from child.walk()


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
                known.draft.set((), each.value)
