"""Smoothing: texts come word by word or line by line, at a steady pace."""

import re
from collections import deque
from collections.abc import Iterator
from typing import Literal, TypeAlias

from fieldstream.events import CallEnded, Event, FieldDelta, FieldReset, LmDelta, RunEnded
from fieldstream.transforms.stage import Paced
from fieldstream.transforms.texts import Key, Machine, TextStage

Unit: TypeAlias = Literal["word", "line", "character"]

# Han, kana, hangul and their punctuation: written without spaces, or as well read sign by sign.
_SIGNS = "\u3000-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff"

_UNITS: dict[Unit, str] = {
    "word": rf"\s{{24}}|\s{{0,23}}(?:[{_SIGNS}]|[^\s{_SIGNS}]{{24}}|[^\s{_SIGNS}]{{1,23}}(?:\s|(?=[{_SIGNS}])))",
    "line": r"[^\n]*\n",
    "character": r"[\s\S]",
}

_LONGEST = 1000
"""A unit that is not complete after so many characters is handed over as it is, so that nothing waits for ever."""


class Smooth:
    """Hands texts over in units, every so many seconds one: ``"word"``, ``"line"`` or ``"character"``.

    A word comes with the space, or the line end, after it; what a script without spaces writes (Chinese, Japanese)
    comes sign by sign; what is longer than 24 characters (a URL, Thai) is cut there. A compiled regular expression is a
    unit, too: each of its matches ends one. The last unit ends with its text.

    ``every`` is the pace, for each text. Nothing is shown later than ``most_behind`` seconds after it came (it need be
    read by then): the more there is to show, the shorter the pauses. ``every=0`` only cuts. The order of events stays:
    what comes after a text waits for it, and not longer. What a reset is going to withdraw is not paced any more, nor
    is a run that failed or was cancelled. A reader that comes late gets what was there as if it came now.
    """

    def __init__(self, unit: Unit | re.Pattern[str] = "word", *, every: float = 0.02, most_behind: float = 1.0) -> None:
        if every < 0 or most_behind < 0:
            raise ValueError(f"every is {every} and most_behind is {most_behind}; they are seconds, 0 or more")
        if isinstance(unit, re.Pattern):
            if unit.match("") is not None:
                raise ValueError(f"the unit {unit.pattern!r} can be nothing at all (''); make it match some text")
            self.unit = unit
        elif unit in _UNITS:
            self.unit = re.compile(_UNITS[unit])
        else:
            raise ValueError(f"the unit is {unit!r}; it must be 'word', 'line', 'character' or a compiled pattern")
        self.every = every
        self.most_behind = most_behind

    def start(self) -> "_Pace":
        return _Pace(self)


class _Cutter:
    """Cuts one text into units."""

    def __init__(self, unit: re.Pattern[str]) -> None:
        self._unit = unit
        self._rest = ""

    def feed(self, text: str, /) -> Iterator[str]:
        text = self._rest + text
        start = 0
        while (found := self._unit.search(text, start)) is not None and found.end() > start:
            yield text[start : found.end()]
            start = found.end()
        while len(text) - start > _LONGEST:
            yield text[start : start + _LONGEST]
            start += _LONGEST
        self._rest = text[start:]

    def finish(self) -> Iterator[str]:
        if self._rest:
            yield self._rest


class _Cutting(TextStage):
    def __init__(self, unit: re.Pattern[str]) -> None:
        super().__init__()
        self._unit = unit

    def begin(self) -> Machine:
        return _Cutter(self._unit)


class _Text:
    """What is waiting of one text."""

    __slots__ = ("came", "shown", "waiting")

    def __init__(self) -> None:
        # When its last unit came, when one was shown, and how many wait.
        self.came = 0.0
        self.shown: float | None = None
        self.waiting = 0


class _Pace(Paced):
    """For one reader: a queue, of which the first event is due at its time and the others after it."""

    def __init__(self, smooth: Smooth) -> None:
        self._every = smooth.every
        self._most_behind = smooth.most_behind
        self._cutting = _Cutting(smooth.unit)
        self._queue: deque[tuple[Event, float, _Text | None]] = deque()
        self._texts: dict[Key, _Text] = {}
        # So many of the first events wait for nothing: what comes after them makes their pace pointless.
        self._at_once = 0

    def hold(self, event: Event, now: float, /) -> None:
        for given in self._cutting.feed(event):
            text = self._text(given)
            if text is not None:
                text.came = now
                text.waiting += 1
            self._queue.append((given, now, text))
        match event:
            case FieldReset() | RunEnded(outcome="failed" | "cancelled"):
                self._at_once = len(self._queue)
            case CallEnded(call=call):
                self._texts = {key: text for key, text in self._texts.items() if key[0] != call}
            case _:
                pass

    def _text(self, event: Event) -> _Text | None:
        match event:
            case FieldDelta(text=str()):
                key = (event.call, event.field, event.candidate)
            case LmDelta():
                key = (event.call, event.channel, event.candidate)
            case _:
                return None
        if (text := self._texts.get(key)) is None:
            text = self._texts[key] = _Text()
        return text

    def due(self) -> float | None:
        if not self._queue:
            return None
        _, came, text = self._queue[0]
        if text is None or text.shown is None or self._at_once:
            return came
        # At this pace the last unit that waits is shown in time.
        pause = min(self._every, max(text.came + self._most_behind - text.shown, 0) / text.waiting)
        return max(came, min(text.shown + pause, came + self._most_behind))

    def release(self, now: float, /) -> Event:
        event, _, text = self._queue.popleft()
        self._at_once = max(self._at_once - 1, 0)
        if text is not None:
            text.shown = now
            text.waiting -= 1
        return event
