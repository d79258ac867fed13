"""What a chat's turn is made of, as protocols show it: texts, tools and data; and the order in which texts are told."""

from collections.abc import Callable
from typing import Any, Literal, TypeAlias

from fieldstream.events import UNSET, Failure
from fieldstream.wire.values import GrowingValue

RESULT = "result"
"""In the place of a call's id: what no call wrote, but the program returned."""


class TextPart:
    """A text that is written: what the program says, or its reasoning (then ``field`` is none where an LM thinks).

    ``id`` names it in the run. One that was withdrawn and is told anew is another part, with another id.
    """

    __slots__ = ("call", "closed", "ended", "field", "kind", "shown", "_told", "_times", "_written")

    def __init__(
        self, kind: Literal["text", "reasoning"], call: str, field: str | None, text: str = "", *, times: int = 1
    ) -> None:
        self.kind: Literal["text", "reasoning"] = kind
        self.call = call
        self.field = field
        self.ended = False
        """Whether no more of it will come."""
        self.closed = False
        """Whether its end was told."""
        self.shown = False
        """Whether some of it was told, and stands."""
        self._written: list[str] = [text] if text else []
        self._told = 0
        self._times = times

    @property
    def id(self) -> str:
        """Its name, from its call's and its field's."""
        name = f"{self.call}.{self.field}" if self.field is not None else self.call
        return name if self._times == 1 else f"{name}.{self._times}"

    @property
    def text(self) -> str:
        """All of it, so far."""
        return "".join(self._written)

    def write(self, text: str) -> None:
        """More of it."""
        if text:
            self._written.append(text)

    def clear(self) -> None:
        """What was written, and not told, is not to be told."""
        self._written = []

    def untold(self) -> str:
        """What is to be told now; with that it is told."""
        text = "".join(self._written[self._told :])
        self._told = len(self._written)
        return text

    def anew(self, text: str = "") -> "TextPart":
        """What takes its place after it was withdrawn."""
        return TextPart(self.kind, self.call, self.field, text, times=self._times + (self._told > 0))


class ToolPart:
    """A tool that the program runs; ``arguments`` and ``result`` are not there where they may not be seen."""

    __slots__ = ("arguments", "call", "ended", "error", "name", "result")

    def __init__(self, call: str, name: str, arguments: dict[str, Any] | None) -> None:
        self.call = call
        self.name = name
        self.arguments: dict[str, Any] | None = arguments
        self.result: Any = UNSET
        self.error: Failure | None = None
        self.ended = False


class DataPart:
    """A field that is no text of the chat's, and its value so far."""

    __slots__ = ("call", "candidate", "field", "final", "growing", "predictor", "shown", "stale")

    def __init__(
        self, call: str, predictor: str, field: str, candidate: int = 0, growing: GrowingValue | None = None
    ) -> None:
        self.call = call
        self.predictor = predictor
        self.field = field
        self.candidate = candidate
        self.growing = growing or GrowingValue()
        self.shown = False
        """Whether it was told, and stands."""
        self.stale = False
        """Whether it may have to be told again."""
        self.final = False
        """Whether it is whole."""

    @property
    def id(self) -> str:
        """Its name in the run."""
        name = f"{self.call}.{self.field}"
        return f"{name}:{self.candidate}" if self.candidate else name

    @property
    def value(self) -> Any:
        """Its value so far. It is live, and has to be written at once."""
        return self.growing.value

    def anew(self, growing: GrowingValue | None = None) -> "DataPart":
        """What takes its place after it was withdrawn."""
        return DataPart(self.call, self.predictor, self.field, self.candidate, growing)


Part: TypeAlias = TextPart | ToolPart | DataPart


class Row:
    """Texts of which one is told after the other, in the order in which they began."""

    def __init__(self, tell: Callable[[TextPart, str], None], end: Callable[[TextPart], None]) -> None:
        self._tell = tell
        self._end = end
        self._waiting: list[TextPart] = []

    def add(self, part: TextPart) -> None:
        """It is told when those before it have ended."""
        self._waiting.append(part)

    def replace(self, part: TextPart, by: TextPart) -> None:
        """The other takes its place; the last one, if it has none any more."""
        if part in self._waiting:
            self._waiting[self._waiting.index(part)] = by
        else:
            self._waiting.append(by)

    def drop(self, part: TextPart) -> None:
        """It is not told any further."""
        if part in self._waiting:
            self._waiting.remove(part)

    def advance(self) -> None:
        """Tell what can be told."""
        while self._waiting:
            front = self._waiting[0]
            if text := front.untold():
                self._tell(front, text)
            if not front.ended:
                return
            self._waiting.pop(0)
            if front.shown:
                front.closed = True
                self._end(front)

    def end(self) -> None:
        """Tell all that waits, and end it."""
        for part in self._waiting:
            part.ended = True
        self.advance()
