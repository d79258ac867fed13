"""One field's value, read from a run's events: as it is written, call after call."""

from collections.abc import Iterable, Mapping
from typing import Any, cast

from fieldstream import tap
from fieldstream._field_calls import FieldCalls
from fieldstream._fields import FieldName
from fieldstream._partial import PartialValue
from fieldstream.events import UNSET, CallEnded, Event, FieldDelta, FieldReset, FieldStarted, RunEnded
from fieldstream.log import Completion


class _Call:
    """A call of the field's predictor, and the value that it writes."""

    __slots__ = ("changed", "ended", "id", "value")

    def __init__(self, id: str, value: PartialValue) -> None:
        self.id = id
        self.value = value
        self.changed = False
        self.ended = False


class ValueAssembler:
    """Events in, one field's value out. Where several calls write it at once, they are read one after the other.

    With ``live``, the last value of a call is the object that its prediction holds.
    """

    def __init__(
        self, name: FieldName, answers: Mapping[str, tap.Answer], *, typed: bool = False, live: bool = True
    ) -> None:
        self._name = name
        self._answers = answers
        self._typed = typed
        self._live = live
        self._calls = FieldCalls(name, self._open)
        self.ended = False

    @property
    def news(self) -> bool:
        """Whether there is something to see that was not taken."""
        call = self._calls.front
        return call is not None and (call.ended or (call.changed and call.value.value is not UNSET))

    def feed(self, entries: Iterable[Event | Completion]) -> None:
        """Take what was said."""
        for entry in entries:
            self.ended = self.ended or isinstance(entry, RunEnded)
            call = self._calls.concerned(entry)
            if call is None:
                continue
            match entry:
                case FieldDelta(path=path, text=str(text)):
                    call.value.append(path, text)
                    call.changed = True
                case FieldDelta(path=path, value=value):
                    call.value.assign(path, value)
                    call.changed = True
                case FieldReset(path=path):
                    call.value.withdraw(path)
                    call.changed = bool(path)
                case Completion(path=path):
                    call.value.complete(path)
                    call.changed = call.changed or call.value.has_states
                case CallEnded():
                    call.value.complete_all()
                case _:
                    pass

    def take(self) -> list[Any]:
        """What there is to see now: the last of each call that has ended, and what the next one has so far."""
        values: list[Any] = []
        while (call := self._calls.front) is not None:
            if call.ended:
                values += self._final(call)
                self._calls.drop_front()
                continue
            if call.changed and call.value.value is not UNSET:
                values.append(call.value.value)
            call.changed = False
            break
        return values

    def _open(self, event: FieldStarted) -> _Call:
        answer = self._answers.get(event.call)
        slot = answer.slot(event.field) if answer is not None else None
        return _Call(event.call, PartialValue(slot, typed=self._typed))

    def _final(self, call: _Call) -> list[Any]:
        shown = call.value.value
        answer = self._answers.get(call.id)
        if answer is not None and self._live and not call.value.has_states:
            final = answer.value(self._name.field)
            if final is not UNSET and (self._typed or _is_plain(final)):
                return [final]
        ended_well = answer is not None and answer.prediction is not None
        return [shown] if shown is not UNSET and (call.changed or ended_well) else []


def _is_plain(value: Any) -> bool:
    """Whether a value is JSON as it is."""
    kind = cast("type[Any]", type(value))
    if kind is list:
        return all(map(_is_plain, value))
    if kind is dict:
        members = cast("dict[Any, Any]", value)
        return all(type(name) is str and _is_plain(member) for name, member in members.items())
    return kind in (str, int, float, bool, type(None))
