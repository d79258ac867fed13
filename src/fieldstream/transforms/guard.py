"""Guards: a run is stopped when what it writes is not to be shown."""

import inspect
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

from fieldstream.events import (
    CallEnded,
    CallStarted,
    Event,
    Failure,
    FieldDelta,
    FieldEnded,
    FieldReset,
    FieldStarted,
    LmDelta,
    Path,
    RunEnded,
    RunSnapshot,
)
from fieldstream.transforms.openings import Openings
from fieldstream.transforms.texts import Key


class Draft:
    """A text that is being written, as a guard's check sees it.

    It is a field's, or at ``path`` in its value; without a ``field`` it is an LM's. ``name`` is the predictor's path in
    the program, or the LM's model. ``new`` came just now; it is empty when all that is new is that the text is
    ``whole``.
    """

    def __init__(self, call: str, name: str, field: str | None, candidate: int, path: Path) -> None:
        self.call = call
        self.name = name
        self.field = field
        self.candidate = candidate
        self.path = path
        self.new = ""
        self.whole = False
        self.length = 0
        self._parts: list[str] = []

    @property
    def text(self) -> str:
        """All of it so far, ``new`` included. It costs as much as it is long: a check of each piece has ``tail``."""
        if len(self._parts) != 1:
            self._parts = ["".join(self._parts)]
        return self._parts[0]

    def tail(self, length: int) -> str:
        """The last so many characters."""
        parts: list[str] = []
        for part in reversed(self._parts):
            if length <= 0:
                break
            parts.append(part[-length:])
            length -= len(part)
        return "".join(reversed(parts))

    def add(self, text: str) -> None:
        """More of it."""
        self.new = text
        self.length += len(text)
        self._parts.append(text)


Check: TypeAlias = Callable[[Draft], str | None]
"""Gives the reason to stop the run; ``None`` to let it go on."""


class Guard:
    """Stops the run when ``check`` gives a reason.

    ``check`` is called with each piece of what LMs write, before readers get it, and once more when a text is whole:
    texts of fields, strings in their values, and LM texts that are events themselves. If it gives a reason, the piece
    is not shown, the run is cancelled with its provider's request, and the last event says ``cancelled`` with an error
    of the kind ``guard`` and the reason as its message, as does the ``RunCancelledError`` of ``run.result``. A check
    that raises an exception stops the run, too.

    As one of a ``Streamer``'s transforms it is asked as the program writes, in the program's own thread, and so also
    where nobody reads; and then for each reader. With ``run.through`` it is asked where that is read, and stops the
    run if that still goes on. So a check should be quick, and say the same of the same texts.
    """

    watches = True

    def __init__(self, check: Check) -> None:
        if inspect.iscoroutinefunction(check):
            raise TypeError("a guard's check must be a plain function that gives a reason or None, not `async def`")
        self.check = check

    def start(self) -> "_Watch":
        return _Watch(self.check)


class _Stop(Exception):
    """The check gave a reason."""


