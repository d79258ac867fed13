"""LMs that are not DSPy's own: engines, typed LMs (before 3.4), and those that say themselves what they write."""

# DSPy's signatures are made at run time, and its keyword arguments are many.
# pyright: reportArgumentType=false, reportCallIssue=false, reportAttributeAccessIssue=false
# pyright: reportIncompatibleMethodOverride=false, reportGeneralTypeIssues=false

from collections.abc import AsyncIterator, Callable, Iterator
from types import SimpleNamespace
from typing import Any

import anyio
import dspy
import pytest
from dspy.utils.dummies import DummyLM

from fieldstream.events import LmDelta
from tests.programs.tree import tree
from tests.support.sameness import HAS_ENGINES, LITELLM_WARNS, WAYS, Streamed, Way, chat, same

pytestmark = [
    pytest.mark.parametrize("way", WAYS),
    # What DSPy will no longer take in 3.5, it takes until then.
    pytest.mark.filterwarnings("ignore:Implementing custom LMs through BaseLM:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Passing OpenAI-style message:DeprecationWarning"),
    *LITELLM_WARNS,
]

SKY = "Because air scatters blue light the most."
THOUGHT = "I look up."


def cot() -> dspy.Module:
    return dspy.ChainOfThought("question -> answer")


def run_with(way: Way, lm: Callable[[], Any], program: Callable[[], Any] = cot) -> Streamed:
    return same(way, program, [], around=lambda: dspy.context(lm=lm()))


def pieces(text: str) -> list[str]:
    return [text[at : at + 7] for at in range(0, len(text), 7)]


def chunk(text: str) -> Any:
    return SimpleNamespace(choices=[SimpleNamespace(delta=SimpleNamespace(content=text), index=0, finish_reason=None)])


# Engines (3.4 and later)


class Complete:
    """An engine with no more than DSPy asks for: it answers a request."""

    def __init__(self) -> None:
        self.requests: list[Any] = []

    def complete(self, request: Any) -> Any:
        from dspy import lm15

        self.requests.append(request)
        message = lm15.Message.assistant([lm15.TextPart(chat(reasoning=THOUGHT, answer=SKY))])
        return lm15.Response(id=None, model="mine", message=message, finish_reason="stop", usage=usage())


class Unsupporting(Complete):
    """One that says that it cannot stream."""

    def stream(self, request: Any) -> Iterator[Any]:
        from dspy import lm15

        raise lm15.UnsupportedFeatureError("no streams here")


class Streaming(Complete):
    """One that streams, as well."""

    def stream(self, request: Any) -> Iterator[Any]:
        from dspy import lm15

        yield lm15.StreamStartEvent(id=None, model="mine")
        for piece in pieces(chat(reasoning=THOUGHT, answer=SKY)):
            yield lm15.StreamDeltaEvent(delta=lm15.TextDelta(text=piece, part_index=0))
        yield lm15.StreamEndEvent(finish_reason="stop", usage=usage())


class Awaited:
    """An engine for programs that are awaited."""

    def __init__(self, engine: Any) -> None:
        self.engine = engine

    async def complete(self, request: Any) -> Any:
        return self.engine.complete(request)


class AwaitedStreaming(Awaited):
    async def stream(self, request: Any) -> AsyncIterator[Any]:
        for event in self.engine.stream(request):
            yield event


def usage() -> Any:
    from dspy import lm15

    return lm15.Usage(input_tokens=3, output_tokens=4, total_tokens=7)


def lm_of(engine: Callable[[], Any], awaited: type[Awaited]) -> Callable[[], Any]:
    return lambda: dspy.LM("mine", engine=engine(), async_engine=awaited(engine()), cache=False)


@pytest.mark.dspy(">=3.4")
def test_an_engine_that_does_not_stream(way: Way) -> None:
    run = run_with(way, lm_of(Complete, Awaited))
    assert run.result.answer == SKY
    assert run.calls("predictor")[0].whole == "lm"
    assert run.texts("answer") == [SKY]
    assert run.ended(run.calls("lm")[0].call).usage


@pytest.mark.dspy(">=3.4")
def test_an_engine_that_says_it_cannot_stream(way: Way) -> None:
    """It is asked for a whole answer then, once."""
    engines: list[Complete] = []

    def engine() -> Complete:
        engines.append(Unsupporting())
        return engines[-1]

    run = run_with(way, lm_of(engine, AwaitedStreaming))
    assert run.texts("answer") == [SKY]
    assert [len(each.requests) for each in engines if each.requests] == [1, 1]  # called, and streamed


@pytest.mark.dspy(">=3.4")
def test_an_engine_that_streams(way: Way) -> None:
    run = run_with(way, lm_of(Streaming, AwaitedStreaming))
    assert run.result.answer == SKY
    assert run.calls("predictor")[0].whole is None
    assert len(run.texts("answer")) > 3
    assert "".join(run.texts("answer")) == SKY
    assert run.resets() == []


@pytest.mark.dspy(">=3.4")
def test_an_engine_that_fails(way: Way) -> None:
    class Failing(Complete):
        def complete(self, request: Any) -> Any:
            raise RuntimeError("no engine")

    run = run_with(way, lm_of(Failing, Awaited))
    assert "no engine" in str(run.error)
    assert run.ended(run.calls("lm")[0].call).error is not None


