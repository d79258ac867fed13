"""Breaking text into lines of so many cells, as a terminal counts: 漢 takes two and a combining accent none."""

import re

from rich.cells import cell_len, get_character_cell_size

from fieldstream.terminal.wording import visible

_WORDS = re.compile(r"[^ ]*(?: +|$)")
_KEPT = 150
"""Lines of a growing text that are kept: more than a screen has."""


def wrap(text: str, width: int) -> list[str]:
    """The text's lines, each at most so many cells wide but for spaces at its end.

    Together they are the text, but for its line feeds. A text that begins with any of them wraps as the rest of this.
    """
    lines: list[str] = []
    for paragraph in text.split("\n"):
        lines += _wrap_paragraph(paragraph, max(width, 1))
    return lines


def wrap_json(text: str, width: int) -> list[str]:
    """As ``wrap``, for indented JSON: what is broken goes on a little deeper than it began."""
    lines: list[str] = []
    for line in text.split("\n"):
        bare = line.lstrip(" ")
        indent = len(line) - len(bare)
        first, *rest = wrap(bare, max(width - indent - 2, 8))
        lines += [f"{' ' * indent}{first}", *(f"{' ' * (indent + 2)}{part}" for part in rest)]
    return lines


def _wrap_paragraph(text: str, width: int) -> list[str]:
    lines: list[str] = []
    line, room = "", width
    for word in _WORDS.findall(text):
        bare = cell_len(word.rstrip(" "))
        if bare > room and line:
            lines.append(line)
            line, room = "", width
        at = 0
        while bare > width:
            end = _fitting(word, at, width)
            lines.append(word[at:end])
            bare -= cell_len(lines[-1])
            at = end
        word = word[at:]
        line += word
        room -= cell_len(word)
    lines.append(line)
    return lines


def _fitting(word: str, start: int, width: int) -> int:
    """Where a line ends that begins in the middle of a word: after at least one character."""
    used = 0
    for at in range(start, len(word)):
        used += get_character_cell_size(word[at])
        if used > width:
            return max(at, start + 1)
    return len(word)


class Growing:
    """A text that grows, broken into lines, of which only the last are wanted. What is far above them is let go."""

    def __init__(self) -> None:
        self._text = ""
        self._taken = 0
        self._version = -1
        self._width: int = 0
        self._lines: list[str] = []
        self._gone = False

    def lines(self, pieces: list[str], version: int, width: int, most: int) -> tuple[list[str], bool]:
        """The last lines of the text that these pieces make, and whether there are others above."""
        if version != self._version:
            self._text, self._taken, self._version, self._gone = "", 0, version, False
        count = len(pieces)
        if count != self._taken or width != self._width or not self._lines:
            self._text += visible("".join(pieces[self._taken : count])).expandtabs(4)
            self._taken, self._width = count, width
            self._lines = wrap(self._text, width)
            if len(self._lines) > 2 * _KEPT:
                self._text = _without(self._text, self._lines[:-_KEPT])
                self._lines = self._lines[-_KEPT:]
                self._gone = True
        return self._lines[-most:], self._gone or len(self._lines) > most


def _without(text: str, lines: list[str]) -> str:
    """The text after these lines of it."""
    at = 0
    for line in lines:
        at += len(line)
        if text[at : at + 1] == "\n":
            at += 1
    return text[at:]
