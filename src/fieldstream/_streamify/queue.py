"""What a wrapped program yields: a run's events as the values that ``streamify`` promises, in a queue.

It stands where another run has its log. Nothing is merged and nothing is kept: what was read is gone.

A response follows a piece of the LM's text, and what may yet be its field's last is withheld.
"""

import json
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Literal

from fieldstream._draft import Draft
from fieldstream._messages import StatusMessage, StreamResponse
from fieldstream._streamify.listener import Listened
from fieldstream._streamify.pieces import MOST_PIECES, aligned
from fieldstream.events import (
    CallEnded,
    CallStarted,
    Event,
    FieldDelta,
    FieldEnded,
    FieldKind,
    FieldReset,
    FieldStarted,
    Path,
    ResetReason,
    RunEnded,
    Status,
)


class _Field:
    """A field of a call that is listened to."""

    __slots__ = ("call", "draft", "kind", "last", "literal", "name", "predictor", "repaired", "reset")

    def __init__(self, call: str, predictor: str, name: str, kind: FieldKind) -> None:
        self.call = call
        self.predictor = predictor
        self.name = name
        self.kind: FieldKind = kind
        self.reset: ResetReason | None = None
        """What the next response is to say of those before it."""
        self.literal: Literal["", "open", "closed"] = ""
        """Whether the field's literal text has come, and its end."""
        self.repaired = False
        """Whether something was withdrawn after its literal text was over."""
        self.draft = Draft()
        """Its value, of a field that is no text."""
        self.last: StreamResponse | None = None
        """Its newest response, as long as that is not handed over and may yet turn out to be its last."""