class _Watch:
    """For one reader."""

    def __init__(self, check: Check) -> None:
        self._check = check
        self._openings = Openings()
        self._names: dict[str, str] = {}
        self._fields: dict[Key, Draft] = {}
        self._lms: dict[Key, Draft] = {}
        # Fields that are texts, also where nothing of them was written.
        self._texts: set[Key] = set()
        self._over = False

    def feed(self, event: Event, /) -> Iterator[Event]:
        if self._over:
            return
        try:
            self._look(event)
        except _Stop as stop:
            self._over = True
            yield from self._openings.close(event.at, Failure(kind="guard", message=str(stop)))
            return
        self._openings.take(event)
        yield event

    def _look(self, event: Event) -> None:
        match event:
            case FieldDelta(text=str(text), path=path):
                self._ask(self._draft(event, path), text)
            case FieldDelta(path=path, value=value):
                self._leave(event, path)
                self._ask_all(event, path, value)
            case LmDelta(call=call, channel=channel, candidate=candidate):
                key = (call, channel, candidate)
                if (draft := self._lms.get(key)) is None:
                    draft = self._lms[key] = Draft(call, self._names.get(call, ""), None, candidate, ())
                self._ask(draft, event.text)
            case FieldStarted(kind="text"):
                self._texts.add((event.call, event.field, event.candidate))
                self._draft(event, ())
            case FieldReset(path=path):
                self._leave(event, path)
                if (event.call, event.field, event.candidate) in self._texts:
                    self._draft(event, ())
            case FieldEnded():
                self._end((event.call, event.field, event.candidate))
            case CallStarted(call=call, name=name):
                self._names[call] = name
            case CallEnded(call=call):
                self._end_all(call)
                self._names.pop(call, None)
                self._texts = {key for key in self._texts if key[0] != call}
            case RunEnded():
                self._end_all(None)
            case RunSnapshot():
                self._look_at_snapshot(event)
            case _:
                pass

    def _draft(self, event: FieldDelta | FieldStarted | FieldReset, path: Path) -> Draft:
        """The text that the field is at; if it was at another one, that is over."""
        key = (event.call, event.field, event.candidate)
        draft = self._fields.get(key)
        if draft is None or draft.path != path:
            self._end(key)
            draft = self._fields[key] = self._new(*key, path)
        return draft

    def _new(self, call: str, field: str, candidate: int, path: Path) -> Draft:
        return Draft(call, self._names.get(call, ""), field, candidate, path)

    def _leave(self, event: FieldDelta | FieldReset, path: Path) -> None:
        key = (event.call, event.field, event.candidate)
        draft = self._fields.get(key)
        if draft is not None and draft.path[: len(path)] == path:
            del self._fields[key]
        else:
            self._end(key)

    def _end(self, key: Key) -> None:
        if (draft := self._fields.pop(key, None)) is not None:
            self._finish(draft)

    def _end_all(self, call: str | None) -> None:
        for drafts in (self._fields, self._lms):
            for key in [key for key in drafts if call is None or key[0] == call]:
                self._finish(drafts.pop(key))

    def _ask_all(self, event: FieldDelta, path: Path, value: Any) -> None:
        """Ask about each string in a value."""
        match value:
            case str():
                draft = self._new(event.call, event.field, event.candidate, path)
                self._ask(draft, value)
                self._finish(draft)
            case dict():
                for key, item in value.items():  # pyright: ignore[reportUnknownVariableType]
                    self._ask_all(event, (*path, key), item)  # pyright: ignore[reportUnknownArgumentType]
            case list() | tuple():
                for index, item in enumerate(value):  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
                    self._ask_all(event, (*path, index), item)
            case _:
                pass

    def _look_at_snapshot(self, event: RunSnapshot) -> None:
        for call in event.calls:
            self._names[call.call] = call.name
        for field in event.fields:
            key = (field.call, field.field, field.candidate)
            if field.kind == "text":
                self._texts.add(key)
            if field.kind == "text" and isinstance(field.value, str) and not field.ended:
                draft = self._fields[key] = self._new(*key, ())
                self._ask(draft, field.value)
            else:
                delta = FieldDelta(
                    seq=0, at=event.at, call=key[0], field=key[1], candidate=field.candidate, value=field.value
                )
                self._ask_all(delta, (), field.value)

    def _ask(self, draft: Draft, text: str) -> None:
        draft.add(text)
        self._call(draft)

    def _finish(self, draft: Draft) -> None:
        draft.new = ""
        draft.whole = True
        self._call(draft)

    def _call(self, draft: Draft) -> None:
        try:
            reason: Any = self._check(draft)
        except Exception as error:
            raise _Stop(f"the guard's check raised {type(error).__name__}: {error}") from error
        if reason is not None:
            if not isinstance(reason, str):
                reason = f"the guard's check gave {reason!r}, where it is to give None or a reason as text"
            raise _Stop(reason)
