"""How the provider behaves: pace, chunks, faults. For a whole server, for one request, or for one answer.

A narrower place wins field by field: an answer's options over those of the request, and those over the server's.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypedDict, get_args

Chunking = Literal["tokens", "chars", "whole", "random"]
"""Where a text is cut: word pieces as a GPT model writes, single characters, not at all, or anywhere (by the seed)."""

FAULTS = ("error", "drop", "stall", "malformed", "truncate")


class OptionError(ValueError):
    """An option that does not exist or cannot have this value; the message names it and says what it can have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What can be set. Positions of faults count chunks that carry something: neither the role nor the end counts.

    Raises `OptionError` when a value makes no sense.
    """

    rate: float | None = None
    """Chunks per second; `None` is as fast as possible."""
    first: float = 0.0
    """Seconds before the first chunk."""
    chunking: Chunking = "tokens"
    seed: int = 0
    """Another seed writes other texts and cuts at other places; the same one writes the same again."""
    length: int | None = None
    """About how many words a written answer has, all text fields together; `None` leaves it to the writer."""
    reasoning: bool = False
    """Send `reasoning_content` before the text, as reasoning models do."""
    tools: bool | None = None
    """Call an offered tool always, never, or (`None`) as `tool_choice` asks, and once by default."""
    steps: int = 1
    """How many tools a ReAct program calls before it finishes."""
    error: int | None = None
    """Answer with this HTTP status instead."""
    retry_after: float | None = None
    """Seconds for the `retry-after` header of an `error`."""
    drop: int | None = None
    """Close the connection in the middle of the body after so many chunks."""
    reset: bool = False
    """Let `drop` reset the connection (RST) instead of closing it (FIN)."""
    stall: int | None = None
    """Go silent after so many chunks, until the client leaves."""
    malformed: int | None = None
    """Send an event that is no JSON after so many chunks, then go on."""
    truncate: int | None = None
    """End the stream after so many chunks as if all were well, with neither finish reason nor `[DONE]`."""
    fault_times: int | None = None
    """Only the first so many requests have the fault; one set for a request counts that request's repetitions."""

    def __post_init__(self) -> None:
        for name in ("rate", "first", "retry_after"):
            value = getattr(self, name)
            if value is not None and not (_is_number(value) and value >= 0 and (name != "rate" or value > 0)):
                raise OptionError(f"{name}={value!r}: expected a positive number")
        for name in ("length", "drop", "stall", "malformed", "truncate", "fault_times"):
            value = getattr(self, name)
            if value is not None and not (type(value) is int and value >= 0):
                raise OptionError(f"{name}={value!r}: expected a whole number, 0 or more")
        for name in ("seed", "steps"):
            if type(getattr(self, name)) is not int:
                raise OptionError(f"{name}={getattr(self, name)!r}: expected a whole number")
        for name in ("reasoning", "reset", "tools"):
            if not isinstance(getattr(self, name), bool) and not (name == "tools" and self.tools is None):
                raise OptionError(f"{name}={getattr(self, name)!r}: expected true or false")
        if self.chunking not in get_args(Chunking):
            raise OptionError(f"chunking={self.chunking!r}: expected one of {', '.join(get_args(Chunking))}")
        if self.error is not None and not (type(self.error) is int and 400 <= self.error <= 599):
            raise OptionError(f"error={self.error!r}: expected an HTTP status from 400 to 599")

    def updated(self, changes: Mapping[str, Any]) -> "Options":
        """These options with `changes`; raises `OptionError` for an unknown name or a wrong value."""
        if not changes:
            return self
        if unknown := sorted(set(changes) - set(NAMES)):
            raise OptionError(f"there is no option {', '.join(unknown)}; there are {', '.join(NAMES)}")
        return dataclasses.replace(self, **changes)

    @property
    def faulty(self) -> bool:
        """Whether any fault is set."""
        return any(getattr(self, name) is not None for name in FAULTS)

    def healthy(self) -> "Options":
        """The same options without a fault."""
        return dataclasses.replace(self, **dict.fromkeys(FAULTS)) if self.faulty else self


NAMES = tuple(field.name for field in dataclasses.fields(Options))


class OptionArgs(TypedDict, total=False):
    """The fields of `Options` as keyword arguments; each means what it means there."""

    rate: float | None
    first: float
    chunking: Chunking
    seed: int
    length: int | None
    reasoning: bool
    tools: bool | None
    steps: int
    error: int | None
    retry_after: float | None
    drop: int | None
    reset: bool
    stall: int | None
    malformed: int | None
    truncate: int | None
    fault_times: int | None


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
