"""Calls and fields as lines for a terminal, each no wider than it is told to be. User text is never read as markup."""

from collections.abc import Mapping

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from fieldstream.events import UNSET
from fieldstream.terminal.call import CallView
from fieldstream.terminal.field import FieldView, Withdrawn
from fieldstream.terminal.glyphs import SIGNS, Glyphs
from fieldstream.terminal.value import as_json, as_text, dotted
from fieldstream.terminal.view import View
from fieldstream.terminal.wording import (
    arguments,
    duration,
    failed,
    lm_call,
    manner,
    one_line,
    outputs,
    summary,
    ticking,
    visible,
)
from fieldstream.terminal.wrapping import Growing, wrap, wrap_json

_SHORT = 6
"""Lines that tools' results, errors and withdrawn texts may take."""
_COLUMN = 9
"""Cells for a field's name, so that most texts stand below each other."""


class Blocks:
    """Makes the lines. It remembers where the texts stand that it cuts, so that they do not jump."""

    def __init__(self, glyphs: Glyphs = SIGNS) -> None:
        self.glyphs = glyphs
        self._growing: dict[int, Growing] = {}

    def forget(self, call: CallView) -> None:
        """The call's fields will not be asked for again while they grow."""
        for known in call.fields.values():
            self._growing.pop(id(known), None)

    def depth(self, call: CallView) -> int:
        """How many calls with a place of their own it is in."""
        return sum(above.kind != "module" and above.shown for above in call.above())

    # A call

    def indent(self, call: CallView) -> str:
        """What stands before the lines of its body."""
        return "  " * (self.depth(call) + 3)

    def opening(self, call: CallView, width: int) -> Text:
        """One line for a call that goes on, above what it called and what has ended."""
        line = Text("  " * (self.depth(call) + 1), no_wrap=True, end="")
        line.append(f"{self.glyphs.opened} ", "dim")
        line.append(visible(call.name), _NAME[call.kind])
        if call.kind == "tool":
            line.append(arguments(call, max(width - line.cell_len, 8)))
        return self._cropped(line, width)

    def heading(self, call: CallView, width: int, now: float) -> Text:
        """One line for the call: how it is, what it is, how long it took."""
        line = Text(no_wrap=True, end="")
        line.append("  " * (self.depth(call) + 1))
        line.append_text(self.sign(call, now))
        line.append(f" {visible(call.name)}", _NAME[call.kind])
        took = ticking(call.elapsed(now)) if call.running else duration(call.elapsed(now))
        said = [took, *(self._at_work(call) if call.running else manner(call))]
        if call.error is not None:
            said.insert(0, call.error.kind if call.interrupted else "failed")
        tail = f"  {f' {self.glyphs.dot} '.join(said)}"
        if call.kind == "tool":
            room = max(width - line.cell_len - cell_len(tail), 8)
            line.append(self._fit(arguments(call, room), room), "default")
        line.append(tail, "dim")
        return self._cropped(line, width)

    def sign(self, call: CallView, now: float) -> Text:
        """A tick, a cross, or something that turns."""
        if call.error is not None:
            return Text(self.glyphs.failed, "yellow" if call.interrupted else "bold red")
        return self.spinner(now) if call.running else Text(self.glyphs.done, "green")

    def spinner(self, now: float) -> Text:
        """What turns while something is at work."""
        frames = self.glyphs.spinner
        return Text(frames[int(now * 12) % len(frames)], "yellow")

    def _at_work(self, call: CallView) -> list[str]:
        if call.kind == "predictor" and (lm := lm_call(call)) is not None and lm.running:
            return [visible(lm.name)]
        return ["waiting"] if call.kind == "predictor" and not call.fields else []

    def body(self, call: CallView, width: int, most: Mapping[int, int] | None = None) -> list[Text]:
        """The lines below the heading: fields, attempts that failed, a tool's result, an error.

        ``most`` gives fields (by their ``id``) the number of lines that they may take; others are shown whole.
        """
        indent = self.indent(call)
        lines: list[Text] = []
        for known in call.fields.values():
            lines += self.field(known, indent, width, None if most is None else most.get(id(known)))
        for child in call.children:
            if child.kind == "lm" and not child.shown and child.error is not None and not child.interrupted:
                what = f"{visible(child.name)} failed after {duration(child.elapsed(0))}: {failed(child.error)}"
                lines += self._short(what, indent, width, "red")
        if call.result is not UNSET and call.kind == "tool":
            result = visible(as_text(call.result) if isinstance(call.result, str) else as_json(call.result))
            lines += self._short(result, indent, width, "", f"{self.glyphs.gives} ")
        if call.error is not None and call.blames_itself:
            lines += self._short(failed(call.error), indent, width, "red")
        return lines

    # A field

    def field(self, known: FieldView, indent: str, width: int, most: int | None = None) -> list[Text]:
        """A field: its name, and beside it the text. Of more than ``most`` lines, the last ones."""
        label = f"{indent}{visible(known.label):{_COLUMN}}"
        withdrawn = [self._withdrawn(each, label, width) for each in known.withdrawn]
        lines = [line for part in withdrawn for line in part]
        if not known.blank or not known.withdrawn:
            lines += self._grown(known, label, width, most)
        if most is not None and len(lines) > max(most, 1):
            lines = lines[-max(most, 1) :]
        return lines

    def _grown(self, known: FieldView, label: str, width: int, most: int | None) -> list[Text]:
        room = max(width - cell_len(label) - 3, 12)
        above = False
        if known.draft is None and most is not None:
            growing = self._growing.setdefault(id(known), Growing())
            texts, above = growing.lines(known.pieces, known.version, room, most)
        else:
            texts = self._wrapped(known.text(room), room, as_json=known.kind == "data")
            if most is not None and len(texts) > most:
                texts, above = texts[-most:], True
        style = "" if known.kind == "text" else "cyan"
        if not known.ended:
            texts = [*texts[:-1], texts[-1].rstrip(" ") + self.glyphs.cursor]
        return self._beside(label, texts, style, width, self.glyphs.more if above else " ")

    def _withdrawn(self, each: Withdrawn, label: str, width: int) -> list[Text]:
        label += visible(dotted(each.path))
        texts = self._wrapped(each.text, max(width - cell_len(label) - 3, 12))
        if len(texts) > _SHORT:
            texts = [*texts[: _SHORT - 1], self.glyphs.more]
        lines = self._beside(label, texts, "dim red strike", width) if each.text else []
        note = Text(f"{' ' * cell_len(label)}  withdrawn: {each.reason}", "red", no_wrap=True, end="")
        return [*lines, self._cropped(note, width)]

    def _beside(self, label: str, texts: list[str], style: str, width: int, gutter: str = " ") -> list[Text]:
        lines: list[Text] = []
        for index, text in enumerate(texts):
            line = Text(no_wrap=True, end="")
            line.append(label if index == 0 else " " * cell_len(label), "bold blue")
            line.append(f"{gutter if index == 0 else ' '} ", "dim")
            line.append(text.rstrip(" "), style)
            lines.append(self._cropped(line, width))
        return lines

    # The run

    def header(self, view: View, width: int, now: float) -> Text:
        """The first line of a run that is at work."""
        line = Text(no_wrap=True, end="")
        line.append_text(self.spinner(now))
        line.append(f" {visible(view.program)}", "bold")
        line.append(f"  {ticking(now)}", "dim")
        if view.status:
            line.append(f"  {one_line(view.status, width)}", "italic dim")
        return self._cropped(line, width)

    def said(self, text: str, depth: int, width: int) -> list[Text]:
        """A message."""
        return self._short(visible(text), "  " * (depth + 1), width, "italic dim", f"{self.glyphs.said} ")

    def closing(self, view: View, width: int) -> list[Text]:
        """The last lines of a run: how it ended, what came of it, what it took."""
        style = {"completed": "green", "failed": "bold red"}.get(view.outcome or "", "yellow")
        sign = self.glyphs.done if view.outcome == "completed" else self.glyphs.failed
        line = Text(no_wrap=True, end="")
        line.append(f"{sign} ", style)
        line.append(visible(view.program), "bold")
        line.append(f" {view.outcome} after {duration(view.at)}", style)
        lines = [self._cropped(line, width)]
        if view.outcome == "failed" and view.error is not None:
            lines += self._short(failed(view.error), "    ", width, "red")
        elif view.outcome == "completed" and view.result is not UNSET:
            lines += self._outputs(view, width)
        for text in wrap(f" {self.glyphs.dot} ".join(summary(view)), max(width - 4, 12)):
            lines.append(Text(f"    {text.rstrip(' ')}", "dim", no_wrap=True, end=""))
        return lines

    def _outputs(self, view: View, width: int) -> list[Text]:
        """What the program gave; in a line each where all of it is to be seen above."""
        lines: list[Text] = []
        made = outputs(view.result)
        column = min(max(cell_len(visible(name)) for name in made), 24)
        for name, value in made.items():
            label = f"    {visible(name):{column}}"
            room = max(width - cell_len(label) - 3, 12)
            is_text = isinstance(value, str)
            if view.told:
                texts = [self._fit(one_line(as_text(value), width), room)]
            else:
                texts = self._wrapped(as_text(value, room), room, as_json=not is_text)
            lines += self._beside(label, texts, "" if is_text else "cyan", width)
        return lines

    # Lines

    @staticmethod
    def _wrapped(text: str, width: int, *, as_json: bool = False) -> list[str]:
        text = visible(text).expandtabs(4)
        return wrap_json(text, width) if as_json else wrap(text, width)

    def _short(self, text: str, indent: str, width: int, style: str, lead: str = "") -> list[Text]:
        texts = wrap(text.expandtabs(4), max(width - len(indent) - cell_len(lead), 12))
        if len(texts) > _SHORT:
            texts = [*texts[: _SHORT - 1], f"{self.glyphs.more} ({len(texts) - _SHORT + 1} more lines)"]
        lines: list[Text] = []
        for index, part in enumerate(texts):
            begin = f"{indent}{lead if index == 0 else ' ' * cell_len(lead)}"
            lines.append(self._cropped(Text(f"{begin}{part.rstrip(' ')}", style, no_wrap=True, end=""), width))
        return lines

    def _fit(self, text: str, width: int) -> str:
        return text if cell_len(text) <= width else f"{set_cell_size(text, max(width - 1, 0))}{self.glyphs.more}"

    @staticmethod
    def _cropped(line: Text, width: int) -> Text:
        if line.cell_len > width:
            line.truncate(width, overflow="ellipsis")
        return line


_NAME = {"predictor": "bold", "tool": "bold magenta", "lm": "bold", "module": "bold"}
