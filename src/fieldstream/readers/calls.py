"""The calls that write one field: which events are about them, in which order they are read, and which of them stay."""

from collections.abc import Callable, Sequence
from typing import Generic, Protocol, TypeVar

from fieldstream._attempts import Attempts
from fieldstream._fields import FieldName
from fieldstream.events import CallEnded, CallStarted, Event, FieldDelta, FieldEnded, FieldReset, FieldStarted
from fieldstream.log import Completion


class FieldCall(Protocol):
    """What is kept of a call."""

    id: str
    ended: bool


C = TypeVar("C", bound=FieldCall)


class FieldCalls(Generic[C]):
    """Calls of a field's predictors, of which one is read after the other, in the order in which they began.

    Where a module is tried several times and one try is chosen (``dspy.BestOfN``), a reader who can take back what it
    was shown gives ``again``: it reads all tries, and in the end, if the chosen one is not the last, that one again.
    One without ``again`` reads the chosen one alone, when it is known.
    """

    def __init__(
        self,
        name: FieldName,
        new: Callable[[FieldStarted, Sequence[str]], C],
        again: Callable[[C | None, Sequence[str]], C | None] | None = None,
    ) -> None:
        self._name = name
        self._new = new
        """Makes what is kept of a call, which takes the place of what these others showed."""
        self._again = again
        """The same for one that is shown once more; or for none, where nothing takes their place."""
        self._meant: set[str] = set()
        self._calls: dict[str, C] = {}
        self._order: list[C] = []
        self._attempts = Attempts()
        self._kept: dict[str, C] = {}

    @property
    def undecided(self) -> bool:
        """Whether a call that begins now may have to be shown again."""
        return self._attempts.undecided

    @property
    def front(self) -> C | None:
        """The call that is being read."""
        if not self._order or (self._again is None and self._attempts.pending(self._order[0].id)):
            return None
        return self._order[0]

    def drop_front(self) -> None:
        """It was read to its end."""
        self._order.pop(0)

    def concerned(self, event: Event | Completion) -> C | None:
        """The call whose field the event is about: its first candidate's, or the call's end."""
        if type(event) is FieldDelta:  # Nearly always, so that it comes before the match.
            return self._writing(event)
        match event:
            case FieldReset() | FieldEnded() | Completion():
                return self._writing(event)
            case FieldStarted(call=id, field=self._name.field, candidate=0) if id in self._meant:
                call = self._calls[id] = self._new(event, self._attempts.writes(id))
                self._order.append(call)
                return call
            case CallStarted():
                self._attempts.started(event)
                if event.kind == "predictor" and self._name.fits(event.name):
                    self._meant.add(event.call)
            case CallEnded():
                return self._end(event)
            case _:
                pass
        return None

    def _writing(self, event: FieldDelta | FieldReset | FieldEnded | Completion) -> C | None:
        if event.field == self._name.field and not event.candidate:
            return self._calls.get(event.call)
        return None

    def _end(self, event: CallEnded) -> C | None:
        self._meant.discard(event.call)
        call = self._calls.pop(event.call, None)
        if call is not None:
            call.ended = True
            if self._again is not None and self._attempts.undecided:
                self._kept[call.id] = call
        if self._again is None and (discarded := self._attempts.discarded(event)):
            self._order = [each for each in self._order if each.id not in discarded]
        rerun = self._attempts.ended(event)
        if rerun is not None and self._again is not None:
            self._show_again(self._again, rerun.restored, rerun.withdrawn)
        if not self._attempts.undecided:
            self._kept.clear()
        return call

    def _show_again(
        self, again: Callable[[C | None, Sequence[str]], C | None], restored: list[str], withdrawn: Sequence[str]
    ) -> None:
        for id in restored or [""]:
            if (call := again(self._kept.get(id), withdrawn)) is not None:
                call.ended = True
                self._order.append(call)
            withdrawn = ()
