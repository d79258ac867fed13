"""What a wrapped program yields: a run's events as the values that ``streamify`` promises, in a queue.

It stands where another run has its log. Nothing is merged and nothing is kept: what was read is gone.
"""

import json
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from fieldstream._listener import Listened
from fieldstream._messages import StatusMessage, StreamResponse
from fieldstream.events import (
    UNSET,
    CallEnded,
    CallStarted,
    Event,
    FieldDelta,
    FieldEnded,
    FieldReset,
    ResetReason,
    RunEnded,
    Status,
)


class _Field:
    """A field of a call that is listened to."""

    __slots__ = ("call", "literal", "name", "predictor", "reset", "value")

    def __init__(self, call: str, predictor: str, name: str) -> None:
        self.call = call
        self.predictor = predictor
        self.name = name
        self.reset: ResetReason | None = None
        self.literal = False
        self.value: Any = UNSET


class ValueQueue:
    """Takes what a run says, gives what its consumer asked for. Writers and reader may be in any threads."""

    def __init__(self, listened: list[Listened]) -> None:
        self.wants_chunks = not listened
        self.wants_literals = bool(listened)
        self.caught = False
        """Whether a listener heard anything."""
        self.cached = False
        """Whether an answer that is listened to came from a cache."""
        self.ended = False
        self._listened = listened
        self._heard: set[int] = set()
        self._fields: dict[tuple[str, str], _Field] = {}
        self._predictors: set[str] = set()
        self._lms: set[str] = set()
        self._handles: list[_Field] = []
        # What came since the last flush; the last response of each field in it may yet turn out to be its last one.
        self._batch: list[object] = []
        self._last: dict[tuple[str, str], StreamResponse] = {}
        self._withheld: object = None
        self._values: deque[object] = deque()
        self._waiters: list[Callable[[], None]] = []
        self._lock = threading.RLock()

    # Writing

    def record(self, kind: Callable[..., Event], /, **members: Any) -> None:
        if kind is Status:
            self._batch.append(StatusMessage(members["message"]))
        elif kind is RunEnded:
            self.ended = True
        elif self._listened:
            if kind is CallStarted:
                self._start(members)
            elif kind is CallEnded:
                self._end_call(members)
            elif "field" in members and members.get("candidate", 0) == 0:
                field = self._fields.get((members["call"], members["field"]))
                if field is not None:
                    self._take(field, kind, members)

    def open_text(self, kind: Callable[..., Event], /, **members: Any) -> int:
        if kind is FieldDelta and members.get("candidate", 0) == 0:
            field = self._fields.get((members["call"], members["field"]))
            if field is not None:
                self._handles.append(field)
                return len(self._handles) - 1
        return -1

    def append(self, text: int, piece: str) -> None:
        if text >= 0:
            self._respond(self._handles[text], piece)

    def chunk(self, chunk: object) -> None:
        self._batch.append(chunk)

    def literal(self, call: str, field: str, piece: str) -> None:
        if (listened := self._fields.get((call, field))) is not None:
            listened.literal = True
            self._respond(listened, piece)

    def literal_ended(self, call: str, field: str) -> None:
        if (listened := self._fields.get((call, field))) is not None and listened.literal:
            self._close(listened)

    def sent(self, value: object) -> None:
        self._batch.append(value)

    def withhold(self) -> None:
        self._withheld = self._batch[-1] if self._batch else None

    def flush(self) -> None:
        batch, self._batch, self._last = self._batch, [], {}
        if batch and batch[-1] is self._withheld and not self.ended:
            self._keep(batch.pop())
        if batch or self.ended:
            with self._lock:
                self._values.extend(batch)
                waiters, self._waiters = self._waiters, []
            for wake in waiters:
                wake()

    def _keep(self, value: object) -> None:
        """The last response goes out with what comes next, which may yet make it its field's last."""
        self._batch.append(value)
        if isinstance(value, StreamResponse):
            self._last[value.call_id, value.signature_field_name] = value

    def _start(self, members: dict[str, Any]) -> None:
        if members["kind"] == "lm" and members["parent"] in self._predictors:
            self._lms.add(members["call"])
        if members["kind"] != "predictor":
            return
        for number, listened in enumerate(self._listened):
            if listened.predictor in (None, members["name"]) and (listened.allow_reuse or number not in self._heard):
                if listened.predictor is not None:
                    self._heard.add(number)
                self._predictors.add(members["call"])
                key = (members["call"], listened.field)
                self._fields.setdefault(key, _Field(members["call"], members["name"], listened.field))

    def _end_call(self, members: dict[str, Any]) -> None:
        if members["call"] in self._lms and members.get("cached"):
            self.cached = True
        if members["call"] in self._predictors:
            self._predictors.discard(members["call"])
            for listened in self._listened:
                self._fields.pop((members["call"], listened.field), None)

    def _take(self, field: _Field, kind: Callable[..., Event], members: dict[str, Any]) -> None:
        if kind is FieldDelta:
            field.value = members["value"]
        elif kind is FieldReset:
            field.reset = members["reason"]
            field.literal = False
            field.value = UNSET
        elif kind is FieldEnded:
            if field.literal:
                return  # The end of the literal text was the end.
            if field.value is not UNSET:
                self._respond(field, json.dumps(field.value, ensure_ascii=False))
            self._close(field)

    def _respond(self, field: _Field, piece: str) -> None:
        self.caught = True
        response = StreamResponse(field.predictor, field.name, piece, False, field.call, field.reset)
        field.reset = None
        self._batch.append(response)
        self._last[field.call, field.name] = response

    def _close(self, field: _Field) -> None:
        if (field.call, field.name) not in self._last:
            self._respond(field, "")
        last = self._last[field.call, field.name]
        last.is_last_chunk = True
        if last is self._withheld:
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
