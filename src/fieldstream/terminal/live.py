"""A run on a terminal: what ended stands, what is at work grows below it."""

import threading
import time
from collections.abc import Callable
from typing import IO, Self, TextIO, cast

from rich.console import Console
from rich.live import Live
from rich.text import Text

from fieldstream.events import CallEnded, CallStarted, Custom, Event, RunEnded, Status
from fieldstream.terminal.blocks import Blocks
from fieldstream.terminal.call import CallView
from fieldstream.terminal.field import FieldView
from fieldstream.terminal.glyphs import ASCII, SIGNS
from fieldstream.terminal.value import as_json
from fieldstream.terminal.view import View
from fieldstream.terminal.wording import SafeFile

_FRAMES = 12
"""Times per second that the screen is drawn."""


class LiveScreen:
    """Draws a run's events on a terminal.

    A call that ended is printed in full, once, and stays where the terminal keeps it. Below that is a region, never
    higher than the screen, which shows the calls that are at work; of a text that is too long for it, the end.
    """

    def __init__(
        self, file: TextIO, *, console: Console | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.view = View()
        safe = SafeFile(file)
        self._console = console or Console(file=cast("IO[str]", safe), force_terminal=True, highlight=False)
        self._blocks = Blocks(SIGNS if safe.expresses("".join(SIGNS)) else ASCII)
        self._clock = clock
        self._began: float | None = None
        self._lock = threading.Lock()  # The screen is drawn by a thread of Rich's.
        self._working: dict[str, CallView] = {}
        self._opened: set[str] = set()
        self._live = Live(
            console=self._console, get_renderable=self.region, transient=True, refresh_per_second=_FRAMES, screen=False
        )

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    @property
    def now(self) -> float:
        """Seconds since the run began."""
        return self.view.at if self._began is None else max(self._clock() - self._began, self.view.at)

    def feed(self, event: Event) -> None:
        """Take an event in, and show what it changes."""
        with self._lock:
            began = self._clock() - event.at
            self._began = began if self._began is None else min(self._began, began)
            self.view.apply(event)
            lines = self._standing(event)
        if isinstance(event, RunEnded):
            self._live.stop()
        if lines:
            self._console.print(Text("\n").join(lines), no_wrap=True, overflow="ignore", crop=False)

    # What stands

    def _standing(self, event: Event) -> list[Text]:
        """The lines that this event adds to what stands."""
        width = self._console.width
        match event:
            case CallStarted():
                self._working[event.call] = self.view.calls[event.call]
                return []
            case CallEnded():
                call = self._working.pop(event.call, None)
                return [] if call is None else self._ended(call, width)
            case Status():
                return self._said(event.message, event.call, width)
            case Custom():
                value = event.value if isinstance(event.value, str) else as_json(event.value)
                return self._said(f"{event.name}: {value}" if event.name else value, event.call, width)
            case RunEnded():
                self._working.clear()
                return self._blocks.closing(self.view, width)
            case _:
                return []

    def _ended(self, call: CallView, width: int) -> list[Text]:
        blame = call.kind == "module" and call.parent is not None and call.blames_itself
        if not call.shown and not blame:
            return []
        lines = [*self._above(call, width), self._blocks.heading(call, width, self.now)]
        lines += self._blocks.body(call, width)
        self._blocks.forget(call)
        return lines

    def _above(self, call: CallView, width: int) -> list[Text]:
        """The headings of the calls that it is in, where nothing that they called has been shown before."""
        above = [each for each in call.above() if each.kind != "module" and each.shown and each.id not in self._opened]
        self._opened.update(each.id for each in above)
        return [self._blocks.opening(each, width) for each in reversed(above)]

    def _said(self, text: str, id: str | None, width: int) -> list[Text]:
        call = self.view.calls.get(id) if id is not None else None
        return self._blocks.said(text, self._blocks.depth(call) if call is not None else 0, width)

    # What is at work

    def region(self) -> Text:
        """The calls that are at work, on no more lines than the screen has."""
        with self._lock:
            if self.view.outcome is not None or not self.view.program:
                return Text(end="")
            return Text("\n").join(self._region(self._console.width, self._console.height - 1))

    def _region(self, width: int, height: int) -> list[Text]:
        header = self._blocks.header(self.view, width, self.now)
        calls = [call for call in self._working.values() if call.shown]
        room = height - 1
        headings = [self._blocks.heading(call, width, self.now) for call in calls]
        if len(headings) > room:
            left = len(headings) - room + 1
            note = Text(f"  {self._blocks.glyphs.more} and {left} more", "dim", end="")
            return [header, *headings[: room - 1], note][:height]
        most = self._shares(calls, width, room - len(headings))
        lines = [header]
        for call, heading in zip(calls, headings, strict=True):
            lines += [heading, *(self._blocks.body(call, width, most) if most is not None else [])]
        return lines[:height]

    def _shares(self, calls: list[CallView], width: int, room: int) -> dict[int, int] | None:
        """How many lines each field may take; ``None``: there is no room for any.

        Those that grow share the room. Those that ended get what is left, and of them the first give way first.
        """
        most = {id(known): max(room, 1) for call in calls for known in call.fields.values()}
        sizes: list[tuple[FieldView, int]] = []
        others = 0
        for call in calls:
            indent = self._blocks.indent(call)
            fields = [(known, len(self._blocks.field(known, indent, width, room))) for known in call.fields.values()]
            others += len(self._blocks.body(call, width, most)) - sum(size for _, size in fields)
            sizes += fields
        growing = [size for known, size in sizes if not known.ended]
        ended = [(known, size) for known, size in sizes if known.ended]
        room -= others + len(ended)  # Each that ended keeps a line.
        share = _share(growing, room)
        room -= sum(min(size, share) for size in growing)
        if room < 0:
            return None
        shares = {id(known): share for known, _ in sizes if not known.ended}
        for known, size in reversed(ended):
            more = min(size - 1, room)
            shares[id(known)] = 1 + more
            room -= more
        return shares


def _share(sizes: list[int], room: int) -> int:
    """The most lines that each may take so that all have room together; at least one."""
    most = max(sizes, default=1)
    while most > 1 and sum(min(size, most) for size in sizes) > room:
        most -= 1
    return most
