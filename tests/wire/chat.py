"""A readable protocol, for what all chat protocols share: a line for each step, and a transcript as a client has it."""

from collections.abc import Mapping, Sequence
from typing import Any

from fieldstream.events import (
    UNSET,
    CallEnded,
    CallStarted,
    Event,
    Failure,
    FieldDelta,
    FieldEnded,
    FieldReset,
    FieldStarted,
    LmDelta,
    ResetReason,
    RunEnded,
    RunStarted,
)
from fieldstream.wire.json import encode
from fieldstream.wire.parts import DataPart, Part, TextPart, ToolPart
from fieldstream.wire.turn import ChatTurn
from fieldstream.wire.view import ChatView, FieldPath


def view(
    output: str | None = "answer", *reasoning: str, predictor: str | None = None, run: str = "r", program: str = "qa"
) -> ChatView:
    return ChatView(
        run=run,
        program=program,
        output=None if output is None else FieldPath(predictor, output),
        reasoning=frozenset(FieldPath(None, name) for name in reasoning),
    )


def as_json(value: object) -> str:
    return "hidden" if value is UNSET else encode(value).decode()


class Lines(ChatTurn):
    """Says each step as a line, and keeps what a client that does as it is told has."""

    def __init__(self, view: ChatView) -> None:
        super().__init__(view)
        self.has: dict[str, Any] = {}
        self.open: set[str] = set()

    def line(self, *words: object) -> None:
        said = " ".join([word if isinstance(word, str) else as_json(word) for word in words])
        self.write(f"{said}\n".encode())

    def started(self) -> None:
        self.line("start", self.view.run)

    def text_started(self, part: TextPart) -> None:
        assert part.id not in self.has
        self.has[part.id] = ""
        self.open.add(part.id)
        self.line(f"+{part.kind}", part.id)

    def text(self, part: TextPart, text: str) -> None:
        assert part.id in self.open
        self.has[part.id] += text
        assert self.has[part.id] == part.text
        self.line(part.kind, part.id, [text])

    def text_ended(self, part: TextPart) -> None:
        self.open.remove(part.id)
        self.line(f"-{part.kind}", part.id)

    reasoning_started, reasoning, reasoning_ended = text_started, text, text_ended

    def withdrawn(self, parts: Sequence[Part], reason: ResetReason) -> None:
        ids = [part.id for part in parts if not isinstance(part, ToolPart)]
        for id in ids:
            del self.has[id]
            self.open.discard(id)
        self.line("withdrawn", reason, *ids)
        standing = [part.id if not isinstance(part, ToolPart) else f"tool {part.call}" for part in self.shown]
        assert standing == list(self.has), "what stands is in the order in which it came"
        assert all(self.has[part.id] == part.text for part in self.shown if isinstance(part, TextPart))

    def tool_started(self, part: ToolPart) -> None:
        self.has[f"tool {part.call}"] = UNSET
        self.open.add(f"tool {part.call}")
        self.line("+tool", part.call, part.name, part.arguments)

    def tool_ended(self, part: ToolPart) -> None:
        self.has[f"tool {part.call}"] = part.error or part.result
        self.open.remove(f"tool {part.call}")
        self.line("-tool", part.call, part.error.message if part.error else part.result)

    def data(self, part: DataPart) -> None:
        self.has[part.id] = encode(part.value)
        self.line("data!" if part.final else "data", part.id, part.value)

    def status(self, message: str) -> None:
        self.line("status", message)

    def custom(self, name: str | None, value: Any) -> None:
        self.line("custom", name or "", value)

    def finished(self, usage: Mapping[str, Any]) -> None:
        self.line("finished", usage)

    def failed(self, error: Failure) -> None:
        self.line("failed", error.kind)

    def cancelled(self, error: Failure | None) -> None:
        self.line("cancelled", error.kind if error else "")


def event(made: Any, **members: Any) -> Event:
    return made(seq=0, at=0.0, **members)


START = event(RunStarted, run="r", program="P")


def call(id: str, name: str = "p", *, kind: str = "predictor", parent: str | None = None, **members: Any) -> Event:
    return event(CallStarted, call=id, name=name, kind=kind, parent=parent, **members)


def field(id: str, name: str = "answer", *, kind: str = "text", candidate: int = 0) -> Event:
    return event(FieldStarted, call=id, field=name, kind=kind, candidate=candidate)


def text(id: str, more: str, name: str = "answer", *, path: tuple[str | int, ...] = (), candidate: int = 0) -> Event:
    return event(FieldDelta, call=id, field=name, text=more, path=path, candidate=candidate)


def value(id: str, set_to: Any, name: str, *, path: tuple[str | int, ...] = (), candidate: int = 0) -> Event:
    return event(FieldDelta, call=id, field=name, value=set_to, path=path, candidate=candidate)


def reset(id: str, reason: str = "retry", name: str = "answer", *, path: tuple[str | int, ...] = ()) -> Event:
    return event(FieldReset, call=id, field=name, reason=reason, path=path)


def ended(id: str, name: str = "answer", *, candidate: int = 0) -> Event:
    return event(FieldEnded, call=id, field=name, candidate=candidate)


def thought(id: str, more: str) -> Event:
    return event(LmDelta, call=id, text=more, channel="reasoning")


def end(id: str, error: Failure | None = None, **fields: Any) -> Event:
    return event(CallEnded, call=id, seconds=0.0, fields=fields or None, error=error)


def chose(id: str, chosen: str | None) -> Event:
    return event(CallEnded, call=id, seconds=0.0, chosen=chosen)


def over(result: Any = UNSET, outcome: str = "completed", error: Failure | None = None, **members: Any) -> Event:
    return event(RunEnded, outcome=outcome, result=result, error=error, **members)