class ValueQueue:
    """Takes what a run says, gives what its consumer asked for. Writers and reader may be in any threads."""

    def __init__(self, listened: Sequence[Listened]) -> None:
        self.wants_chunks = not listened
        self.wants_literals = bool(listened)
        self.caught = False
        """Whether a listener heard anything."""
        self.cached = False
        """Whether an answer that is listened to came from a cache."""
        self.ended = False
        """Whether all has come: what is not taken yet is the last."""
        self._ending = False
        self._listened = listened
        # By call: the predictors', the fields that are listened to, and of an LM's call the predictor's that made it.
        self._predictors: dict[str, str] = {}
        self._fields: dict[str, dict[str, _Field]] = {}
        self._lms: dict[str, str] = {}
        # The one call that each listener hears which hears only one.
        self._heard: dict[int, str] = {}
        self._handles: list[tuple[_Field, Path]] = []
        # What was written for each predictor's call and is not shown yet, in its pieces.
        self._undecided: dict[str, list[str]] = {}
        # What came since the last flush, and whose responses are in it.
        self._batch: list[object] = []
        self._spoken: list[_Field] = []
        self._withheld: object = None
        self._values: deque[object] = deque()
        self._waiters: list[Callable[[], None]] = []
        self._lock = threading.RLock()

    # Writing

    def record(self, kind: Callable[..., Event], /, **members: Any) -> None:
        if kind is Status:
            self._batch.append(StatusMessage(members["message"]))
        elif kind is RunEnded:
            self._ending = True
        elif not self._listened:
            return
        elif kind is CallStarted:
            self._start_call(members)
        elif kind is CallEnded:
            self._end_call(members)
        elif kind is FieldStarted:
            self._start_field(members)
        elif (field := self._field(members)) is not None:
            if kind is FieldDelta:
                path = members.get("path", ())
                if (text := members.get("text")) is not None:
                    field.draft.append(path, text)
                else:
                    field.draft.assign(path, members["value"])
            elif kind is FieldReset:
                self._reset(field, members["reason"], members.get("path", ()))
            elif kind is FieldEnded:
                self._end_field(field)

    def open_text(self, kind: Callable[..., Event], /, **members: Any) -> int:
        field = self._field(members) if kind is FieldDelta else None
        if field is None:
            return -1
        self._handles.append((field, members.get("path", ())))
        return len(self._handles) - 1

    def append(self, text: int, *pieces: str) -> None:
        if text < 0:
            return
        field, path = self._handles[text]
        if field.kind != "text":
            field.draft.append(path, *pieces)
            return
        for piece in pieces:
            self._respond_aligned(field, piece)

    def completed(self, call: str, field: str, candidate: int, path: Path) -> None: ...

    def chunk(self, chunk: object) -> None:
        if self.wants_chunks:  # a custom LM's come unasked
            self._batch.append(chunk)

    def literal(self, call: str, field: str, piece: str) -> None:
        if (listened := self._fields.get(call, {}).get(field)) is not None:
            if listened.repaired:  # It was the literal text that was wrong: there is another.
                listened.reset, listened.repaired, listened.last = "repair", False, None
            listened.literal = "open"
            self._respond_aligned(listened, piece)

    def literal_ended(self, call: str, field: str) -> None:
        listened = self._fields.get(call, {}).get(field)
        if listened is not None and listened.literal == "open":
            listened.literal = "closed"
            self._close(listened)

    def sent(self, value: object) -> None:
        self._batch.append(value)

    def piece(self, call: str, text: str) -> None:
        undecided = self._undecided.get(call)
        if undecided is not None:
            undecided.append(text)
            if len(undecided) > MOST_PIECES:
                del undecided[:-1]

    def flush(self) -> None:
        batch, self._batch = self._batch, []
        if batch and batch[-1] is self._withheld and not self._ending:
            # It goes out with what comes next, which may yet make it its field's last.
            self._batch.append(batch.pop())
        spoken, self._spoken = self._spoken, []
        for field in spoken:
            if self._batch and field.last is self._batch[0]:
                self._spoken.append(field)
            else:
                field.last = None
        if batch or self._ending:
            with self._lock:
                self._values.extend(batch)
                self.ended = self._ending
                waiters, self._waiters = self._waiters, []
            for wake in waiters:
                wake()

    def _field(self, members: dict[str, Any]) -> _Field | None:
        """The field that an event is about, if it is listened to; of several candidates, the first one's."""
        if members.get("candidate"):
            return None
        return self._fields.get(members.get("call", ""), {}).get(members.get("field", ""))

    def _start_call(self, members: dict[str, Any]) -> None:
        call, parent = members["call"], members["parent"]
        if members["kind"] == "predictor":
            self._predictors[call] = members["name"]
            if any(listened.predictor in (None, members["name"]) for listened in self._listened):
                self._undecided[call] = []
        elif members["kind"] == "lm" and parent in self._predictors:
            self._lms[call] = parent

    def _end_call(self, members: dict[str, Any]) -> None:
        call = members["call"]
        if self._lms.pop(call, None) in self._fields and members.get("cached"):
            self.cached = True
        if self._predictors.pop(call, None) is not None:
            self._fields.pop(call, None)
            self._undecided.pop(call, None)

    def _start_field(self, members: dict[str, Any]) -> None:
        call, name = members["call"], members["field"]
        predictor = self._predictors.get(call)
        if undecided := self._undecided.get(call):
            del undecided[:-1]  # What came before the piece that opens a field is not the field's.
        if predictor is None or members["candidate"]:
            return
        for number, listened in enumerate(self._listened):
            if listened.field != name or listened.predictor not in (None, predictor):
                continue
            if listened.allow_reuse or self._heard.setdefault(number, call) == call:
                self._fields.setdefault(call, {}).setdefault(name, _Field(call, predictor, name, members["kind"]))

    def _reset(self, field: _Field, reason: ResetReason, path: Path) -> None:
        field.draft.withdraw(path)
        if reason == "repair" and field.literal == "closed":
            field.repaired = True  # Perhaps only what was made of the text, which is as it was.
        elif not path:
            field.reset, field.literal, field.last = reason, "", None

    def _end_field(self, field: _Field) -> None:
        if field.literal == "closed":
            return
        if not field.draft.blank:
            if field.literal:  # Its text broke off, and the value was made of something else.
                field.reset, field.last = "repair", None
            self._respond(field, json.dumps(field.draft.value, ensure_ascii=False))
        self._close(field)

    def _respond_aligned(self, field: _Field, text: str) -> None:
        """Say more of a field as the LM's pieces have it, and withhold the last part while its piece is undecided."""
        undecided = self._undecided.get(field.call, [])
        parts, begun = aligned(undecided, text)
        if begun and field.last is not None and field.last is self._withheld:
            field.last.chunk += parts.pop(0)
        for part in parts:
            self._respond(field, part)
        self._withheld = field.last if undecided else None

    def _respond(self, field: _Field, piece: str) -> None:
        self.caught = True
        field.last = StreamResponse(field.predictor, field.name, piece, False, field.call, field.reset)
        field.reset = None
        self._batch.append(field.last)
        self._spoken.append(field)

    def _close(self, field: _Field) -> None:
        if field.last is None:
            self._respond(field, "")
        if field.last is not None:
            field.last.is_last_chunk = True
            if field.last is self._withheld:
                self._withheld = None

    # Reading

    def take(self) -> list[object]:
        """What came since, without waiting; perhaps nothing."""
        with self._lock:
            values = list(self._values)
            self._values.clear()
        return values

    def wait(self, wake: Callable[[], None]) -> bool:
        """Have ``wake`` called, once and from any thread, when there is more; ``False``: there is, or all has come."""
        with self._lock:
            if self._values or self.ended:
                return False
            self._waiters.append(wake)
            return True

    def forget(self, wake: Callable[[], None]) -> None:
        """Take a ``wait`` back."""
        with self._lock:
            if wake in self._waiters:
                self._waiters.remove(wake)
