"""What is open in a run: what must be closed before the run may end."""

from collections.abc import Iterator

from fieldstream.events import (
    CallEnded,
    CallStarted,
    Event,
    Failure,
    FieldEnded,
    FieldReset,
    FieldStarted,
    RunEnded,
    RunSnapshot,
)


class Openings:
    """Follows a run's events, and can end it in good order."""

    def __init__(self) -> None:
        self._calls: dict[str, float] = {}
        self._fields: dict[tuple[str, str, int], None] = {}

    def take(self, event: Event) -> None:
        match event:
            case CallStarted(call=call, at=at):
                self._calls[call] = at
            case CallEnded(call=call):
                self._calls.pop(call, None)
            case FieldStarted() | FieldReset():
                self._fields[event.call, event.field, event.candidate] = None
            case FieldEnded():
                self._fields.pop((event.call, event.field, event.candidate), None)
            case RunSnapshot(calls=calls, fields=fields):
                self._calls = {call.call: call.at for call in calls}
                self._fields = {(each.call, each.field, each.candidate): None for each in fields if not each.ended}
            case _:
                pass

    def close(self, at: float, error: Failure) -> Iterator[Event]:
        """End what is open, the latest first, and then the run: it was cancelled, with this error."""
        for call, began in reversed(self._calls.items()):
            for owner, field, candidate in tuple(self._fields):
                if owner == call:
                    yield FieldEnded(seq=0, at=at, call=call, field=field, candidate=candidate)
            yield CallEnded(seq=0, at=at, call=call, seconds=max(at - began, 0.0), error=error)
        yield RunEnded(seq=0, at=at, outcome="cancelled", error=error)
