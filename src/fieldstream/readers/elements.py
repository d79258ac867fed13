"""The elements of one list field, read from a run's events: each once, when it is whole."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any, cast

from fieldstream import tap
from fieldstream._draft import Draft
from fieldstream._fields import FieldName
from fieldstream.events import UNSET, CallEnded, Event, FieldDelta, FieldReset, RunEnded
from fieldstream.log import Completion
from fieldstream.readers.calls import FieldCalls


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
        """Whether one could not be made: then only the end tells more."""
        self.ended = False

    @property
    def count(self) -> int:
        """How many elements there are so far."""
        return len(cast("list[Any]", self.draft.value)) if isinstance(self.draft.value, list) else 0


class ElementAssembler:
    """Events in, elements out. Where several calls write the list at once, they are read one after the other.

    An element cannot be taken back. So where a module is tried several times and one try is chosen, they come when it
    is chosen. With ``live``, those that come only at a call's end are the objects that its prediction holds.
    """

    def __init__(self, name: FieldName, answers: Mapping[str, tap.Answer], *, live: bool = True) -> None:
        self._name = name
        self._live = live
        self._answers = answers
        self._calls = FieldCalls(name, lambda event, withdrawn: _Call(event.call))
        self.ended = False

    def feed(self, entries: Iterable[Event | Completion]) -> list[Any]:
        """What the events make of the list's elements."""
        elements: list[Any] = []
        for entry in entries:
            self.ended = self.ended or isinstance(entry, RunEnded)
            if (call := self._calls.concerned(entry)) is not None:
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
            case FieldDelta():
                self._change(call, entry)
            case FieldReset(path=path):
                call.draft.withdraw(path)
                call.whole = min(call.whole, path[0]) if path and isinstance(path[0], int) else 0
                call.stopped = False
                return
            case Completion(path=(int(index),)):
                call.whole = max(call.whole, index + 1)
            case CallEnded():
                self._give_rest(call)
                return
            case _:
                return
        self._give(call)

    def _change(self, call: _Call, delta: FieldDelta) -> None:
        path = delta.path
        index = path[0] if path and isinstance(path[0], int) else None
        if index is not None and not self._live:
            # What transforms show comes without word of what is whole; but what comes before an element is.
            call.whole = max(call.whole, index)
        if delta.text is not None:
            call.draft.append(path, delta.text)
            return
        call.draft.assign(path, delta.value)
        # A container may come empty, to be filled. Anything else comes whole.
        if index is not None and len(path) == 1 and delta.value not in ([], {}):
            call.whole = max(call.whole, index + 1)

    def _give(self, call: _Call) -> None:
        answer = self._answers.get(call.id)
        if answer is None or call.stopped or call.given >= call.whole:
            return
        if not answer.elements_come_early(self._name.field):
            call.stopped = True
            return
        while call.given < min(call.whole, call.count):
            try:
                element = answer.element(self._name.field, call.draft.value[call.given], call.given)
            except Exception:  # Its type's author may refuse it in any way.
                call.stopped = True
                return
            call.unread.append(element)
            call.given += 1

    def _give_rest(self, call: _Call) -> None:
        answer = self._answers.get(call.id)
        final = answer.value(self._name.field) if answer is not None else UNSET
        if answer is None or not isinstance(final, Collection) or isinstance(final, str | bytes | Mapping):
            return
        if self._live:
            call.unread += list(cast("Collection[Any]", final))[call.given :]
            return
        for index in range(call.given, call.count):
            shown = call.draft.value[index]
            try:
                shown = answer.element(self._name.field, shown, index)
            except Exception:
                pass  # The transforms have made something else of it, and that is what is shown.
            call.unread.append(shown)
