"""The fields of one predictor's call, as they are written and as they turn out. It knows nothing of DSPy.

An LM's text goes through the parser of the adapter that asked for it; what the parser says is shown at once. When the
adapter has parsed the whole, and again when the predictor returns, ``settle`` compares what was shown with what it
turned out to be: it adds what is missing, and where something was wrong it withdraws that and shows the right value.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from fieldstream.events import UNSET, FieldDelta, FieldEnded, FieldKind, FieldReset, FieldStarted, ResetReason
from fieldstream.fields import Appended, Change, Closed, FieldParser, Fields, Opened, Withdrawn, Written
from fieldstream.tap.calls import Call, Recorder

ParserFactory: TypeAlias = Callable[[Fields], FieldParser]


class _Field:
    """What was shown of one field of one candidate."""

    __slots__ = ("handle", "kind", "name", "open", "pieces", "value", "written")

    def __init__(self, name: str, kind: FieldKind) -> None:
        self.name = name
        self.kind: FieldKind = kind
        self.open = True
        self.written = False
        self.pieces: list[str] = []
        self.value: Any = UNSET
        self.handle: int | None = None

    @property
    def blank(self) -> bool:
        return self.open and not self.pieces and not self.written and self.value is UNSET


class Candidate:
    """One completion of the call: its parser, and its fields so far."""

    __slots__ = ("fields", "index", "parser")

    def __init__(self, index: int) -> None:
        self.index = index
        self.parser: FieldParser | None = None
        self.fields: dict[str, _Field] = {}


class Writer:
    """Shows the fields of one predictor's call. All methods may be called from any thread."""

    def __init__(self, recorder: Recorder, call: Call) -> None:
        self.call = call
        self.fields: Fields = {}
        self.factory: ParserFactory | None = None
        self._recorder = recorder
        self._sink = recorder.sink
        self._candidates: dict[int, Candidate] = {}
        self._parsed = 0
        call.on_close = self._close

    def plan(self, factory: ParserFactory | None, fields: Fields) -> None:
        """The next text of the LM is in this format, with these fields. What another format showed is withdrawn."""
        with self._recorder.lock:
            for candidate in self._candidates.values():
                self._withdraw(candidate, "fallback")
                candidate.parser = None
            self.factory = factory
            self.fields = fields
            self._parsed = 0
            self._sink.flush()

    def begin(self, index: int) -> Candidate:
        """A completion begins. What an earlier try showed of it is withdrawn."""
        with self._recorder.lock:
            candidate = self._candidates.setdefault(index, Candidate(index))
            if candidate.parser is not None:
                self._withdraw(candidate, "retry")
                self._sink.flush()
            candidate.parser = self.factory(self.fields) if self.factory is not None else None
            return candidate

    def feed(self, candidate: Candidate, piece: str) -> None:
        """More of the LM's text."""
        parser = candidate.parser
        if parser is not None and ((changes := parser.feed(piece)) or self._sink.wants_literals):
            self._show(candidate, changes, piece)

    def finish(self, candidate: Candidate) -> None:
        """The LM's text is over."""
        parser = candidate.parser
        if parser is not None and (changes := parser.finish()):
            self._show(candidate, changes)

    def parsed(self, values: Mapping[str, tuple[FieldKind, Any]]) -> None:
        """What the adapter made of the next candidate's text; nothing where it could not read it."""
        with self._recorder.lock:
            index = self._parsed
            self._parsed += 1
            self.settle(index, values)

    def settle(self, index: int, values: Mapping[str, tuple[FieldKind, Any]]) -> None:
        """What the fields are in truth, as JSON values with their kinds."""
        with self._recorder.lock:
            if self.call.ended or self._recorder.ended:
                return
            candidate = self._candidates.setdefault(index, Candidate(index))
            for name, (kind, value) in values.items():
                field = candidate.fields.get(name) or self._start(candidate, name, kind)
                self._settle(candidate, field, value)
                self._end(candidate, field)
            self._sink.flush()

    def _show(self, candidate: Candidate, changes: list[Change], piece: str = "") -> None:
        with self._recorder.lock:
            if self.call.ended or self._recorder.ended:
                return
            if piece and self._sink.wants_literals and candidate.index == 0:
                self._sink.piece(self.call.id, piece)
            for change in changes:
                field = candidate.fields.get(change.field) or self._start(
                    candidate, change.field, self.fields[change.field]
                )
                if type(change) is Appended:  # Nearly always, so that it comes before the match.
                    self._append(candidate, field, change.text)
                    continue
                match change:
                    case Closed():
                        # A data field is whole only once its value is known; its literal text already is.
                        if field.kind == "text":
                            self._end(candidate, field)
                        elif self._sink.wants_literals and candidate.index == 0:
                            self._sink.literal_ended(self.call.id, field.name)
                    case Opened() | Appended():
                        pass
                    case Written(_, text):
                        if self._sink.wants_literals and candidate.index == 0:
                            field.written = True
                            self._sink.literal(self.call.id, field.name, text)
                    case Withdrawn(_, reason):
                        self._reset(candidate, field, reason)
            self._sink.flush()

    def _settle(self, candidate: Candidate, field: _Field, value: Any) -> None:
        if field.kind == "text" and isinstance(value, str):
            shown = "".join(field.pieces)
            if shown == value and field.value is UNSET:
                return
            if not field.open or field.value is not UNSET or not value.startswith(shown):
                self._reset(candidate, field, "repair")
                shown = ""
            if value != shown:
                self._append(candidate, field, value[len(shown) :])
        elif not _alike(field.value, value):
            scalar = not isinstance(value, dict | list) and not isinstance(field.value, dict | list)
            if field.pieces or not field.open or (field.value is not UNSET and not scalar):
                self._reset(candidate, field, "repair")
            field.value = value
            self._record(FieldDelta, candidate, field, value=value)

    def _start(self, candidate: Candidate, name: str, kind: FieldKind) -> _Field:
        self._recorder.announce(self.call)
        field = candidate.fields[name] = _Field(name, kind)
        self._record(FieldStarted, candidate, field, kind=kind)
        return field

    def _append(self, candidate: Candidate, field: _Field, text: str) -> None:
        if field.handle is None:
            field.handle = self._sink.open_text(
                FieldDelta, call=self.call.id, field=field.name, candidate=candidate.index
            )
        field.pieces.append(text)
        self._sink.append(field.handle, text)

    def _withdraw(self, candidate: Candidate, reason: ResetReason) -> None:
        if self.call.ended or self._recorder.ended:
            return
        for field in candidate.fields.values():
            if not field.blank:
                self._reset(candidate, field, reason)

    def _reset(self, candidate: Candidate, field: _Field, reason: ResetReason) -> None:
        field.pieces = []
        field.written = False
        field.value = UNSET
        field.open = True
        self._record(FieldReset, candidate, field, reason=reason)

    def _end(self, candidate: Candidate, field: _Field) -> None:
        if field.open:
            field.open = False
            self._record(FieldEnded, candidate, field)

    def _close(self) -> None:
        for candidate in self._candidates.values():
            for field in candidate.fields.values():
                self._end(candidate, field)
        self._candidates.clear()

    def _record(self, kind: Callable[..., Any], candidate: Candidate, field: _Field, /, **members: Any) -> None:
        self._sink.record(kind, call=self.call.id, field=field.name, candidate=candidate.index, **members)


def _alike(one: Any, other: Any) -> bool:
    """Whether two values are the same JSON: for Python, 1 equals true."""
    if type(one) is not type(other):
        return False
    if isinstance(one, list):
        return len(one) == len(other) and all(map(_alike, one, other))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_alike(value, other[key]) for key, value in one.items())
    return one == other
