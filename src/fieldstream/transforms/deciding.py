"""Of a regular expression, another one that also finds where the text ends before it is known whether it matches.

``re`` cannot say that a text may go on to match. So the pattern is taken apart and written anew: each step of it has
one more way to succeed, which is that the text is at its end. From there on all other steps succeed in the same way,
and so does the whole. ``re`` takes its ways in the order in which it would take them in a longer text, and the first
that leads anywhere is a match, which nothing that follows can change; or it leads to the end of the text, as the groups
tell that stand for it, and is open.

Source of the format: what ``re``'s own parser gives (``re._parser``, ``re._constants``; private, the same from
Python 3.11 on, and covered by tests).
"""

import re
from collections.abc import Iterable, Iterator
from importlib import import_module
from typing import Any

_parser: Any = import_module("re._parser")
_UNBOUNDED = int(import_module("re._constants").MAXREPEAT)

_CATEGORIES = {
    "CATEGORY_DIGIT": r"\d",
    "CATEGORY_NOT_DIGIT": r"\D",
    "CATEGORY_SPACE": r"\s",
    "CATEGORY_NOT_SPACE": r"\S",
    "CATEGORY_WORD": r"\w",
    "CATEGORY_NOT_WORD": r"\W",
}
# The anchors, and how many characters behind itself each looks at. `$` sees whether a line end is the last character.
_ANCHORS = {
    "AT_BEGINNING": ("^", 0),
    "AT_BEGINNING_STRING": (r"\A", 0),
    "AT_BOUNDARY": (r"\b", 1),
    "AT_NON_BOUNDARY": (r"\B", 1),
    "AT_END": ("$", 2),
    "AT_END_STRING": (r"\Z", 1),
}
_FLAGS = {re.ASCII: "a", re.IGNORECASE: "i", re.MULTILINE: "m", re.DOTALL: "s", re.UNICODE: "u"}
_REPEATS = {"MAX_REPEAT": "", "MIN_REPEAT": "?", "POSSESSIVE_REPEAT": "+"}
_Z = r"\Z"
_REST = r"[\s\S]*"
_SINGLE = {"LITERAL", "NOT_LITERAL", "ANY", "IN"}


class Deciding:
    """Finds a pattern's matches in a text that may go on."""

    def __init__(self, pattern: re.Pattern[str]) -> None:
        parsed = _parser.parse(pattern.pattern, pattern.flags)
        self.shortest: int = parsed.getwidth()[0]
        self.ahead = _ahead(parsed)
        """How many characters after a match decide whether it is one, at most; ``None``: all."""
        self.behind = 2 + sum(width for width, forward in _lookarounds(parsed) if not forward)
        """How many characters before a match decide whether it is one, at most."""
        writer = _Writer(parsed.state)
        flags = pattern.flags & (re.IGNORECASE | re.MULTILINE | re.DOTALL | re.ASCII)
        self._pattern = re.compile(writer.open(parsed), flags)
        self._ends = [index for name, index in self._pattern.groupindex.items() if name.startswith("end")]

    def search(self, text: str, start: int) -> tuple[int, int, bool]:
        """The first match, or what may become one (``True``): from where to where."""
        found = self._pattern.search(text, start)
        if found is None:
            return len(text), len(text), True
        is_open = found.end() == len(text) and any(found.start(end) >= 0 for end in self._ends)
        return found.start(), found.end(), is_open


