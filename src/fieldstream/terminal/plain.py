"""A run as plain lines, for a file or a pipe: everything as it comes, nothing twice, no control codes."""

import re
from typing import Self, TextIO

from fieldstream.events import (
    UNSET,
    CallEnded,
    CallStarted,
    Custom,
    Event,
    FieldDelta,
    FieldEnded,
    FieldReset,
    LmDelta,
    RunEnded,
    RunStarted,
    Status,
)
from fieldstream.terminal.call import CallView
from fieldstream.terminal.field import FieldView
from fieldstream.terminal.json_text import JsonText
from fieldstream.terminal.turns import Turns
from fieldstream.terminal.value import as_json, as_text, dotted
from fieldstream.terminal.view import View
from fieldstream.terminal.wording import (
    SafeFile,
    arguments,
    duration,
    failed,
    manner,
    one_line,
    outputs,
    summary,
    visible,
)

_MOST = 600
"""Characters of a tool's arguments or result that are worth a line in a log."""
_BRIEF = 80
"""Characters of what was to be seen before, and is shown once more."""
_LINE_FEED = re.compile(r"\n(?=[^\n])")


class PlainLog:
    """Writes a run's events to a file as they come. Of calls that work at the same time, one speaks after the other."""

    def __init__(self, file: TextIO) -> None:
        self.view = View()
        self._file = SafeFile(file)
        self._turns = Turns()
        self._open: FieldView | None = None  # Whose text the last line is.
        self._json: dict[int, JsonText] = {}
        self._fresh = True  # Whether the last line ended.
        self._blank = True  # Whether it was empty.
        self._noted = False  # Whether it was a message.

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._end_line()
        self._file.flush()

    def feed(self, event: Event) -> None:
        """Take an event in, and write what is to be said of it now."""
        for each in self._turns.take(event):
            self.view.apply(each)
            self._say(each)
        self._file.flush()

    def _say(self, event: Event) -> None:
        match event:
            case RunStarted():
                self._line(f"{visible(event.program)}: started")
            case CallStarted():
                self._call_started(self.view.calls[event.call])
            case FieldDelta() | FieldReset() | FieldEnded():
                call = self.view.calls.get(event.call)
                if call is not None:
                    self._field(event, call, call.field(event.field, event.candidate))
            case LmDelta():
                call = self.view.calls.get(event.call)
                if call is not None:
                    self._grow(call, call.field(event.channel, event.candidate), visible(event.text))
            case CallEnded():
                if (call := self.view.calls.get(event.call)) is not None:
                    self._call_ended(call)
            case Status():
                self._note(one_line(event.message, _MOST), event.call)
            case Custom():
                name = f"{visible(event.name)}: " if event.name else ""
                self._note(f"{name}{one_line(as_text(event.value), _MOST)}", event.call)
            case RunEnded():
                self._run_ended(event)
            case _:
                pass

    def _note(self, text: str, id: str | None) -> None:
        call = self.view.calls.get(id) if id is not None else None
        indent = self._indent(call)
        if not indent and not self._noted and not self._blank:
            self._line("")
        self._line(f"{indent}* {text}")
        self._noted = True

    # Calls

    def _call_started(self, call: CallView) -> None:
        if call.kind == "module" or not call.shown:
            return
        self._gap(call)
        given = arguments(call, _MOST) if call.kind == "tool" else ""
        self._line(f"{self._indent(call, -1)}{visible(call.name)}{given}")

    def _call_ended(self, call: CallView) -> None:
        took = duration(call.seconds or 0.0)
        if call.kind == "lm" and not call.shown:
            if call.error is not None and not call.interrupted:
                self._error(self._indent(call), f"{visible(call.name)} failed after {took}: {failed(call.error)}")
            return
        if call.kind == "module":
            self._module_ended(call, took)
            return
        indent = self._indent(call)
        if call.error is not None:
            blame = f": {failed(call.error)}" if call.blames_itself else ""
            self._error(indent, f"{call.error.kind if call.interrupted else 'failed'} after {took}{blame}")
            return
        if call.kind == "tool" and call.result is not UNSET:
            self._line(f"{indent}-> {one_line(as_json(call.result), _MOST)}")
        said = ", ".join(manner(call))
        self._line(f"{indent}done in {took} ({said})" if said else f"{indent}done in {took}")

    def _module_ended(self, call: CallView, took: str) -> None:
        """A module is told of where nothing that it called stands for it: it called nothing, or failed by itself."""
        if call.error is not None and call.blames_itself and call.parent is not None:
            self._gap(call)
            self._error(self._indent(call), f"{visible(call.name)} failed after {took}: {failed(call.error)}")
        elif call.shown and call.error is None:
            self._gap(call)
            self._line(f"{self._indent(call, -1)}{visible(call.name)} done in {took}")

    # Fields

    def _field(self, event: FieldDelta | FieldReset | FieldEnded, call: CallView, known: FieldView) -> None:
        if isinstance(event, FieldReset):
            place = f"{known.label}{dotted(event.path)}" if event.path else known.label
            self._line(f"{self._indent(call)}{visible(place)}: [withdrawn: {event.reason}]")
            if event.path:
                self._json[id(known)].broken = True
            else:
                self._json.pop(id(known), None)
        elif isinstance(event, FieldEnded):
            self._field_ended(call, known)
        elif known.draft is None:
            self._grow(call, known, visible(event.text or ""))
        elif known.kind == "text":
            # No text, or another one than was shown.
            self._whole(call, known)
        else:
            growing = self._json.setdefault(id(known), JsonText())
            more = (
                growing.set(event.path, event.value) if event.text is None else growing.append(event.path, event.text)
            )
            if more:
                self._grow(call, known, visible(more))

    def _field_ended(self, call: CallView, known: FieldView) -> None:
        growing = self._json.pop(id(known), None)
        if growing is not None and growing.broken:
            self._whole(call, known)
        elif growing is not None and (more := growing.finish()):
            self._grow(call, known, more)
        elif known.blank and not known.withdrawn:
            self._grow(call, known, "")
        if self._open is known:
            self._end_line()

    def _whole(self, call: CallView, known: FieldView) -> None:
        self._end_line()
        self._grow(call, known, visible(known.text()))
        self._end_line()

    def _grow(self, call: CallView, known: FieldView, text: str) -> None:
        """More of a field's text, on the line that it is on or, after something else, on another."""
        indent = self._indent(call)
        if self._open is not known:
            self._end_line()
            self._write(f"{indent}{visible(known.label)}: ")
            self._open = known
        # A line's indent waits for the line's text, so that no line ends with spaces.
        if self._fresh and text and text[0] != "\n":
            self._write(f"{indent}  ")
        self._write(_LINE_FEED.sub(f"\n{indent}  ", text))

    # The end

    def _run_ended(self, event: RunEnded) -> None:
        if not self._blank:
            self._line("")
        head = f"{visible(self.view.program)}: {event.outcome} after {duration(event.at)}"
        self._line("; ".join([head, *summary(self.view)]))
        if event.error is not None and event.outcome == "failed":
            self._error("  ", failed(event.error))
        elif event.outcome == "completed" and event.result is not UNSET:
            for name, value in outputs(event.result).items():
                # What is all to be seen above comes in a line each.
                text = one_line(as_text(value), _BRIEF) if self.view.told else visible(as_text(value))
                self._line(f"  {visible(name)}: {text}".replace("\n", "\n    "))

    # Lines

    def _indent(self, call: CallView | str | None, deeper: int = 0) -> str:
        if isinstance(call, str):
            call = self.view.calls.get(call)
        depth = deeper
        while call is not None:
            depth += call.kind in ("predictor", "tool") or (call.kind == "lm" and call.shown)
            call = call.parent
        return "  " * max(depth, 0)

    def _gap(self, call: CallView) -> None:
        if not self._indent(call, -1) and not self._blank:
            self._line("")

    def _error(self, indent: str, text: str) -> None:
        self._line(f"{indent}{text}".replace("\n", f"\n{indent}  "))

    def _line(self, text: str) -> None:
        self._end_line()
        self._write(f"{text}\n")
        self._blank = not text
        self._noted = False

    def _end_line(self) -> None:
        self._open = None
        if not self._fresh:
            self._write("\n")

    def _write(self, text: str) -> None:
        if text:
            self._file.write(text)
            self._fresh = text.endswith("\n")
            self._blank = False
