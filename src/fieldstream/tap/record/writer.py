"""The fields of one predictor's call, as they are written and as they turn out. It knows nothing of DSPy.

An LM's text goes through the parser of the adapter that asked for it; what the parser says is shown at once. When the
adapter has parsed the whole, and again when the predictor returns, ``settle`` compares what was shown with what it
turned out to be: it adds what is missing, and where something was wrong it withdraws that and shows the right value.
A parser that fails is not asked again: the program goes on, and its fields come whole. So it is with a reader of what
the LM says beside its text.
"""

import logging
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from fieldstream._draft import Draft
from fieldstream.events import UNSET, FieldDelta, FieldEnded, FieldKind, FieldReset, FieldStarted, Path, ResetReason
from fieldstream.fields import (
    Appended,
    Assigned,
    Change,
    Closed,
    Completed,
    FieldParser,
    Fields,
    NativeFields,
    NativeReader,
    Withdrawn,
    Written,
    alike,
    corrections,
)
from fieldstream.tap.record.calls import Call, Recorder

NewParser: TypeAlias = Callable[[], FieldParser]

_logger = logging.getLogger("fieldstream")
_failed: set[str] = set()
"""The parsers of which the log says that they failed: once in a process."""


class _Field:
    """What was shown of one field of one candidate."""

    __slots__ = ("draft", "handle", "kind", "name", "open", "path", "written")

    def __init__(self, name: str, kind: FieldKind) -> None:
        self.name = name
        self.kind: FieldKind = kind
        self.open = True
        self.written = False
        self.draft = Draft()
        # The text that grows.
        self.path: Path = ()
        self.handle: int | None = None

    @property
    def blank(self) -> bool:
        return self.open and self.draft.blank and not self.written


class _Silent:
    """Reads on in the place of a parser that failed."""

    def feed(self, text: str) -> list[Change]:
        return []

    def finish(self) -> list[Change]:
        return []


class Candidate:
    """One completion of the call: who reads it, and its fields so far."""

    __slots__ = ("fields", "index", "native", "parser")

    def __init__(self, index: int) -> None:
        self.index = index
        self.parser: FieldParser | None = None
        self.native: NativeReader | None = None
        self.fields: dict[str, _Field] = {}

    def is_free(self, name: str) -> bool:
        """Whether nothing was shown of this field yet."""
        field = self.fields.get(name)
        return field is None or field.blank


