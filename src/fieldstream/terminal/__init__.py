"""A run drawn while it works: live on a terminal, as plain lines in a file or a pipe.

    fieldstream.terminal.draw(fieldstream.stream(qa, question="Why is the sky blue?"))

Only a terminal needs Rich (``pip install 'fieldstream[terminal]'``).
"""

import asyncio
import os
import sys
from typing import Protocol, Self, TextIO

from fieldstream._errors import MissingExtraError
from fieldstream._stream import Run, Stream, SyncRun
from fieldstream.events import Event
from fieldstream.terminal.call import CallView
from fieldstream.terminal.field import FieldView, Withdrawn
from fieldstream.terminal.plain import PlainLog
from fieldstream.terminal.view import View

__all__ = ["CallView", "FieldView", "Screen", "View", "Withdrawn", "draw", "draw_async", "screen_for"]


class Screen(Protocol):
    """Something that draws the events of one run, between entering and leaving it."""

    view: View

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def feed(self, event: Event) -> None:
        """Take the next event in."""
        ...


def screen_for(file: TextIO) -> Screen:
    """What draws on this file: a live screen on a terminal, plain lines on anything else.

    Raises ``MissingExtraError`` for a terminal where Rich is not installed.
    """
    if not file.isatty() or os.environ.get("TERM") == "dumb":
        return PlainLog(file)
    try:
        from fieldstream.terminal.live import LiveScreen
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != "rich":
            raise
        raise MissingExtraError("drawing a run on a terminal", "terminal") from None
    return LiveScreen(file)


def draw(source: Stream | SyncRun, *, file: TextIO | None = None) -> View:
    """Draw a run to its end on standard output or another file; gives what was drawn, with the outcome.

    A stream is started here. Ctrl-C cancels the run; then the rest of it is drawn, and ``KeyboardInterrupt`` passes on.
    The program's own exception is drawn, not raised: ``outcome`` and ``error`` of what comes back say it.
    """
    if isinstance(source, Stream):
        with source as run:
            return draw(run, file=file)
    with screen_for(file or sys.stdout) as screen:
        last = -1
        try:
            for event in source:
                last = event.seq
                screen.feed(event)
        except KeyboardInterrupt:
            source.cancel()
            for event in source.events(after=last):
                screen.feed(event)
            raise
    return screen.view


async def draw_async(source: Stream | Run, *, file: TextIO | None = None) -> View:
    """As ``draw``, from a task. Cancelling the task cancels the run."""
    if isinstance(source, Stream):
        async with source as run:
            return await draw_async(run, file=file)
    with screen_for(file or sys.stdout) as screen:
        last = -1
        try:
            async for event in source:
                last = event.seq
                screen.feed(event)
        except asyncio.CancelledError:
            source.cancel()
            async for event in source.events(after=last):
                screen.feed(event)
            raise
    return screen.view
