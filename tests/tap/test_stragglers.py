"""A call that outlives the one it belongs to: it ends with it, as abandoned, and is not heard any more."""

# DSPy's signatures are made at run time, and its keyword arguments are many.
# pyright: reportArgumentType=false, reportCallIssue=false, reportAttributeAccessIssue=false
# pyright: reportIncompatibleMethodOverride=false, reportReturnType=false, reportUnnecessaryComparison=false

import contextvars
import threading
from typing import Any, Literal

import dspy
import pytest
from tests.support.order import check_order
from tests.support.sameness import LITELLM_WARNS

import fieldstream
from fieldstream.events import CallEnded, Event, FieldDelta
from fieldstream.simulator import Answer, simulate

pytestmark = LITELLM_WARNS


class Leaving(dspy.Module):
    """Starts a thread, and does not wait for its end."""

    def __init__(self) -> None:
        super().__init__()
        self.ask = Asking()
        self.thread: threading.Thread | None = None
        self.heard = threading.Event()

    def forward(self, question: str) -> str:
        self.thread = threading.Thread(target=contextvars.copy_context().run, args=(self.work,))
        self.thread.start()
        assert self.heard.wait(10)
        return "left"

    def work(self) -> None:
        self.ask(question="?", heard=self.heard)


class Asking(dspy.Module):
    def __init__(self) -> None:
        super().__init__()
        self.predict = dspy.Predict("question -> answer")

    def forward(self, question: str, heard: threading.Event) -> Any:
        threading.Thread(target=heard.set).start()
        return self.predict(question=question)


class Going(dspy.Module):
    """Goes on after the straggler was left."""

    def __init__(self, until: threading.Event, go: threading.Event) -> None:
        super().__init__()
        self.leaving = Leaving()
        self.until = until
        self.go = go

    def forward(self, question: str) -> str:
        result = self.leaving(question=question)
        self.go.set()
        assert self.until.wait(10)
        assert self.leaving.thread is not None
        self.leaving.thread.join()
        fieldstream.emit("after")
        return result


@pytest.mark.parametrize("goes_on", [False, True])
@pytest.mark.parametrize("place", ["before", "within"])
def test_a_straggler(goes_on: bool, place: Literal["before", "within"]) -> None:
    gate = threading.Event()
    chunks = ["[[ ## answer ## ]]\n", "Too ", "late", ".", "\n\n[[ ## completed ## ]]"]
    with simulate([Answer(chunks=chunks, gates={0 if place == "before" else 3: gate})]) as provider:
        lm = dspy.LM(provider.model, **provider.lm_kwargs, cache=False)
        program: Any = Going(gate, gate) if goes_on else Leaving()
        leaving: Leaving = program.leaving if goes_on else program
        with dspy.context(lm=lm), fieldstream.stream(program, question="?") as run:
            events: list[Event] = list(run)
            assert run.result == "left"
        gate.set()
        assert leaving.thread is not None
        leaving.thread.join()
        assert list(run) == events, "what came later is not said"
    check_order(events)
    abandoned = [event for event in events if isinstance(event, CallEnded) and event.error is not None]
    assert {event.error.kind for event in abandoned if event.error is not None} == {"abandoned"}
    assert "".join(event.text or "" for event in events if isinstance(event, FieldDelta)) != "Too late."
