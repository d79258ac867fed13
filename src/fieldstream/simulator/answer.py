"""What the provider says: texts, tool calls, and when."""

import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call that the model asks for. `arguments`: a mapping, or the exact text to send; an empty id is made up."""

    name: str
    arguments: Mapping[str, Any] | str = ""
    id: str = ""

    @property
    def arguments_text(self) -> str:
        """The arguments as they go over the wire: a JSON text."""
        if isinstance(self.arguments, str):
            return self.arguments or "{}"
        return json.dumps(dict(self.arguments), ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer. Give `text`, or `chunks` to say exactly where it is cut, or `choices` for several candidates.

    A stream's chunks are counted from 0 in the order they are sent: reasoning, text, tool calls (a call's name, then
    its arguments piece by piece); with several choices, one chunk of each in turn.

    Raises `ValueError` where `text` and `chunks` disagree, or `choices` stand beside either.
    """

    text: str = ""
    chunks: Sequence[str] | None = None
    tool_calls: Sequence[ToolCall] = ()
    reasoning: str = ""
    finish_reason: str = ""
    """`"stop"`, or `"tool_calls"` where there are some, unless given."""
    usage: Mapping[str, Any] | None = None
    """The exact `usage` to report; counted where `None`."""
    choices: "Sequence[Answer | str]" = ()
    """Several candidates; each has its own text, reasoning, tool calls and finish reason."""
    gates: Mapping[int, threading.Event] = field(default_factory=dict[int, threading.Event])
    """Chunk `k` is sent after `gates[k]` is set; one beyond the last chunk holds back the end. A fault that comes after
    `k` chunks waits for `gates[k]`, too. A whole answer waits for all.
    """
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """`Options` for this answer alone."""

    def __post_init__(self) -> None:
        if self.chunks is not None:
            whole = "".join(self.chunks)
            if self.text and self.text != whole:
                raise ValueError("text and chunks disagree: give one of them")
            object.__setattr__(self, "text", whole)
        if self.choices and (self.text or self.tool_calls or self.reasoning):
            raise ValueError("put texts, reasoning and tool calls into the choices, not beside them")

    @property
    def candidates(self) -> "tuple[Answer, ...]":
        """The choices; where there are none, the answer itself."""
        return tuple(as_answer(choice) for choice in self.choices) or (self,)


def as_answer(answer: "Answer | str") -> Answer:
    """An answer, where it may be its text alone."""
    return Answer(answer) if isinstance(answer, str) else answer