class Writer:
    """Shows the fields of one predictor's call. All methods may be called from any thread."""

    def __init__(self, recorder: Recorder, call: Call) -> None:
        self.call = call
        self.fields: Fields = {}
        self.written: Fields = {}
        """Those of the fields that the text is to have."""
        self.new_parser: NewParser | None = None
        self.native = NativeFields()
        self.drafted = False
        """Whether an LM's first text is not the fields' own, but what others are made of, one for each candidate."""
        self._recorder = recorder
        self._sink = recorder.sink
        self._candidates: dict[int, Candidate] = {}
        self._parsed = 0
        self._unparsed: set[int] = set()
        self._first = 0  # the candidate that the LM's first completion is
        self._done = 0  # how many of the candidates that were drafted have their fields
        self._ends = False  # whether fields have ended that nobody was told of
        call.on_close = self._close

    def plan(self, new_parser: NewParser | None, fields: Fields, native: NativeFields | None = None) -> None:
        """The next text of the LM is in this format, with these fields. What another format showed is withdrawn.

        ``native`` are the fields that the LM may fill beside its text.
        """
        with self._recorder.lock:
            if self.drafted:
                self._first = self._done
            for candidate in self._candidates.values():
                if candidate.index >= self._first:
                    self._withdraw(candidate, "fallback")
                    candidate.parser = candidate.native = None
            self.new_parser = new_parser
            self.native = native or NativeFields()
            self.written = fields
            self.fields = fields | self.native.kinds
            self._parsed = 0
            self._unparsed.clear()
            self._sink.flush()

    def begin(self, index: int) -> Candidate:
        """A completion begins. What an earlier try showed of it is withdrawn."""
        with self._recorder.lock:
            index += self._first
            candidate = self._candidates.setdefault(index, Candidate(index))
            if candidate.parser is not None or candidate.native is not None:
                self._withdraw(candidate, "retry")
                self._sink.flush()
            candidate.parser = None
            if self.new_parser is not None:
                try:
                    candidate.parser = self.new_parser()
                except Exception as error:
                    self._give_up(candidate, error)
            candidate.native = NativeReader(self.native, candidate.is_free) if self.native else None
            return candidate

    def feed(self, candidate: Candidate, *pieces: str) -> None:
        """More of the LM's text: the pieces that came at once."""
        if self._sink.wants_literals or self._recorder.on_field_end is not None:
            for piece in pieces:  # Somebody asks what each of them decides.
                self._feed(candidate, (piece,))
        else:
            self._feed(candidate, pieces)

    def _feed(self, candidate: Candidate, pieces: tuple[str, ...]) -> None:
        parser = candidate.parser
        if parser is None:
            return
        changes: list[Change] = []
        failure: Exception | None = None
        try:
            for piece in pieces:
                changes += parser.feed(piece)
        except Exception as error:
            failure = error  # What it said before holds.
        try:
            if changes or self._sink.wants_literals:
                if candidate.native is not None:
                    changes = self._from_text(candidate.native, changes)
                self._show(candidate, changes, pieces[0])
        except Exception as error:
            failure = failure or error
        if failure is not None:
            self._give_up(candidate, failure)

    def beside(self, candidate: Candidate, say: Callable[[NativeReader], list[Change] | None], piece: str = "") -> bool:
        """What the LM says beside its text: ``say`` tells it to the candidate's reader. Whether a field shows it."""
        if candidate.native is None:
            return False
        try:
            if changes := say(candidate.native):
                self._show(candidate, changes, piece)
            return changes is not None
        except Exception as error:
            candidate.native.stop()
            self._report(candidate.native, error)
            return False

    def finish(self, candidate: Candidate) -> None:
        """The LM's answer is over."""
        if candidate.parser is not None:
            try:
                if changes := candidate.parser.finish():
                    if candidate.native is not None:
                        changes = self._from_text(candidate.native, changes)
                    self._show(candidate, changes)
            except Exception as error:
                self._give_up(candidate, error)
        self.beside(candidate, NativeReader.finish)

    def leave_unparsed(self, index: int) -> None:
        """The adapter will not parse this candidate's text: it has none."""
        with self._recorder.lock:
            self._unparsed.add(index)

    def parsed(self, values: Mapping[str, tuple[FieldKind, Any]]) -> None:
        """What the adapter made of the next candidate's text; nothing where it could not read it."""
        with self._recorder.lock:
            while self._parsed in self._unparsed:
                self._parsed += 1
            index = self._first + self._parsed
            self._parsed += 1
            if values:
                self._done = index + 1
            candidate = self._candidates.get(index)
            if candidate is not None and candidate.native is not None:
                values = {name: value for name, value in values.items() if name not in candidate.native.claimed}
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
            if self._ends:
                self._tell_of_ends(candidate)

    def _show(self, candidate: Candidate, changes: list[Change], piece: str = "") -> None:
        with self._recorder.lock:
            if self.call.ended or self._recorder.ended:
                return
            literals = self._sink.wants_literals
            if piece and literals and candidate.index == 0:
                self._sink.piece(self.call.id, piece)
            if not literals:  # There are as many as there is text of a value.
                changes = [change for change in changes if type(change) is not Written]
            at = 0
            while at < len(changes):
                change = changes[at]
                at += 1
                field = candidate.fields.get(change.field) or self._start(
                    candidate, change.field, self.fields[change.field]
                )
                if type(change) is not Appended:
                    self._take(candidate, field, change)
                    continue
                texts = [change.text]  # Nearly all that comes: what goes on in one place is taken together.
                while at < len(changes):
                    more = changes[at]
                    if type(more) is not Appended or more.field != change.field or more.path != change.path:
                        break
                    texts.append(more.text)
                    at += 1
                self._append(candidate, field, change.path, *texts)
            self._sink.flush()
            if self._ends:
                self._tell_of_ends(candidate)

    def _give_up(self, candidate: Candidate, error: Exception) -> None:
        failed, candidate.parser = candidate.parser, _Silent()
        self._report(failed, error)

    @staticmethod
    def _report(failed: object, error: Exception) -> None:
        name = type(failed).__qualname__
        if name not in _failed:
            _failed.add(name)
            _logger.warning("A parser failed; fields that it would have shown come whole.", exc_info=error)

    @staticmethod
    def _from_text(native: NativeReader, changes: list[Change]) -> list[Change]:
        """What the text changes: nothing in the fields that are not filled from it."""
        return [change for change in changes if change.field not in native.claimed] if native.claimed else changes

    def _take(self, candidate: Candidate, field: _Field, change: Change) -> None:
        match change:
            case Appended(_, text, path):
                self._append(candidate, field, path, text)
            case Written(_, text):
                if self._sink.wants_literals and candidate.index == 0:
                    field.written = True
                    self._sink.literal(self.call.id, field.name, text)
            case Assigned(_, value, path):
                field.draft.assign(path, value)
                self._record(FieldDelta, candidate, field, path=path, value=value)
            case Closed() if field.kind == "text":
                if not field.draft.blank:  # An empty text may turn out to be no text at all.
                    self._end(candidate, field)
            case Closed():
                # A data field is whole only once its value is; its literal text already is.
                if self._sink.wants_literals and candidate.index == 0:
                    self._sink.literal_ended(self.call.id, field.name)
            case Completed(path=()):
                self._end(candidate, field)
            case Completed(_, path):
                self._sink.completed(self.call.id, field.name, candidate.index, path)
            case Withdrawn(_, reason, path):
                self._reset(candidate, field, reason, path)
            case _:
                pass

    def _settle(self, candidate: Candidate, field: _Field, value: Any) -> None:
        shown = field.draft.value
        if field.kind == "data":
            for change in corrections(field.name, shown, value, ended=not field.open):
                self._take(candidate, field, change)
            return
        if alike(shown, value) or (value == "" and shown is UNSET):
            return
        goes_on = isinstance(value, str) and (shown is UNSET or (isinstance(shown, str) and value.startswith(shown)))
        if not field.open or (shown is not UNSET and not goes_on):
            self._reset(candidate, field, "repair")
            shown = UNSET
        if not isinstance(value, str):
            self._take(candidate, field, Assigned(field.name, value))
        elif value:
            self._append(candidate, field, (), value if shown is UNSET else value[len(shown) :])

    def _start(self, candidate: Candidate, name: str, kind: FieldKind) -> _Field:
        self._recorder.announce(self.call)
        field = candidate.fields[name] = _Field(name, kind)
        self._record(FieldStarted, candidate, field, kind=kind)
        return field

    def _append(self, candidate: Candidate, field: _Field, path: Path, *texts: str) -> None:
        field.draft.append(path, *texts)
        if field.handle is None or path != field.path:
            field.path = path
            field.handle = self._sink.open_text(
                FieldDelta, call=self.call.id, field=field.name, candidate=candidate.index, path=path
            )
        self._sink.append(field.handle, *texts)

    def _withdraw(self, candidate: Candidate, reason: ResetReason) -> None:
        if self.call.ended or self._recorder.ended:
            return
        for field in candidate.fields.values():
            if not field.blank:
                self._reset(candidate, field, reason)

    def _reset(self, candidate: Candidate, field: _Field, reason: ResetReason, path: Path = ()) -> None:
        field.draft.withdraw(path)
        field.open = True
        if not path:
            field.written = False
        self._record(FieldReset, candidate, field, reason=reason, path=path)

    def _end(self, candidate: Candidate, field: _Field) -> None:
        if field.open:
            field.open = False
            self._record(FieldEnded, candidate, field)
            self._ends = True

    def _tell_of_ends(self, candidate: Candidate) -> None:
        """Tell who waits for a field, once all is recorded that came with its end: the run may end here."""
        if candidate.index == 0 and self._recorder.on_field_end is not None:
            ended = [field for field in candidate.fields.values() if not field.open]
            values = {field.name: "" if field.draft.blank else field.draft.value for field in ended}
            self._recorder.on_field_end(self.call, values)
        self._ends = False

    def _close(self) -> None:
        for candidate in self._candidates.values():
            for field in candidate.fields.values():
                self._end(candidate, field)
        self._candidates.clear()

    def _record(self, kind: Callable[..., Any], candidate: Candidate, field: _Field, /, **members: Any) -> None:
        self._sink.record(kind, call=self.call.id, field=field.name, candidate=candidate.index, **members)
