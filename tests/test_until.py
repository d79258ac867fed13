"""``Streamer(until=...)``: a run ends with its field, and so does the provider's request."""

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import dspy
import pytest
from pydantic import BaseModel

from fieldstream import Streamer, UnknownFieldError
from fieldstream.events import CallEnded, Event, RunEnded
from fieldstream.simulator import Answer, Provider, simulate
from tests.support.leftovers import DEADLINE, no_tasks_left, no_threads_left
from tests.support.order import check_order

WAYS = ("async", "sync", "thread")
ways = pytest.mark.parametrize("way", WAYS)


class Source(BaseModel):
    url: str
    year: int


class Research(dspy.Signature):
    question: str = dspy.InputField()
    reasoning: str = dspy.OutputField()
    sources: list[Source] = dspy.OutputField()
    answer: str = dspy.OutputField()


PARTS = {
    "chat": [
        "[[ ## reasoning ## ]]\nLight ",
        'scatters.\n\n[[ ## sources ## ]]\n[{"url": "a", "year": 1999}]\n\n[[ ##',
        " answer ## ]]\nBl",
        "ue.\n\n[[ ## completed ## ]]",
    ],
    "json": [
        '{"reasoning": "Light ',
        'scatters.", "sources": [{"url": "a", "year": 1999}',
        '], "answer": "Bl',
        'ue."}',
    ],
}
ADAPTERS: dict[str, type[dspy.Adapter]] = {"chat": dspy.ChatAdapter, "json": dspy.JSONAdapter}


@pytest.fixture
def provider() -> Iterator[Provider]:
    with simulate() as provider, no_threads_left():
        yield provider


def run_until(way: str, provider: Provider, program: Any, until: str, **inputs: Any) -> tuple[Any, list[Event]]:
    streamer = Streamer(program, until=until, mode="auto" if way == "sync" else way)  # pyright: ignore[reportArgumentType]
    inputs = inputs or {"question": "Why?"}

    async def in_loop() -> tuple[Any, list[Event]]:
        async with streamer(**inputs) as run:
            events = [event async for event in run]
            result = await run.wait()
        await no_tasks_left()
        return result, events

    if way == "sync":
        with streamer(**inputs) as run:
            events = list(run)
            result = run.wait()
    else:
        result, events = asyncio.run(in_loop())
    check_order(events)
    return result, events


def lm_of(provider: Provider) -> dspy.LM:
    return dspy.LM(provider.model, **provider.lm_kwargs, cache=False)


@ways
@pytest.mark.parametrize("adapter", ["chat", "json"])
def test_nothing_after_the_field_is_waited_for(way: str, adapter: str, provider: Provider) -> None:
    never = threading.Event()
    provider.script(Answer(chunks=PARTS[adapter], gates={3: never}))
    with dspy.context(lm=lm_of(provider), adapter=ADAPTERS[adapter]()):
        result, events = run_until(way, provider, dspy.Predict(Research), "sources")
    assert dict(result.items()) == {"reasoning": "Light scatters.", "sources": [Source(url="a", year=1999)]}
    end = events[-1]
    assert isinstance(end, RunEnded)
    assert (end.outcome, end.error) == ("completed", None)
    assert end.result == {"reasoning": "Light scatters.", "sources": [{"url": "a", "year": 1999}]}
    ends = {event.call: event for event in events if isinstance(event, CallEnded)}
    assert [end.error.kind if end.error else None for end in ends.values()] == ["stopped", None]
    assert ends["c1"].fields == end.result
    assert provider.requests[0].disconnected.wait(DEADLINE)
    assert len(provider.requests) == 1


def test_readers_get_what_the_result_holds(provider: Provider) -> None:
    never = threading.Event()
    provider.script(Answer(chunks=PARTS["chat"], gates={3: never}))
    with (
        dspy.context(lm=lm_of(provider), adapter=dspy.ChatAdapter()),
        Streamer(dspy.Predict(Research), until="sources")(question="Why?") as run,
    ):
        values = list(run.values("sources", typed=True))
        assert values[-1] is run.result.sources
        assert list(run.elements("sources")) == run.result.sources
        assert "".join(run.text("reasoning")) == run.result.reasoning
        assert "".join(run.text("answer")) == "Bl"


@ways
def test_the_last_field_is_whole_before_the_answer_ends(way: str, provider: Provider) -> None:
    never = threading.Event()
    provider.script(Answer(chunks=PARTS["json"], gates={4: never}))
    with dspy.context(lm=lm_of(provider), adapter=dspy.JSONAdapter()):
        result, _ = run_until(way, provider, dspy.Predict(Research), "answer")
    assert result.answer == "Blue."
    assert provider.requests[0].disconnected.wait(DEADLINE)


class Both(dspy.Module):
    """Asks twice, and would go on."""

    def __init__(self) -> None:
        super().__init__()
        self.first = dspy.Predict("question -> answer")
        self.second = dspy.Predict("question -> answer")
        self.went_on = False

    def forward(self, question: str) -> Any:
        self.first(question=question)
        self.second(question=question)
        self.went_on = True
        return self.first(question=question)


@ways
def test_the_field_of_one_predictor(way: str, provider: Provider) -> None:
    never = threading.Event()
    one = "[[ ## answer ## ]]\nOne.\n\n[[ ## completed ## ]]"
    provider.script(
        one, Answer(chunks=["[[ ## answer ## ]]\nTwo.\n\n[[ ## ", "completed ## ]]", "!"], gates={2: never})
    )
    program = Both()
    with dspy.context(lm=lm_of(provider), adapter=dspy.ChatAdapter()):
        result, _ = run_until("sync" if way == "async" else way, provider, program, "second/answer")
    assert result.answer == "Two."
    assert len(provider.requests) == 2
    assert not program.went_on


@ways
def test_what_comes_whole_ends_the_run_all_the_same(way: str, provider: Provider) -> None:
    class Whole(dspy.ChatAdapter):
        def parse(self, signature: Any, completion: str) -> dict[str, Any]:
            return super().parse(signature, completion)

    provider.script("[[ ## answer ## ]]\nBlue.\n\n[[ ## completed ## ]]")
    program = Both()
    with dspy.context(lm=lm_of(provider), adapter=Whole()):
        result, _ = run_until("sync" if way == "async" else way, provider, program, "first/answer")
    assert result.toDict() == {"answer": "Blue."}
    assert len(provider.requests) == 1


def test_a_run_that_never_has_the_field_ends_as_ever(provider: Provider) -> None:
    provider.script("[[ ## answer ## ]]\nBlue.\n\n[[ ## completed ## ]]")

    def ask(question: str) -> str:
        return dspy.Predict("question -> answer")(question=question).answer

    with dspy.context(lm=lm_of(provider), adapter=dspy.ChatAdapter()):
        result, events = run_until("sync", provider, ask, "nothing")
    assert result == "Blue."
    assert isinstance(events[-1], RunEnded)


def test_a_name_that_fits_nothing() -> None:
    with pytest.raises(UnknownFieldError, match="it has: self/answer"):
        Streamer(dspy.Predict("question -> answer"), until="anser")