class _Writer:
    """Writes a pattern anew: as it is (``exact``), or with ends (``open``)."""

    def __init__(self, state: Any) -> None:
        self._widths: list[Any] = state.groupwidths
        self._count = 0

    def open(self, items: Iterable[Any]) -> str:
        return "".join(self._open(str(op), argument) for op, argument in items)

    def exact(self, items: Iterable[Any]) -> str:
        return "".join(self._exact(str(op), argument) for op, argument in items)

    def _end(self, inner: str) -> str:
        """A group that stands for the end of the text."""
        self._count += 1
        return f"(?P<end{self._count}>{inner})"

    def _unless_near(self, source: str, count: int | None) -> str:
        """What is known where so many characters follow; else it is open, and so is all up to the end."""
        if count is None:
            return self._end(_REST)
        rest = rf"[\s\S]{{{max(count, 1)}}}"
        return rf"(?:(?={rest}){source}|(?!{rest}){self._end(_REST)})"

    def _open(self, op: str, argument: Any) -> str:
        match op:
            case "LITERAL" | "NOT_LITERAL" | "ANY" | "IN":
                return f"(?:{_character(op, argument)}|{self._end(_Z)})"
            case "BRANCH":
                return f"(?:{'|'.join(self.open(branch) for branch in argument[1])})"
            case "SUBPATTERN":
                return _group(argument, self.open(argument[3]))
            case "ATOMIC_GROUP":
                return f"(?>{self.open(argument)})"
            case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
                return self._open_repeat(op, *argument)
            case "GROUPREF":
                width = self._widths[argument][1]
                name = _reference(argument)
                if width >= _UNBOUNDED:
                    return f"(?:{name}|{self._end(_REST)})"
                return f"(?:{name}|(?![\\s\\S]{{{max(width, 1)}}}){self._end(_REST)})"
            case "GROUPREF_EXISTS":
                group, yes, no = argument
                return f"(?(g{group}){self.open(yes)}|{self.open(no or ())})"
            case "AT":
                return self._unless_near(*_ANCHORS[str(argument)])
            case "ASSERT" | "ASSERT_NOT":
                direction, inner = argument
                ahead = _ahead(inner)
                if direction > 0 and ahead is not None:
                    width = inner.getwidth()[1]
                    ahead = None if width >= _UNBOUNDED else ahead + width
                return self._unless_near(self._exact(op, argument) if ahead is not None else "", ahead)
            case "FAILURE":
                return self._end(_Z)
            case _:
                raise _unknown(op)

    def _open_repeat(self, op: str, low: int, high: int, items: Any) -> str:
        how = _REPEATS[op]
        if high == 0:
            return ""
        if len(items) != 1 or str(items[0][0]) not in _SINGLE:
            return f"(?:{self.open(items)}){_times(low, high)}{how}"
        # As the above, but of one character `re` repeats faster.
        step = self.exact(items)
        repeated = f"{step}{_times(low, high)}{how}"
        reaching = f"{step}{_times(0, high if high >= _UNBOUNDED else high - 1)}+{self._end(_Z)}"
        return f"(?:{repeated}|{reaching})" if how == "?" else f"(?:{reaching}|{repeated})"

    def _exact(self, op: str, argument: Any) -> str:
        match op:
            case "LITERAL" | "NOT_LITERAL" | "ANY" | "IN":
                return _character(op, argument)
            case "BRANCH":
                return f"(?:{'|'.join(self.exact(branch) for branch in argument[1])})"
            case "SUBPATTERN":
                return _group(argument, self.exact(argument[3]))
            case "ATOMIC_GROUP":
                return f"(?>{self.exact(argument)})"
            case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
                low, high, items = argument
                return f"(?:{self.exact(items)}){_times(low, high)}{_REPEATS[op]}"
            case "GROUPREF":
                return _reference(argument)
            case "GROUPREF_EXISTS":
                group, yes, no = argument
                return f"(?(g{group}){self.exact(yes)}|{self.exact(no or ())})"
            case "AT":
                return _ANCHORS[str(argument)][0]
            case "ASSERT" | "ASSERT_NOT":
                direction, inner = argument
                return f"(?{'' if direction > 0 else '<'}{'=' if op == 'ASSERT' else '!'}{self.exact(inner)})"
            case "FAILURE":
                return "(?!)"
            case _:
                raise _unknown(op)


def _character(op: str, argument: Any) -> str:
    match op:
        case "LITERAL":
            return _escaped(argument)
        case "NOT_LITERAL":
            return f"[^{_escaped(argument)}]"
        case "ANY":
            return "."
        case _:  # "IN"
            return f"[{''.join(_member(str(kind), value) for kind, value in argument)}]"


def _member(kind: str, value: Any) -> str:
    match kind:
        case "NEGATE":
            return "^"
        case "RANGE":
            return f"{_escaped(value[0])}-{_escaped(value[1])}"
        case "CATEGORY":
            return _CATEGORIES[str(value)]
        case "LITERAL":
            return _escaped(value)
        case _:
            raise _unknown(kind)


def _unknown(what: str) -> ValueError:
    return ValueError(f"the pattern has what this version of fieldstream does not know: {what}; write it otherwise")


def _escaped(code: int) -> str:
    return rf"\U{code:08x}"


def _reference(group: int) -> str:
    return f"(?P=g{group})"


def _times(low: int, high: int) -> str:
    return f"{{{low},}}" if high >= _UNBOUNDED else f"{{{low},{high}}}"


def _group(argument: Any, inner: str) -> str:
    group, added, removed, _ = argument
    on = "".join(letter for flag, letter in _FLAGS.items() if added & flag)
    off = "".join(letter for flag, letter in _FLAGS.items() if removed & flag)
    inner = f"(?{on}{'-' if off else ''}{off}:{inner})"
    return inner if group is None else f"(?P<g{group}>{inner})"


def _ahead(items: Any) -> int | None:
    """How far the assertions look beyond the end of what matches, at most; ``None``: without a limit."""
    width = sum(width for width, forward in _lookarounds(items) if forward)
    return width if width < _UNBOUNDED else None


def _lookarounds(items: Any) -> Iterator[tuple[int, bool]]:
    """How far each assertion looks, and whether forward."""
    for op, argument in items:
        match str(op):
            case "AT":
                yield _ANCHORS[str(argument)][1], True
            case "ASSERT" | "ASSERT_NOT":
                direction, inner = argument
                yield inner.getwidth()[1], direction > 0
                yield from _lookarounds(inner)
            case "BRANCH":
                for branch in argument[1]:
                    yield from _lookarounds(branch)
            case "SUBPATTERN":
                yield from _lookarounds(argument[3])
            case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
                yield from _lookarounds(argument[2])
            case "ATOMIC_GROUP":
                yield from _lookarounds(argument)
            case "GROUPREF_EXISTS":
                yield from _lookarounds(argument[1])
                yield from _lookarounds(argument[2] or ())
            case _:
                pass
