"""Redaction: what a pattern finds is never shown, also where it comes in pieces."""

import re
from collections.abc import Callable, Iterable, Iterator
from heapq import heappop, heappush
from typing import Any, TypeAlias

from msgspec.structs import replace

from fieldstream.events import (
    UNSET,
    CallEnded,
    CallStarted,
    Custom,
    Event,
    Failure,
    FieldDelta,
    FieldReset,
    FieldSnapshot,
    Path,
    RunEnded,
    RunSnapshot,
    Status,
)
from fieldstream.transforms.finders import Finder, Literal, Regex, Span
from fieldstream.transforms.mirror import Mirror
from fieldstream.transforms.texts import Key, Machine, OpenText, TextStage

Pattern: TypeAlias = str | re.Pattern[str]
Scrub: TypeAlias = Callable[[str], str]

_SHORT = 1024
"""What is held back is looked through again with each piece as long as it is not longer than this, in characters."""


class Redact:
    """Takes out of all texts and values what ``secret`` finds, and puts ``replacement`` in its place.

    ``secret`` is a text, a compiled regular expression, or several of these; what any of them finds is taken out, where
    they overlap in one. Readers see the result of ``re.sub`` on each whole text (a field's, a string's in a value, an
    LM's), whatever the pieces are in which it comes: a text is held back from where a match may have begun until it is
    decided. So a pattern like ``BEGIN.*?END`` holds back all from a ``BEGIN`` on until there is an ``END``, or the text
    is over. ``longest`` limits that: matches of more characters need not be found unless they match already when they
    are that long, and no more is held back for them.

    ``secret`` may be a function, too, which makes of a whole text what may be shown; then a text is shown when it is
    whole. ``replacement`` is put in as it is, or is a function that makes it of what was found.

    All strings of a run's data are looked through: fields, keys and strings in values, arguments and results of tools,
    messages of errors, statuses, what the program emits, and the run's result as its last event tells it. Names are
    not: of fields, predictors, tools and models. Two keys of values that are the same afterwards are told apart by a
    number. ``run.result`` and the exceptions of the program are its own, and not redacted.
    """

    def __init__(
        self,
        secret: Pattern | Iterable[Pattern] | Scrub,
        replacement: str | Scrub = "[…]",
        *,
        longest: int | None = None,
    ) -> None:
        if longest is not None and longest < 1:
            raise ValueError(f"longest is {longest}; it must be at least 1 character")
        self._scrub: Scrub | None = None
        self._finders: tuple[Finder, ...] = ()
        self.replace: Scrub = (lambda _: replacement) if isinstance(replacement, str) else replacement
        if isinstance(secret, str | re.Pattern):
            self._finders = (_finder(secret, longest),)
        elif callable(secret):
            self._scrub = secret
        else:
            self._finders = tuple(_finder(each, longest) for each in secret)

    def start(self) -> "_Redaction":
        return _Redaction(self)

    def begin(self) -> Machine:
        """A new text."""
        return _Whole(self._scrub) if self._scrub is not None else _Redactor(self._finders, self.replace)

    def text(self, text: str) -> str:
        """A whole text, redacted."""
        machine = self.begin()
        return "".join([*machine.feed(text), *machine.finish()])


def _finder(secret: object, longest: int | None) -> Finder:
    match secret:
        case "":
            raise ValueError("there is an empty text among what is to be redacted; it would be found everywhere")
        case str():
            return Literal(secret)
        case re.Pattern(pattern=str()):
            return Regex(secret, longest)  # pyright: ignore[reportUnknownArgumentType]
        case _:
            raise TypeError(f"Redact takes texts and compiled patterns of text; {secret!r} is neither")


class _Whole:
    """A text of which nothing can be shown before all of it is known."""

    def __init__(self, scrub: Scrub) -> None:
        self._scrub = scrub
        self._parts: list[str] = []

    def feed(self, text: str, /) -> Iterator[str]:
        self._parts.append(text)
        return iter(())

    def finish(self) -> Iterator[str]:
        if shown := self._scrub("".join(self._parts)):
            yield shown


class _Redactor:
    """One text, piece by piece. Places count from the beginning of what is kept of it."""

    def __init__(self, finders: tuple[Finder, ...], replacement: Scrub) -> None:
        self._finders = finders
        self._replacement = replacement
        self._behind = max((finder.behind for finder in finders), default=0)
        self._kept = ""
        self._new: list[str] = []
        self._length = 0
        self._again = 0
        # Up to where each finder has decided; up to where the text was given; what was found and not given yet.
        self._decided = [0] * len(finders)
        self._given = 0
        self._found: list[Span] = []

    def feed(self, text: str, /) -> Iterator[str]:
        self._new.append(text)
        self._length += len(text)
        if self._length >= self._again:
            return self._look(whole=False)
        return iter(())

    def finish(self) -> Iterator[str]:
        return self._look(whole=True)

    def _look(self, whole: bool) -> Iterator[str]:
        self._kept = text = "".join([self._kept, *self._new])
        self._new = []
        for index, finder in enumerate(self._finders):
            self._decided[index], spans = finder.find(text, self._decided[index], whole)
            for span in spans:
                heappush(self._found, span)
        pieces = self._give(min(self._decided, default=len(text)))
        held = len(text) - self._given
        # A long text that is held back is looked through again when it has grown by a part, so that work stays linear.
        self._again = len(text) + held // 4 if held > _SHORT else 0
        self._forget(max(self._given - self._behind, 0))
        if shown := "".join(pieces):
            yield shown

    def _give(self, upto: int) -> list[str]:
        """What can be shown now that all is decided up to a place."""
        pieces: list[str] = []
        while self._found and self._found[0][0] < upto:
            start, end = heappop(self._found)
            while self._found and self._found[0][0] < end:
                end = max(end, heappop(self._found)[1])
            pieces.append(self._kept[self._given : start])
            self._given = start
            if end > upto:  # Another match may begin in this one.
                heappush(self._found, (start, end))
                return pieces
            pieces.append(self._replacement(self._kept[start:end]))
            self._given = end
        pieces.append(self._kept[self._given : upto])
        self._given = upto
        return pieces

    def _forget(self, count: int) -> None:
        self._kept = self._kept[count:]
        self._length = len(self._kept)
        self._again -= count
        self._given -= count
        self._decided = [place - count for place in self._decided]
        self._found = [(start - count, end - count) for start, end in self._found]


