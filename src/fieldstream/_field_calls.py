"""The calls that write one field: which events are about them, and in which order they are read."""

from collections import deque
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from fieldstream._fields import FieldName
from fieldstream.events import CallEnded, CallStarted, Event, FieldDelta, FieldEnded, FieldReset, FieldStarted
from fieldstream.log import Completion


class FieldCall(Protocol):
    """What is kept of a call."""

    ended: bool


C = TypeVar("C", bound=FieldCall)


class FieldCalls(Generic[C]):
    """Calls of a field's predictors, of which one is read after the other, in the order in which they began."""

    def __init__(self, name: FieldName, new: Callable[[FieldStarted], C]) -> None:
        self._name = name
        self._new = new
        self._meant: set[str] = set()
        self._calls: dict[str, C] = {}
        self._order: deque[C] = deque()

    @property
    def front(self) -> C | None:
        """The call that is being read."""
        return self._order[0] if self._order else None

    def drop_front(self) -> None:
        """It was read to its end."""
        self._order.popleft()

    def concerned(self, event: Event | Completion) -> C | None:
        """The call whose field the event is about: its first candidate's, or the call's end."""
        match event:
            case FieldStarted(call=id, field=self._name.field, candidate=0) if id in self._meant:
                call = self._calls[id] = self._new(event)
                self._order.append(call)
                return call
            case FieldDelta() | FieldReset() | FieldEnded() | Completion():
                if event.field == self._name.field and not event.candidate:
                    return self._calls.get(event.call)
            case CallStarted(kind="predictor") if self._name.fits(event.name):
                self._meant.add(event.call)
            case CallEnded(call=id):
                self._meant.discard(id)
                if (call := self._calls.pop(id, None)) is not None:
                    call.ended = True
                    return call
            case _:
                pass
        return None
