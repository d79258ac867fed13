"""The elements of one list field, read from a run's events: each once, when it is whole."""

from collections.abc import Iterable, Mapping
from typing import Any, cast

from fieldstream import tap
from fieldstream._field_calls import FieldCalls
from fieldstream._fields import FieldName
from fieldstream.events import CallEnded, Event, FieldDelta, FieldEnded, FieldReset, FieldStarted, RunEnded
from fieldstream.fields import Draft
from fieldstream.log import Completion


class _Call:
    """A call of the field's predictor: the list so far, and how much of it was given."""

    __slots__ = ("draft", "ended", "given", "id", "stopped", "unread", "whole")

    def __init__(self, id: str) -> None:
        self.id = id
        self.draft = Draft()
        self.whole = 0
        """How many elements, from the first, are whole."""
        self.given = 0
        self.unread: list[Any] = []
        self.stopped = False
        """Whether one could not be validated: then only the end tells more."""
        self.ended = False


class ElementAssembler:
    """Events in, elements out. Where several calls write the list at once, they are read one after the other.

    With ``live``, those that come only at a call's end are the objects that its prediction holds.
    """

    def __init__(self, name: FieldName, answers: Mapping[str, tap.Answer], *, live: bool = True) -> None:
        self._name = name
        self._live = live
        self._answers = answers
        self._calls = FieldCalls(name, lambda event: _Call(event.call))
        self.ended = False

    def feed(self, entries: Iterable[Event | Completion]) -> list[Any]:
        """What the events make of the list's elements."""
        elements: list[Any] = []
        for entry in entries:
            self.ended = self.ended or isinstance(entry, RunEnded)
            call = self._calls.concerned(entry)
            if call is not None:
                self._take(call, entry)
            while (front := self._calls.front) is not None:
                elements += front.unread
                front.unread = []
                if not front.ended:
                    break
                self._calls.drop_front()
        return elements

    def _take(self, call: _Call, entry: Event | Completion) -> None:
        match entry:
            case FieldStarted():
                return
            case FieldDelta(path=path, text=text):
                if path and isinstance(path[0], int):
                    call.whole = max(call.whole, path[0])  # What comes before it is over.
                if text is not None:
                    call.draft.append(path, text)
                else:
                    call.draft.assign(path, entry.value)
                    if len(path) == 1 and isinstance(path[0], int) and not isinstance(entry.value, dict | list):
                        call.whole = max(call.whole, path[0] + 1)
            case FieldReset(path=path):
                call.draft.withdraw(path)
                call.whole = 0 if not path or not isinstance(path[0], int) else min(call.whole, path[0])
            case Completion(path=(int(index),)):
                call.whole = max(call.whole, index + 1)
            case FieldEnded():
                count = len(cast("list[Any]", call.draft.value)) if isinstance(call.draft.value, list) else 0
                if call.whole == count - 1:  # All others came one by one.
                    call.whole = count
            case CallEnded():
                self._give_rest(call)
                return
            case _:
                return
        self._give(call)

    def _give(self, call: _Call) -> None:
        answer = self._answers.get(call.id)
        if answer is not None and answer.elements_come_early(self._name.field):
            self._give_validated(call, answer)

    def _give_validated(self, call: _Call, answer: tap.Answer) -> None:
        while call.given < call.whole and not call.stopped:
            try:
                element = answer.element(self._name.field, call.draft.value[call.given], call.given)
            except ValueError:
                call.stopped = True
            else:
                call.unread.append(element)
                call.given += 1

    def _give_rest(self, call: _Call) -> None:
        answer = self._answers.get(call.id)
        if answer is None:
            return
        final = answer.value(self._name.field)
        if not isinstance(final, list | tuple | set | frozenset):
            return
        if self._live:
            call.unread += list(cast("Iterable[Any]", final))[call.given :]
        else:
            call.whole, call.stopped = len(cast("list[Any]", call.draft.value)), False
            self._give_validated(call, answer)