class _Redaction(TextStage):
    """For one reader."""

    def __init__(self, redact: Redact) -> None:
        super().__init__()
        self._redact = redact
        self._mirrors: dict[Key, Mirror] = {}
        # The keys of values as they are and as they are shown. No two are shown alike.
        self._keys: dict[str, str] = {}
        self._taken: set[str] = set()

    def begin(self) -> Machine:
        return self._redact.begin()

    def feed(self, event: Event, /) -> Iterator[Event]:
        yield from super().feed(event)
        # What the strings of a value were, for those that go on later.
        match event:
            case FieldDelta(text=str(text), path=path):
                if path:
                    self._mirror((event.call, event.field, event.candidate)).append(path, text)
            case FieldDelta(path=path, value=value):
                self._mirror((event.call, event.field, event.candidate)).assign(path, value)
            case FieldReset(path=path):
                self._mirror((event.call, event.field, event.candidate)).assign(path, UNSET)
            case CallEnded(call=call):
                for key in [key for key in self._mirrors if key[0] == call]:
                    del self._mirrors[key]
            case _:
                pass

    def _mirror(self, key: Key) -> Mirror:
        if (mirror := self._mirrors.get(key)) is None:
            mirror = self._mirrors[key] = Mirror()
        return mirror

    def other(self, event: Event) -> Event:
        match event:
            case CallStarted(arguments=dict(arguments)):
                return replace(event, arguments=self.value(arguments))
            case FieldDelta():
                return replace(event, path=self.place(event.path), value=self.value(event.value))
            case FieldReset(path=path) if path:
                return replace(event, path=self.place(path))
            case CallEnded():
                fields = event.fields and {name: self.value(value) for name, value in event.fields.items()}
                return replace(event, fields=fields, result=self.value(event.result), error=self._error(event.error))
            case Status():
                return replace(event, message=self._redact.text(event.message))
            case Custom():
                return replace(event, value=self.value(event.value))
            case RunEnded():
                return replace(event, result=self.value(event.result), error=self._error(event.error))
            case _:
                return event

    def place(self, path: Path) -> Path:
        return tuple(self._key(step) if isinstance(step, str) else step for step in path)

    def value(self, value: Any) -> Any:
        """A JSON value, redacted."""
        match value:
            case str():
                return self._redact.text(value)
            case dict():
                return {self._key(key): self.value(item) for key, item in value.items()}  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
            case list() | tuple():
                return [self.value(item) for item in value]  # pyright: ignore[reportUnknownVariableType]
            case _:
                return value

    def _key(self, key: Any) -> Any:
        if not isinstance(key, str):
            return key
        if (shown := self._keys.get(key)) is None:
            shown = redacted = self._redact.text(key)
            number = 1
            while shown in self._taken:
                number += 1
                shown = f"{redacted}{number}"
            self._keys[key] = shown
            self._taken.add(shown)
        return shown

    def _error(self, error: Failure | None) -> Failure | None:
        return error and replace(error, message=self._redact.text(error.message))

    def open_text(self, key: Key, path: Path) -> OpenText:
        opened = super().open_text(key, path)
        if before := self._mirror(key).text(path):
            # It was taken to be over, and goes on: it is begun again, and told anew as far as it is decided.
            opened.machine = _Resumed(opened.machine, before)
        return opened

    def _show(self, key: Key, current: OpenText, pieces: Iterable[str], at: float) -> Iterator[Event]:
        if isinstance(current.machine, _Resumed) and current.blank:
            current.blank = False
            call, field, candidate = key
            value = "".join(pieces)
            yield FieldDelta(
                seq=0, at=at, call=call, field=field, candidate=candidate, path=current.shown_path, value=value
            )
        else:
            yield from super()._show(key, current, pieces, at)

    def snapshot(self, event: RunSnapshot) -> Event:
        calls = [call for each in event.calls if isinstance(call := self.other(each), CallStarted)]
        return replace(event, calls=calls, fields=[self._field(each) for each in event.fields])

    def _field(self, field: FieldSnapshot) -> FieldSnapshot:
        """A field as it stands. Its last text may go on, and is held back from where that is not decided."""
        key = (field.call, field.field, field.candidate)
        mirror = self._mirror(key)
        mirror.assign((), field.value)
        value = self.value(field.value)
        last = None if field.ended else mirror.last()
        if last is not None:
            path, text = last
            opened = self._fields[key] = OpenText(self.begin(), path, self.place(path))
            shown = "".join(opened.machine.feed(text))
            opened.blank = False
            value = _put(value, opened.shown_path, shown)
        return replace(field, value=value)


class _Resumed:
    """A text that goes on after it was over: its first piece has all that was there before, too."""

    def __init__(self, machine: Machine, before: str) -> None:
        self._machine = machine
        self._before = before

    def feed(self, text: str, /) -> Iterable[str]:
        before, self._before = self._before, ""
        return self._machine.feed(before + text)

    def finish(self) -> Iterable[str]:
        return self._machine.finish()


def _put(value: Any, path: Path, text: str) -> Any:
    """The value with a text at this path."""
    if not path:
        return text
    inner = value
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = text
    return value
