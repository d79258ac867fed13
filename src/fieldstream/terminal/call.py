"""A call as it stands: of a module, a predictor, an LM or a tool."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from fieldstream.events import UNSET, CallKind, Failure, FieldKind, WholeReason
from fieldstream.terminal.field import FieldView


@dataclass(slots=True)
class CallView:
    """A call: of a module, a predictor, an LM or a tool."""

    id: str
    parent: "CallView | None"
    kind: CallKind
    name: str
    started: float
    arguments: dict[str, Any] | None = None
    whole: WholeReason | None = None
    children: list["CallView"] = field(default_factory=list["CallView"])
    fields: dict[tuple[str, int], FieldView] = field(default_factory=dict[tuple[str, int], FieldView])
    seconds: float | None = None
    error: Failure | None = None
    result: Any = UNSET
    usage: dict[str, Any] | None = None
    cached: bool = False
    values: dict[str, Any] | None = None
    """A predictor's fields, as they turned out."""

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self.seconds is None

    def elapsed(self, now: float) -> float:
        """How long it took, or how long it has been at work."""
        return max(now - self.started, 0.0) if self.seconds is None else self.seconds

    def field(self, name: str, candidate: int = 0, kind: FieldKind = "text") -> FieldView:
        """Its field of this name; made where there is none."""
        known = self.fields.get((name, candidate))
        if known is None:
            known = self.fields[name, candidate] = FieldView(name, kind, candidate)
        return known

    @property
    def shown(self) -> bool:
        """Whether it has a place of its own: a module if nothing else stands for it, an LM if no predictor does."""
        match self.kind:
            case "module":
                return self.parent is not None and not self.children
            case "lm":
                return self.parent is None or self.parent.kind != "predictor"
            case "predictor" | "tool":
                return True

    @property
    def interrupted(self) -> bool:
        """Whether it was ended from outside: its run was cancelled, or what it is in ended before it."""
        return self.error is not None and self.error.kind in ("cancelled", "abandoned")

    @property
    def blames_itself(self) -> bool:
        """Whether it failed, and with an error that none of the calls in it has."""
        known = self.error is not None and all(child.error != self.error for child in self.children)
        return known and not self.interrupted

    def above(self) -> Iterator["CallView"]:
        """The calls that it is in, from the innermost."""
        call = self.parent
        while call is not None:
            yield call
            call = call.parent

    def walk(self) -> Iterator["CallView"]:
        """The call and those in it, in the order in which they began."""
        yield self
        for child in self.children:
            yield from child.walk()
