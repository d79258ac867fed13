"""One field's value, read from a run's events: as it is written, call after call."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from fieldstream import tap
from fieldstream._fields import FieldName
from fieldstream.events import UNSET, CallEnded, Event, FieldDelta, FieldEnded, FieldReset, FieldStarted, RunEnded
from fieldstream.log import Completion
from fieldstream.readers.calls import FieldCalls
from fieldstream.readers.partial import PartialValue


class _Call:
    """A call of the field's predictor, and the value that it writes."""

    __slots__ = ("changed", "ended", "final", "id", "value")

    def __init__(self, id: str, value: PartialValue) -> None:
        self.id = id
        self.value = value
        self.changed = False
        self.ended = False
        self.final: Any = UNSET
        """What is to be seen of it last, when it has ended; ``UNSET``: nothing."""


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
        self._calls = FieldCalls(name, self._open, self._again)
        self.ended = False

    @property
    def news(self) -> bool:
        """Whether there is something to see that was not taken."""
        call = self._calls.front
        return call is not None and (call.ended or (call.changed and call.value.value is not UNSET))

    def feed(self, entries: Iterable[Event | Completion]) -> None:
        """Take what was said."""
        ends = False
        for entry in entries:
            call = self._calls.concerned(entry)
            if type(entry) is FieldDelta:  # nearly always
                if call is not None:
                    self._change(call, entry)
                continue
            ends = True
            self.ended = self.ended or isinstance(entry, RunEnded)
            if call is not None:
                self._take(call, entry)
        if ends:
            self._pass_over()

    def _pass_over(self) -> None:
        """Go on behind calls that have ended, and of which nothing is to be seen."""
        while (front := self._calls.front) is not None and front.ended and front.final is UNSET:
            self._calls.drop_front()

    def take(self) -> Any:
        """What there is to see now: the last of a call that has ended, or what the next one has so far."""
        call = self._calls.front
        if call is None:
            return UNSET
        if not call.ended:
            call.changed = False
            return call.value.value
        self._calls.drop_front()
        self._pass_over()
        return call.final

    def _open(self, event: FieldStarted, withdrawn: Sequence[str]) -> _Call:
        answer = self._answers.get(event.call)
        slot = answer.slot(event.field) if answer is not None else None
        return _Call(event.call, PartialValue(slot, typed=self._typed))

    def _again(self, kept: _Call | None, withdrawn: Sequence[str]) -> _Call | None:
        """The chosen attempt is not the last one: its value takes that one's place."""
        return kept

    def _change(self, call: _Call, delta: FieldDelta) -> None:
        call.changed = True
        if delta.text is not None:
            call.value.append(delta.path, delta.text)
        else:
            call.value.assign(delta.path, delta.value)

    def _take(self, call: _Call, entry: Event | Completion) -> None:
        value = call.value
        match entry:
            case FieldReset(path=path):
                value.withdraw(path)
                call.changed = bool(path)
            case Completion(path=path):
                value.complete(path)
                call.changed = call.changed or value.has_states
            case FieldEnded():
                value.complete_all()
                call.changed = call.changed or value.has_states
            case CallEnded(error=error):
                if error is None:
                    value.complete_all()
                else:
                    value.break_off()
                call.final = self._final(call, failed=error is not None)
            case _:
                pass

    def _final(self, call: _Call, *, failed: bool) -> Any:
        shown = call.value.value
        if failed:
            return shown if call.changed else UNSET
        answer = self._answers.get(call.id)
        if answer is not None and self._live and not call.value.has_states:
            final = answer.value(self._name.field)
            if final is not UNSET and (self._typed or _is_plain(final)):
                return final
        return shown


def _is_plain(value: Any) -> bool:
    """Whether a value is JSON as it is."""
    kind = cast("type[Any]", type(value))
    if kind is list:
        return all(map(_is_plain, value))
    if kind is dict:
        members = cast("dict[Any, Any]", value)
        return all(type(name) is str and _is_plain(member) for name, member in members.items())
    return kind in (str, int, float, bool, type(None))
