"""Fields of tool calls that an LM writes as text, in one of the forms that ``dspy.ToolCalls`` accepts.

Rules of this file: the value is ``{"tool_calls": [{"name": ..., "args": {...}}, ...]}``. It may be written so, or as a
list of calls, or as a single call; and ``arguments`` for ``args``. What is written in a provider's form (``function``,
arguments as a text) is known only when it is parsed.
"""

from collections.abc import Collection
from functools import partial
from typing import Any, Literal

from fieldstream.fields.changes import Change, FieldParser
from fieldstream.fields.lenient.tokenizer import LenientTokenizer
from fieldstream.fields.types.reading import ReadingParser
from fieldstream.fields.values.reader import ValueReader
from fieldstream.fields.values.shapes import Items, Members, Plain, Scalar, Slot

_CALL_KEYS = {"name": "name", "args": "args", "arguments": "args"}


def _name(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("a tool's name is a string")
    return value


def _slot() -> Slot:
    call = Members()
    call.slots = {"name": Slot(Scalar(_name, _name)), "args": Slot(Members(Slot(Plain())), default={})}
    call.keys = dict(_CALL_KEYS)
    call.expected = {"name"}
    calls = Members()
    calls.slots = {"tool_calls": Slot(Items(Slot(call)))}
    calls.keys = {"tool_calls": "tool_calls"}
    calls.expected = {"tool_calls"}
    return Slot(calls)


_SLOT = _slot()


class CallsReader:
    """Reads the literal text of one field of tool calls; and hears of it what is told on as the value itself."""

    def __init__(self, field: str) -> None:
        self._values = ValueReader(field, _SLOT)
        self._tokens = LenientTokenizer(self)
        self._form: Literal["", "whole", "list", "single", "unknown"] = ""
        self._depth = 0
        self._skipping = False  # a member before it is known which form it is
        self._certain = True

    @property
    def complete(self) -> bool:
        """Whether the value is over, and is shown as it will be."""
        return self._certain and self._values.complete

    def feed(self, text: str) -> list[Change]:
        """Read on."""
        self._tokens.feed(text)
        return self._values.take()

    def finish(self) -> list[Change]:
        """It is over."""
        self._tokens.finish()
        return self._values.take()

    # What the text says

    def key(self, name: str) -> None:
        if self._depth == 1 and self._form == "unknown":
            if name == "tool_calls":
                self._form = "whole"
                self._values.begin("{")
            elif name in _CALL_KEYS:
                self._form = "single"
                self._begin_list()
                self._values.begin("{")
            self._skipping = self._form == "unknown"
        if self._depth == 1 and name == ("tool_calls" if self._form == "single" else "tool_call_results"):
            self._certain = False
        if not self._skipping:
            self._values.key(name)

    def begin(self, kind: Literal["{", "[", '"']) -> None:
        self._depth += 1
        if self._depth > 1 or kind == '"':
            if not self._skipping and self._form:
                self._values.begin(kind)
        elif kind == "[":
            self._form = "list"
            self._begin_list()
        else:
            self._form = "unknown"

    def text(self, part: str) -> None:
        if not self._skipping and self._form:
            self._values.text(part)

    def scalar(self, value: Any) -> None:
        if not self._skipping and self._form:
            self._values.scalar(value)

    def end(self, kind: Literal["{", "[", '"']) -> None:
        self._depth -= 1
        if self._depth or not self._form:
            if not self._skipping and self._form:
                self._values.end(kind)
            return
        if self._form == "whole" or self._form == "single":
            self._values.end("{")
        if self._form == "list" or self._form == "single":
            self._values.end("[")
            self._values.end("{")

    def _begin_list(self) -> None:
        self._values.begin("{")
        self._values.key("tool_calls")
        self._values.begin("[")


class CallsParser(ReadingParser):
    """Any parser, of whose ``data`` fields some hold tool calls: it says what changes in their values."""

    def __init__(self, parser: FieldParser, fields: Collection[str]) -> None:
        super().__init__(parser, {field: partial(CallsReader, field) for field in fields}, literals=True)
