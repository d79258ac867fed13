"""Finding what is to be redacted in a text that is still being written."""

import re
from typing import NamedTuple, Protocol, TypeAlias

from fieldstream.transforms.deciding import Deciding

Span: TypeAlias = tuple[int, int]


class Finder(Protocol):
    """Finds the matches of one pattern. It has no state."""

    @property
    def behind(self) -> int:
        """How many characters before ``start`` it wants to see in ``find``."""
        ...

    def find(self, text: str, start: int, whole: bool) -> tuple[int, list[Span]]:
        """The matches from ``start`` on that no text which may follow can change, and up to where that holds.

        It goes on there, when there is more. With ``whole``, nothing follows.
        """
        ...


class Literal(NamedTuple):
    """Finds a text itself."""

    literal: str
    behind: int = 0

    def find(self, text: str, start: int, whole: bool) -> tuple[int, list[Span]]:
        literal = self.literal
        spans: list[Span] = []
        while (found := text.find(literal, start)) >= 0:
            start = found + len(literal)
            spans.append((found, start))
        if whole:
            return len(text), spans
        # Only the last characters can be a beginning of it.
        start = max(start, len(text) - len(literal) + 1)
        while (start := text.find(literal[0], start)) >= 0:
            if literal.startswith(text[start:]):
                return start, spans
            start += 1
        return len(text), spans


class Regex:
    """Finds what a regular expression finds in the whole text."""

    def __init__(self, pattern: re.Pattern[str], longest: int | None) -> None:
        deciding = Deciding(pattern)
        if deciding.shortest == 0:
            raise ValueError(
                f"the pattern {pattern.pattern!r} can match nothing at all (''), so that it would redact between all "
                f"characters; make it match at least one, with '+' for '*', say"
            )
        if longest is not None and deciding.ahead is None:
            raise ValueError(
                f"the pattern {pattern.pattern!r} looks ahead without a limit, so that `longest` cannot limit what is "
                f"held back; limit the lookahead, with '.{{0,100}}' for '.*', say, or leave `longest` out"
            )
        self.behind = deciding.behind
        self._pattern = pattern
        self._deciding = deciding
        self._most_held = None if longest is None else longest + (deciding.ahead or 0)

    def find(self, text: str, start: int, whole: bool) -> tuple[int, list[Span]]:
        spans: list[Span] = []
        if whole:
            return len(text), [found.span() for found in self._pattern.finditer(text, start)]
        while True:
            found, end, is_open = self._deciding.search(text, start)
            if not is_open:
                spans.append((found, end))
                start = end
            elif self._is_too_long(text, found):
                start = found + 1
            else:
                return found, spans

    def _is_too_long(self, text: str, start: int) -> bool:
        """Whether what begins here can only become a match that is too long, as it is none yet."""
        if self._most_held is None or len(text) - start < self._most_held:
            return False
        return self._pattern.match(text, start) is None
