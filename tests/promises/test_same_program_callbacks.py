"""P2: callbacks, settings, history and exceptions are those of the plain call."""

# DSPy's signatures are made at run time, and its keyword arguments are many.
# pyright: reportArgumentType=false, reportCallIssue=false, reportAttributeAccessIssue=false
# pyright: reportIncompatibleMethodOverride=false, reportReturnType=false, reportUnnecessaryComparison=false

import asyncio
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any

import dspy
import pytest
from dspy.utils.callback import BaseCallback
from tests.support.order import check_order
from tests.support.sameness import LITELLM_WARNS, WAYS, Streamed, Way, chat, same

import fieldstream
from fieldstream.events import CallEnded, FieldDelta, RunEnded
from fieldstream.simulator import Answer, ChatRequest, simulate

pytestmark = [pytest.mark.parametrize("way", WAYS), *LITELLM_WARNS]

SKY = chat(answer="Because air scatters blue light the most.")


class Listening(BaseCallback):
    """Notes each of its calls."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def on_module_start(self, call_id: str, instance: Any, inputs: dict[str, Any]) -> None:
        self.heard.append(f"module_start {type(instance).__name__} {sorted(inputs)}")

    def on_module_end(self, call_id: str, outputs: Any, exception: BaseException | None = None) -> None:
        self.heard.append(f"module_end {outputs} {type(exception).__name__}")

    def on_lm_start(self, call_id: str, instance: Any, inputs: dict[str, Any]) -> None:
        self.heard.append(f"lm_start {sorted(inputs)} {dspy.settings.callbacks == [self]}")

    def on_lm_end(self, call_id: str, outputs: Any, exception: BaseException | None = None) -> None:
        self.heard.append(f"lm_end {outputs} {type(exception).__name__}")

    def on_adapter_format_start(self, call_id: str, instance: Any, inputs: dict[str, Any]) -> None:
        self.heard.append(f"format_start {sorted(inputs)}")

    def on_adapter_parse_end(self, call_id: str, outputs: Any, exception: BaseException | None = None) -> None:
        self.heard.append(f"parse_end {outputs} {type(exception).__name__}")

    def on_tool_start(self, call_id: str, instance: Any, inputs: dict[str, Any]) -> None:
        self.heard.append(f"tool_start {instance.name} {inputs}")

    def on_tool_end(self, call_id: str, outputs: Any, exception: BaseException | None = None) -> None:
        self.heard.append(f"tool_end {outputs} {type(exception).__name__}")


class Changing(dspy.Module):
    """Asks under settings of its own."""

    def __init__(self, **settings: Any) -> None:
        super().__init__()
        self.predict = dspy.Predict("question -> answer")
        self.settings = settings

    def around(self) -> AbstractContextManager[None]:
        return dspy.context(**self.settings)

    def forward(self, question: str) -> dspy.Prediction:
        with self.around():
            return self.predict(question=question)

    async def aforward(self, question: str) -> dspy.Prediction:
        with self.around():
            return await self.predict.acall(question=question)


def check_streamed(run: Streamed) -> None:
    assert len(run.of(FieldDelta)) > 5
    assert len(run.calls("predictor")) == len(run.calls("lm")) == 1


# Callbacks


def test_callbacks_around(way: Way) -> None:
    listening: list[Listening] = []

    def around() -> AbstractContextManager[None]:
        listening.append(Listening())
        return dspy.context(callbacks=[listening[-1]])

    run = same(way, lambda: dspy.Predict("question -> answer"), [SKY], around=around)
    check_streamed(run)
    plainly, streamed = (each.heard for each in listening)
    assert streamed == plainly
    assert len(streamed) == 6


def test_callbacks_within(way: Way) -> None:
    listening: list[Listening] = []

    def program() -> Changing:
        listening.append(Listening())
        return Changing(callbacks=[listening[-1]])

    check_streamed(same(way, program, [SKY]))
    plainly, streamed = (each.heard for each in listening)
    assert streamed == plainly
    assert len(streamed) == 6


def test_callbacks_of_a_module(way: Way) -> None:
    listening: list[Listening] = []

    def program() -> dspy.Module:
        listening.append(Listening())
        return dspy.Predict("question -> answer", callbacks=[listening[-1]])

    check_streamed(same(way, program, [SKY]))
    plainly, streamed = (each.heard for each in listening)
    assert streamed == plainly
    assert len(streamed) == 2


def test_a_callback_that_adds_to_those_it_finds(way: Way) -> None:
    class Adding(Changing):
        def around(self) -> AbstractContextManager[None]:
            return dspy.context(callbacks=[*dspy.settings.get("callbacks", []), *self.settings["callbacks"]])

    listening: list[Listening] = []

    def program() -> Changing:
        listening.append(Listening())
        return Adding(callbacks=[listening[-1]])

    check_streamed(same(way, program, [SKY]))
    assert listening[1].heard == listening[0].heard


def test_a_callback_that_fails(way: Way) -> None:
    class Failing(BaseCallback):
        def on_lm_start(self, call_id: str, instance: Any, inputs: dict[str, Any]) -> None:
            raise ValueError("not mine")

    check_streamed(same(way, lambda: Changing(callbacks=[Failing()]), [SKY]))


# Settings


@pytest.mark.parametrize("adapter", [dspy.JSONAdapter, dspy.XMLAdapter, dspy.ChatAdapter])
def test_an_adapter_within(way: Way, adapter: type[dspy.Adapter]) -> None:
    said = {
        dspy.JSONAdapter: '{"answer": "Because air scatters blue light the most."}',
        dspy.XMLAdapter: "<answer>Because air scatters blue light the most.</answer>",
        dspy.ChatAdapter: SKY,
    }[adapter]
    check_streamed(same(way, lambda: Changing(adapter=adapter()), [said]))


def test_an_lm_within(way: Way) -> None:
    with simulate([SKY, SKY]) as other:
        run = same(way, lambda: Changing(lm=dspy.LM(other.model, **other.lm_kwargs, cache=False)), [])
        assert len(other.requests) == 2
    check_streamed(run)


def test_no_history(way: Way) -> None:
    run = same(way, lambda: Changing(disable_history=True), [SKY])
    assert run.history == []


def test_usage_of_the_prediction(way: Way) -> None:
    counting = {"track_usage": True, "usage_tracker": None}
    run = same(way, Changing, [SKY], around=lambda: dspy.context(**counting), tracked=False)
    assert run.result.get_lm_usage() == run.run_usage


def test_usage_with_a_tracker_of_the_program(way: Way) -> None:
    class Counting(Changing):
        def forward(self, question: str) -> Any:
            with dspy.track_usage() as tracker:
                self.predict(question=question)
            return tracker.get_total_tokens()

        async def aforward(self, question: str) -> Any:
            with dspy.track_usage() as tracker:
                await self.predict.acall(question=question)
            return tracker.get_total_tokens()

    run = same(way, Counting, [SKY], tracked=False)
    assert run.result == run.run_usage


def test_histories_of_modules_and_traces(way: Way) -> None:
    class Looking(Changing):
        def forward(self, question: str) -> Any:
            with dspy.context(trace=[]):
                self.predict(question=question)
                return len(dspy.settings.trace), len(self.history), len(self.predict.history)

        async def aforward(self, question: str) -> Any:
            with dspy.context(trace=[]):
                await self.predict.acall(question=question)
                return len(dspy.settings.trace), len(self.history), len(self.predict.history)

    assert same(way, Looking, [SKY]).result == (1, 1, 1)


# What the program returns and raises


class Mine(Exception):
    pass


class Raising(dspy.Module):
    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.predict = dspy.Predict("question -> answer")
        self.error = error

    def forward(self, question: str) -> Any:
        self.predict(question=question)
        raise self.error

    async def aforward(self, question: str) -> Any:
        await self.predict.acall(question=question)
        raise self.error


@pytest.mark.parametrize("error", [Mine("here"), ValueError(), KeyError("k")])
def test_the_very_exception_of_the_program(way: Way, error: BaseException) -> None:
    assert same(way, lambda: Raising(error), [SKY]).error is error


@pytest.mark.parametrize("error", [StopIteration("odd"), SystemExit(3)])
def test_an_exception_that_no_coroutine_raises(way: Way, error: BaseException) -> None:
    called = "sync" if way == "async" else way
    assert same(called, lambda: Raising(error), [SKY]).error is error


@pytest.mark.parametrize("result", [None, "text", 3, ["a"], {"k": 1}, object])
def test_a_program_that_returns_something_else(way: Way, result: Any) -> None:
    class Returning(dspy.Module):
        def forward(self, question: str) -> Any:
            return result

        async def aforward(self, question: str) -> Any:
            return result

    assert same(way, Returning, []).result is result


def test_a_program_that_makes_its_own_prediction(way: Way) -> None:
    class Making(Changing):
        def forward(self, question: str) -> dspy.Prediction:
            return dspy.Prediction(said=self.predict(question=question).answer.upper(), more=[1, 2])

        async def aforward(self, question: str) -> dspy.Prediction:
            return dspy.Prediction(said=(await self.predict.acall(question=question)).answer.upper(), more=[1, 2])

    assert same(way, Making, [SKY]).result.more == [1, 2]


def test_a_function(way: Way) -> None:
    predict = dspy.Predict("question -> answer")

    def ask(question: str) -> str:
        return predict(question=question).answer

    async def aask(question: str) -> str:
        return (await predict.acall(question=question)).answer

    run = same(way, lambda: aask if way == "async" else ask, [SKY])
    assert len(run.of(FieldDelta)) > 5


def test_a_program_that_catches(way: Way) -> None:
    class Catching(Changing):
        def forward(self, question: str) -> str:
            try:
                self.predict(question=question)
            except dspy.LMError as error:
                return type(error).__name__
            return "?"

        async def aforward(self, question: str) -> str:
            try:
                await self.predict.acall(question=question)
            except dspy.LMError as error:
                return type(error).__name__
            return "?"

    run = same(way, Catching, [], provider={"error": 401})
    failed = [event for event in run.of(CallEnded) if event.error is not None]
    assert [event.error.kind for event in failed] == [run.result] * 2


def test_a_timeout_of_the_program(way: Way) -> None:
    asked, never = threading.Event(), threading.Event()

    def answer(request: ChatRequest) -> Answer:
        asked.set()
        return Answer(SKY, gates={0: never})

    class Hurried(Changing):
        async def aforward(self, question: str) -> str:
            call = asyncio.ensure_future(self.predict.acall(question=question))
            await asyncio.to_thread(asked.wait)
            asked.clear()
            try:
                async with asyncio.timeout(0.05):
                    await call
            except TimeoutError:
                return "too slow"
            return "in time"

        def forward(self, question: str) -> str:
            return asyncio.run(self.aforward(question))

    run = same(way, Hurried, answer)
    assert run.result == "too slow"


# Where the settings are taken


@pytest.fixture
def _configured() -> Iterator[None]:
    before = dspy.settings.lm
    yield
    dspy.configure(lm=before)


def run_of(way: Way, stream: fieldstream.Stream) -> list[Any]:
    async def read() -> list[Any]:
        async with stream as run:
            return [event async for event in run]

    if way == "sync":
        with stream as run:
            events = list(run)
    else:
        events = asyncio.run(read())
    check_order(events)
    return events


@pytest.mark.usefixtures("_configured")
def test_configured_after_the_call_and_before_it_begins(way: Way) -> None:
    with simulate([SKY]) as provider:
        dspy.configure(lm=None)
        stream = fieldstream.stream(dspy.Predict("question -> answer"), question="Why?")
        dspy.configure(lm=dspy.LM(provider.model, **provider.lm_kwargs, cache=False))
        assert run_of(way, stream)[-1].outcome == "completed"


def test_the_context_is_that_of_the_call(way: Way) -> None:
    with simulate([SKY]) as provider:
        with dspy.context(lm=dspy.LM(provider.model, **provider.lm_kwargs, cache=False)):
            watch = fieldstream.Streamer(dspy.Predict("question -> answer"))
            stream = watch(question="Why?")
        assert run_of(way, stream)[-1].outcome == "completed"
        end = run_of(way, watch(question="Why?"))[-1]
        assert isinstance(end, RunEnded)
        assert end.outcome == "failed"
        assert end.error is not None
        assert "No LM is loaded" in end.error.message
