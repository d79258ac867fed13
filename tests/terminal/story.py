"""Runs made of events, for tests: a story tells itself in the order in which it is written."""

import itertools
from typing import Any

from fieldstream.events import (
    UNSET,
    CallEnded,
    CallStarted,
    Custom,
    Event,
    Failure,
    FieldDelta,
    FieldEnded,
    FieldReset,
    FieldStarted,
    LmDelta,
    RunEnded,
    RunStarted,
    Status,
)


class Story:
    """The events of a run. Each comes a tenth of a second after the one before."""

    def __init__(self, program: str = "QA") -> None:
        self.events: list[Event] = []
        self._seq = itertools.count()
        self._begun: dict[str, float] = {}
        self._add(RunStarted, run="r1", program=program)

    def _add(self, made: Any, /, **members: Any) -> "Story":
        seq = next(self._seq)
        self.events.append(made(seq=seq, at=round(seq / 10, 1), **members))
        return self

    def call(self, id: str, kind: str, name: str, parent: str | None = None, **members: Any) -> "Story":
        self._add(CallStarted, call=id, kind=kind, name=name, parent=parent, **members)
        self._begun[id] = self.events[-1].at
        return self

    def end(self, id: str, error: tuple[str, str] | None = None, **members: Any) -> "Story":
        failure = Failure(kind=error[0], message=error[1]) if error else None
        self._add(CallEnded, call=id, seconds=0.0, error=failure, **members)
        event = self.events.pop()
        assert isinstance(event, CallEnded)
        self.events.append(
            CallEnded(seq=event.seq, at=event.at, call=id, seconds=event.at - self._begun[id], error=failure, **members)
        )
        return self

    def open(self, id: str, field: str, kind: str = "text", candidate: int = 0) -> "Story":
        return self._add(FieldStarted, call=id, field=field, kind=kind, candidate=candidate)

    def text(self, id: str, field: str, *pieces: str, path: tuple[str | int, ...] = (), candidate: int = 0) -> "Story":
        for piece in pieces:
            self._add(FieldDelta, call=id, field=field, text=piece, path=path, candidate=candidate)
        return self

    def value(self, id: str, field: str, value: Any, *path: str | int) -> "Story":
        return self._add(FieldDelta, call=id, field=field, value=value, path=path)

    def reset(self, id: str, field: str, reason: str, *path: str | int) -> "Story":
        return self._add(FieldReset, call=id, field=field, reason=reason, path=path)

    def close(self, id: str, *fields: str) -> "Story":
        for field in fields:
            self._add(FieldEnded, call=id, field=field)
        return self

    def wrote(self, id: str, field: str, *pieces: str) -> "Story":
        """A text field from its beginning to its end."""
        return self.open(id, field).text(id, field, *pieces).close(id, field)

    def lm_text(self, id: str, text: str, channel: str = "text") -> "Story":
        return self._add(LmDelta, call=id, text=text, channel=channel)

    def status(self, message: str, id: str | None = None) -> "Story":
        return self._add(Status, message=message, call=id)

    def custom(self, value: Any, name: str | None = None, id: str | None = None) -> "Story":
        return self._add(Custom, value=value, name=name, call=id)

    def completed(self, result: Any = UNSET, usage: dict[str, Any] | None = None) -> "Story":
        return self._add(RunEnded, outcome="completed", result=result, usage=usage or {})

    def failed(self, kind: str, message: str) -> "Story":
        return self._add(RunEnded, outcome="failed", error=Failure(kind=kind, message=message))

    def cancelled(self) -> "Story":
        return self._add(
            RunEnded, outcome="cancelled", error=Failure(kind="cancelled", message="the run was cancelled")
        )


USAGE = {"prompt_tokens": 1204, "completion_tokens": 87}


def qa() -> Story:
    """A predictor in a module: two fields, and an LM's call."""
    return (
        Story()
        .call("c1", "module", "QA")
        .call("c2", "predictor", "predict", "c1")
        .call("c3", "lm", "openai/sim", "c2")
        .wrote("c2", "reasoning", "Light ", "scatters.")
        .wrote("c2", "answer", "Blue", "!")
        .end("c3", usage=USAGE)
        .end("c2", fields={"reasoning": "Light scatters.", "answer": "Blue!"})
        .end("c1")
        .completed({"reasoning": "Light scatters.", "answer": "Blue!"}, {"openai/sim": USAGE})
    )


def agent() -> Story:
    """A tool between two calls of predictors, messages, and a call that is tried twice."""
    return (
        Story("Agent")
        .call("c1", "module", "Agent")
        .call("c2", "predictor", "plan", "c1")
        .call("c3", "lm", "openai/sim", "c2")
        .open("c2", "steps", "data")
        .value("c2", "steps", [])
        .text("c2", "steps", "look ", "up", path=(0,))
        .end("c3", ("RateLimitError", "slow down"))
        .reset("c2", "steps", "retry")
        .call("c4", "lm", "openai/sim", "c2")
        .value("c2", "steps", [])
        .text("c2", "steps", "search", path=(0,))
        .close("c2", "steps")
        .end("c4")
        .end("c2", fields={"steps": ["search"]})
        .custom({"done": 1}, "progress")
        .call("c5", "tool", "search", "c1", arguments={"query": "tides", "limit": 3})
        .status("Looking …", "c5")
        .end("c5", result=["moon"])
        .call("c6", "predictor", "answer", "c1")
        .wrote("c6", "answer", "The moon.")
        .end("c6", fields={"answer": "The moon."})
        .end("c1")
        .completed({"answer": "The moon."})
    )


def at_once() -> Story:
    """Two predictors that write at the same time."""
    return (
        Story("Pair")
        .call("c1", "module", "Pair")
        .call("c2", "predictor", "left", "c1")
        .call("c3", "predictor", "right", "c1")
        .open("c2", "answer")
        .open("c3", "answer")
        .text("c2", "answer", "one ")
        .text("c3", "answer", "uno ")
        .text("c2", "answer", "two")
        .text("c3", "answer", "due")
        .close("c3", "answer")
        .end("c3", fields={"answer": "uno due"})
        .close("c2", "answer")
        .end("c2", fields={"answer": "one two"})
        .end("c1")
        .completed(["one two", "uno due"])
    )