@pytest.mark.dspy(">=3.4")
def test_a_request_to_an_engine(way: Way) -> None:
    """An LM is asked with a request, and gives a response."""
    from dspy import lm15

    def request() -> Any:
        return lm15.Request(model="mine", messages=(lm15.Message.user("Why?"),))

    class Direct(dspy.Module):
        def forward(self, question: str) -> Any:
            return dspy.settings.lm(request()).text

        async def aforward(self, question: str) -> Any:
            return (await dspy.settings.lm.acall(request())).text

    run = run_with(way, lm_of(Streaming, AwaitedStreaming), Direct)
    assert tree(run.events) == ["module Direct", "  lm mine"]
    assert "".join(event.text for event in run.of(LmDelta)) == run.result
    assert len(run.of(LmDelta)) > 3


# LMs by `forward`


class Legacy(dspy.BaseLM):
    """Answers at once, in the JSON of OpenAI's API."""

    def __init__(self) -> None:
        super().__init__("mine", cache=False)

    def forward(self, prompt: Any = None, messages: Any = None, **kwargs: Any) -> Any:
        message = {"role": "assistant", "content": chat(reasoning=THOUGHT, answer=SKY)}
        return {
            "id": "1",
            "object": "chat.completion",
            "model": "mine",
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7},
        }

    async def aforward(self, prompt: Any = None, messages: Any = None, **kwargs: Any) -> Any:
        return self.forward(prompt, messages, **kwargs)


@pytest.mark.dspy(">=3.4")
def test_a_request_to_an_lm_of_the_old_kind(way: Way) -> None:
    """DSPy makes an engine of it."""
    from dspy import lm15

    def request() -> Any:
        return lm15.Request(model="mine", messages=(lm15.Message.user("Why?"),))

    class Direct(dspy.Module):
        def forward(self, question: str) -> Any:
            return dspy.settings.lm(request()).text

        async def aforward(self, question: str) -> Any:
            return (await dspy.settings.lm.acall(request())).text

    run = run_with(way, Legacy, Direct)
    assert run.result == chat(reasoning=THOUGHT, answer=SKY)
    assert "".join(event.text for event in run.of(LmDelta)) == run.result


def typed(*, sends: bool) -> Callable[[], Any]:
    """An LM that takes a request and gives a response, as before 3.4; perhaps it says what it writes as it goes."""
    text = chat(reasoning=THOUGHT, answer=SKY)

    class Typed(dspy.BaseLM):
        forward_contract = "typed_lm"

        def forward(self, request: Any) -> Any:
            if sends and (send_stream := dspy.settings.send_stream) is not None:
                for piece in pieces(text):
                    anyio.from_thread.run(send_stream.send, chunk(piece))
            return dspy.LMResponse.from_text(text, model=request.model)

        async def aforward(self, request: Any) -> Any:
            if sends and (send_stream := dspy.settings.send_stream) is not None:
                for piece in pieces(text):
                    await send_stream.send(chunk(piece))
            return dspy.LMResponse.from_text(text, model=request.model)

    return lambda: Typed("mine", cache=False)


@pytest.mark.dspy("<3.4")
def test_a_typed_lm(way: Way) -> None:
    run = run_with(way, typed(sends=False))
    assert run.result.answer == SKY
    assert run.calls("predictor")[0].whole == "lm"
    assert run.texts("answer") == [SKY]


@pytest.mark.dspy("<3.4")
def test_a_typed_lm_that_sends(way: Way) -> None:
    run = run_with(way, typed(sends=True))
    assert run.result.answer == SKY
    assert run.calls("predictor")[0].whole is None
    assert len(run.texts("answer")) > 3
    assert run.resets() == []


# `DummyLM`


def dummy(**options: Any) -> Callable[[], Any]:
    return lambda: DummyLM([{"reasoning": THOUGHT, "answer": SKY}, {"reasoning": "So.", "answer": "Green."}], **options)


def test_a_dummys_answers_come_in_their_order(way: Way) -> None:
    class Twice(dspy.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cot = cot()

        def forward(self, question: str) -> Any:
            return [self.cot(question=question).answer for _ in range(3)]

        async def aforward(self, question: str) -> Any:
            return [(await self.cot.acall(question=question)).answer for _ in range(3)]

    run = run_with(way, dummy(), Twice)
    if run.error is None:  # Its last words have no format; what DSPy makes of that is its own.
        assert run.result[:2] == [SKY, "Green."]
    assert [run.ended(call.call).error for call in run.calls("predictor")][:2] == [None, None]
    assert run.texts("answer")[:2] == [SKY, "Green."]


@pytest.mark.parametrize("adapter", [dspy.ChatAdapter, dspy.JSONAdapter])
def test_a_dummy_in_an_adapters_format(way: Way, adapter: Any) -> None:
    run = same(way, cot, [], around=lambda: dspy.context(lm=dummy(adapter=adapter())(), adapter=adapter()))
    assert run.result.answer == SKY
    assert run.texts("answer") == [SKY]


def test_a_dummy_that_knows_the_question(way: Way) -> None:
    answers = {"blue": {"reasoning": THOUGHT, "answer": SKY}}
    run = run_with(way, lambda: DummyLM(answers))
    assert run.result.answer == SKY


def test_a_dummy_that_thinks(way: Way) -> None:
    run = run_with(way, dummy(reasoning=True))
    assert run.result.answer == SKY
    if HAS_ENGINES:
        assert "Some reasoning" in [event.text for event in run.of(LmDelta)]
