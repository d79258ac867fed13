"""Of a regular expression, another one that finds where a match may have begun whose end has not been read yet.

``re`` cannot say that a text may go on to match. So the pattern is taken apart and written anew: of ``ab+c`` comes what
matches the end of a text that is nothing, ``a`` or ``a`` and some ``b``. It finds more than it must where the pattern
looks around, or has groups that are referred to or do not give back; never less.

Source of the format: what ``re``'s own parser gives (``re._parser``, ``re._constants``; private, the same from
Python 3.11 on, and covered by tests). What it may give one day that is not known here counts as "anything may follow".
"""

import re
from collections.abc import Iterable, Iterator
from importlib import import_module
from itertools import accumulate
from typing import Any

_parser: Any = import_module("re._parser")
_UNBOUNDED = int(import_module("re._constants").MAXREPEAT)

_ANYTHING = r"[\s\S]*"
_NOTHING = r"(?!)"
_CATEGORIES = {
    "CATEGORY_DIGIT": r"\d",
    "CATEGORY_NOT_DIGIT": r"\D",
    "CATEGORY_SPACE": r"\s",
    "CATEGORY_NOT_SPACE": r"\S",
    "CATEGORY_WORD": r"\w",
    "CATEGORY_NOT_WORD": r"\W",
}
_ANCHORS = {"AT_BEGINNING": "^", "AT_BEGINNING_STRING": r"\A"}
# How many characters behind itself an anchor looks at. `$` sees whether a line end is the text's last character.
_LOOKS_AHEAD = {"AT_END": 2, "AT_END_STRING": 1, "AT_BOUNDARY": 1, "AT_NON_BOUNDARY": 1}
_FLAGS = {re.ASCII: "a", re.IGNORECASE: "i", re.MULTILINE: "m", re.DOTALL: "s", re.UNICODE: "u"}
# How many steps of a sequence are nested in each other; `re` nests only so deep.
_BLOCK = 16


class Beginnings:
    """What a pattern's matches need: to be told from what only may become one."""

    def __init__(self, pattern: re.Pattern[str]) -> None:
        parsed = _parser.parse(pattern.pattern, pattern.flags)
        low, high = parsed.getwidth()
        self.shortest: int = low
        self.longest: int | None = high if high < _UNBOUNDED else None
        """The length of the longest match; ``None`` where there is no such length."""
        self.ahead: int | None = 0
        """How many characters after a match decide whether it is one; ``None``: all."""
        self.behind = 2
        """How many characters before a match decide whether it is one, at most."""
        for width, forward in _lookarounds(parsed):
            if not forward:
                self.behind += width
            elif self.ahead is not None:
                self.ahead = None if width >= _UNBOUNDED else self.ahead + width
        beginning = _begun(parsed)
        if self.ahead is None:
            beginning += f"|{_whole(parsed)}{_ANYTHING}"
        elif self.ahead:
            beginning += rf"|{_whole(parsed)}[\s\S]{{0,{self.ahead - 1}}}"
        flags = pattern.flags & (re.IGNORECASE | re.MULTILINE | re.DOTALL | re.ASCII)
        self._pattern = re.compile(rf"(?:{beginning})\Z", flags)

    def first(self, text: str, start: int) -> int:
        """Where the first match may begin that the text so far cannot decide on; its length if there is none."""
        found = self._pattern.search(text, start)
        return len(text) if found is None else found.start()


def _whole(items: Iterable[Any]) -> str:
    """What matches all that the steps do, and perhaps more."""
    return "".join(_step(str(op), argument) for op, argument in items)


def _step(op: str, argument: Any) -> str:
    match op:
        case "LITERAL":
            return _character(argument)
        case "NOT_LITERAL":
            return f"[^{_character(argument)}]"
        case "ANY":
            return "."
        case "IN":
            return f"[{''.join(_member(str(kind), value) for kind, value in argument)}]"
        case "BRANCH":
            return f"(?:{'|'.join(_whole(branch) for branch in argument[1])})"
        case "SUBPATTERN":
            _, added, removed, items = argument
            return _group(added, removed, _whole(items))
        case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
            low, high, items = argument
            return f"(?:{_whole(items)}){_times(low, high)}"
        case "ATOMIC_GROUP":
            return f"(?:{_whole(argument)})"
        case "GROUPREF_EXISTS":
            _, yes, no = argument
            return f"(?:{_whole(yes)}|{_whole(no or ())})"
        case "AT":
            return _ANCHORS.get(str(argument), "")
        case "ASSERT" | "ASSERT_NOT":
            return ""
        case "FAILURE":
            return _NOTHING
        case _:
            return _ANYTHING


def _begun(items: Iterable[Any]) -> str:
    """What matches the end of a text that may be a beginning of what the steps match, but is not all of it."""
    steps = [(_begun_step(str(op), argument), _step(str(op), argument)) for op, argument in items]
    blocks = [steps[at : at + _BLOCK] for at in range(0, len(steps), _BLOCK)]
    befores = accumulate(("".join(whole for _, whole in block) for block in blocks), initial="")
    return "|".join(before + _begun_block(block) for before, block in zip(befores, blocks, strict=False)) or _NOTHING


def _begun_block(steps: list[tuple[str, str]]) -> str:
    pattern = ""
    for begun, whole in reversed(steps):
        pattern = f"(?:{begun}|{whole}{pattern})" if pattern else f"(?:{begun})"
    return pattern


def _begun_step(op: str, argument: Any) -> str:
    match op:
        case "LITERAL" | "NOT_LITERAL" | "ANY" | "IN":
            return r"\Z"
        case "BRANCH":
            return f"(?:{'|'.join(_begun(branch) for branch in argument[1])})"
        case "SUBPATTERN":
            _, added, removed, items = argument
            return _group(added, removed, _begun(items))
        case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
            _, high, items = argument
            if high == 0:
                return _NOTHING
            return f"(?:{_whole(items)}){_times(0, high if high >= _UNBOUNDED else high - 1)}(?:{_begun(items)})"
        case "ATOMIC_GROUP":
            return f"(?:{_begun(argument)})"
        case "GROUPREF_EXISTS":
            _, yes, no = argument
            return f"(?:{_begun(yes)}|{_begun(no or ())})"
        case "AT" | "ASSERT" | "ASSERT_NOT" | "FAILURE":
            return _NOTHING
        case _:
            return _ANYTHING


def _character(code: int) -> str:
    return rf"\U{code:08x}"


def _member(kind: str, value: Any) -> str:
    match kind:
        case "NEGATE":
            return "^"
        case "RANGE":
            low, high = value
            return f"{_character(low)}-{_character(high)}"
        case "CATEGORY":
            return _CATEGORIES[str(value)]
        case _:
            return _character(value)


def _times(low: int, high: int) -> str:
    return f"{{{low},}}" if high >= _UNBOUNDED else f"{{{low},{high}}}"


def _group(added: int, removed: int, inner: str) -> str:
    on = "".join(letter for flag, letter in _FLAGS.items() if added & flag)
    off = "".join(letter for flag, letter in _FLAGS.items() if removed & flag)
    return f"(?{on}{'-' if off else ''}{off}:{inner})"


def _lookarounds(items: Any) -> Iterator[tuple[int, bool]]:
    """How far each assertion looks, and whether forward."""
    for op, argument in items:
        match str(op):
            case "AT":
                yield _LOOKS_AHEAD.get(str(argument), 0), True
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
