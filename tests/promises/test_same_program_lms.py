"""P2: whatever LM answers, and however: other engines, custom LMs, tools, several steps."""

# DSPy's signatures are made at run time, and its keyword arguments are many.
# pyright: reportArgumentType=false, reportCallIssue=false, reportAttributeAccessIssue=false
# pyright: reportIncompatibleMethodOverride=false, reportReturnType=false, reportUnnecessaryComparison=false

import json
import queue
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, Literal

import anyio
import dspy
import pytest
from dspy.utils.callback import BaseCallback
from dspy.utils.dummies import DummyLM
from tests.support.sameness import HAS_ENGINES, LITELLM_WARNS, WAYS, Way, chat, same, stream

import fieldstream
from fieldstream.events import Custom, FieldDelta, LmDelta
from fieldstream.simulator import Answer, ToolCall, simulate

pytestmark = [
    pytest.mark.parametrize("way", WAYS),
    pytest.mark.filterwarnings("ignore:Implementing custom LMs:DeprecationWarning"),
    *LITELLM_WARNS,
    pytest.mark.filterwarnings("ignore:Passing OpenAI-style message:DeprecationWarning"),
]

SKY = chat(answer="Because air scatters blue light the most.")


def qa() -> dspy.Module:
    return dspy.Predict("question -> answer")


# LiteLLM

LITELLM: dict[str, Any] = {"num_retries": 2, **({"engine": "litellm"} if HAS_ENGINES else {})}


def test_litellm_streams(way: Way) -> None:
    run = same(way, qa, [SKY], lm=LITELLM)
    assert len(run.texts("answer")) > 5


def test_litellm_with_reasoning(way: Way) -> None:
    same(way, qa, [Answer(SKY, reasoning="First I think about it.")], lm=LITELLM)


@pytest.mark.parametrize("tag", ["think", "thinking"])
def test_litellm_parts_thoughts_from_a_whole_answer(way: Way, tag: str) -> None:
    same(way, qa, [f"<{tag}>First I think about it.</{tag}>\n{SKY}"], lm=LITELLM)


@pytest.mark.parametrize("after", [0, 3, 9])
def test_litellm_drops(way: Way, after: int) -> None:
    run = same(way, qa, [SKY], provider={"drop": after, "fault_times": 1}, lm=LITELLM)
    assert len(run.requests) == 2
    assert run.resets() == ([("answer", "retry")] if after > 5 else [])


def test_litellm_logs_a_whole_answer(way: Way, monkeypatch: pytest.MonkeyPatch) -> None:
    import litellm  # Not above: imported before DSPy does it, it warns elsewhere in this process.
    from litellm.integrations.custom_logger import CustomLogger

    answers: queue.Queue[str] = queue.Queue()
    chunks: list[Any] = []

    class Log(CustomLogger):
        def log_success_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
            answers.put(response_obj.choices[0].message.content)

        def log_stream_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
            chunks.append(response_obj)

        async def async_log_stream_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
            chunks.append(response_obj)

    for name in ("success", "_async_success", "failure", "_async_failure", "input", "_async_input"):
        monkeypatch.setattr(litellm, f"{name}_callback", [], raising=False)  # where LiteLLM puts its `callbacks`, too
    monkeypatch.setattr(litellm, "callbacks", [Log()])
    same(way, qa, [SKY], lm=LITELLM)
    if way != "async":  # An asynchronous log may find its loop closed.
        assert [answers.get(timeout=10) for _ in range(2)] == [SKY, SKY]
    assert not chunks


@pytest.mark.parametrize("status", [500, 429])
def test_litellm_fails(way: Way, status: int) -> None:
    same(way, qa, [SKY], provider={"error": status, "retry_after": 0, "fault_times": 1}, lm=LITELLM)


@pytest.mark.parametrize("status", [400, 401, 404])
def test_litellm_refuses(way: Way, status: int) -> None:
    same(way, qa, [], provider={"error": status}, lm=LITELLM)


def test_litellm_used_up(way: Way) -> None:
    # Before 3.4, a plain call's retries are those of the OpenAI client times those of LiteLLM.
    same(way, qa, [SKY], provider={"drop": 9}, lm=LITELLM, wording=False, asked=HAS_ENGINES)


@pytest.mark.parametrize("after", [0, 9, 99])
def test_litellm_cut_off(way: Way, after: int) -> None:
    with simulate([SKY], truncate=after, fault_times=1) as provider:
        lm = dspy.LM(provider.model, **provider.lm_kwargs, cache=False, **LITELLM)
        run = stream(way, qa(), lm)
        assert run.result.answer == "Because air scatters blue light the most."
        assert len(provider.requests) == 2


def test_litellm_with_candidates(way: Way) -> None:
    run = same(
        way,
        lambda: dspy.Predict("question -> answer", n=2),
        [Answer(choices=[chat(answer="One of them."), chat(answer="The other.")])],
        lm=LITELLM,
    )
    assert {event.candidate for event in run.of(FieldDelta)} == {0, 1}
    assert run.calls("predictor")[0].whole == "lm"


def test_litellm_cached(way: Way) -> None:
    class Twice(dspy.Module):
        def __init__(self) -> None:
            super().__init__()
            dspy.cache.reset_memory_cache()
            self.predict = dspy.Predict("question -> answer")

        def forward(self, question: str) -> list[str]:
            return [self.predict(question=question).answer for _ in range(2)]

        async def aforward(self, question: str) -> list[str]:
            return [(await self.predict.acall(question=question)).answer for _ in range(2)]

    run = same(way, Twice, [SKY], lm={**LITELLM, "cache": True})
    assert [call.whole for call in run.calls("predictor")] == [None, "cached"]
    assert [run.ended(call.call).cached for call in run.calls("lm")] == [False, True]


# Custom LMs


def reply(text: str) -> Any:
    """As OpenAI's SDK gives it."""
    message = SimpleNamespace(content=text, tool_calls=None, reasoning_content=None)
    return SimpleNamespace(
        choices=[SimpleNamespace(message=message, finish_reason="stop", index=0)],
        usage={"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7},
        model="mine",
    )


def chunk(text: str) -> Any:
    return SimpleNamespace(choices=[SimpleNamespace(delta=SimpleNamespace(content=text), index=0, finish_reason=None)])


class Legacy(dspy.BaseLM):
    """Answers at once."""

    def __init__(self, text: str = SKY) -> None:
        super().__init__("mine", cache=False)
        self.text = text

    def forward(self, prompt: Any = None, messages: Any = None, **kwargs: Any) -> Any:
        return reply(self.text)

    async def aforward(self, prompt: Any = None, messages: Any = None, **kwargs: Any) -> Any:
        return reply(self.text)


class Sending(Legacy):
    """Sends its chunks where DSPy's documentation says to, if there is such a place."""

    def pieces(self) -> list[str]:
        return [self.text[at : at + 5] for at in range(0, len(self.text), 5)]

    def forward(self, prompt: Any = None, messages: Any = None, **kwargs: Any) -> Any:
        if (send_stream := dspy.settings.send_stream) is not None:
            for piece in self.pieces():
                anyio.from_thread.run(send_stream.send, chunk(piece))
        return reply(self.text)

    async def aforward(self, prompt: Any = None, messages: Any = None, **kwargs: Any) -> Any:
        if (send_stream := dspy.settings.send_stream) is not None:
            for piece in self.pieces():
                await send_stream.send(chunk(piece))
        return reply(self.text)


def test_dummy_lm(way: Way) -> None:
    run = same(way, qa, [], around=lambda: dspy.context(lm=DummyLM([{"answer": "blue"}])))
    assert run.result.answer == "blue"
    assert run.calls("predictor")[0].whole == "lm"
    assert run.texts("answer") == ["blue"]


def test_a_legacy_lm(way: Way) -> None:
    run = same(way, qa, [], around=lambda: dspy.context(lm=Legacy()))
    assert run.calls("predictor")[0].whole == "lm"
    assert not run.ended(run.calls("lm")[0].call).cached


def test_an_lm_that_sends(way: Way) -> None:
    run = same(way, qa, [], around=lambda: dspy.context(lm=Sending()))
    assert len(run.texts("answer")) > 5
    assert run.calls("predictor")[0].whole is None
    assert run.resets() == []


def test_an_lm_that_sends_something_else_than_it_answers(way: Way) -> None:
    class Confused(Sending):
        def pieces(self) -> list[str]:
            return ["[[ ## answer ## ]]\n", "Something else", "."]

    run = same(way, qa, [], around=lambda: dspy.context(lm=Confused()))
    assert run.resets() == [("answer", "repair")]


def test_an_lm_that_does_something_around_dspys_own(way: Way) -> None:
    class Around(dspy.LM):
        def forward(self, *args: Any, **kwargs: Any) -> Any:
            return super().forward(*args, **kwargs)

        async def aforward(self, *args: Any, **kwargs: Any) -> Any:
            return await super().aforward(*args, **kwargs)

    run = same(way, qa, [SKY], kind=Around, provider={"drop": 9, "fault_times": 1}, lm={"num_retries": 2})
    assert run.resets() == [("answer", "retry")]
    assert run.result.answer.startswith("Because")
    assert len(run.texts("answer")) > 5


def test_an_lm_that_asks_another(way: Way) -> None:
    class Asking(Legacy):
        def forward(self, prompt: Any = None, messages: Any = None, **kwargs: Any) -> Any:
            return reply(self.inner(messages=messages)[0])

        async def aforward(self, prompt: Any = None, messages: Any = None, **kwargs: Any) -> Any:
            return reply((await self.inner.acall(messages=messages))[0])

    def around() -> Any:
        lm = Asking()
        lm.inner = dspy.settings.lm
        return dspy.context(lm=lm)

    run = same(way, qa, [SKY], around=around)
    assert len(run.texts("answer")) > 5
    assert run.resets() == []


def test_an_lm_asked_directly(way: Way) -> None:
    class Direct(dspy.Module):
        def forward(self, question: str) -> Any:
            return dspy.settings.lm(question)

        async def aforward(self, question: str) -> Any:
            return await dspy.settings.lm.acall(question)

    run = same(way, Direct, ["Blue, as ever."])
    assert "".join(event.text for event in run.of(LmDelta)) == "Blue, as ever."
    assert len(run.of(LmDelta)) > 2


def test_forward_called_directly(way: Way) -> None:
    class Direct(dspy.Module):
        def forward(self, question: str) -> Any:
            return dspy.settings.lm.forward(question).choices[0].message.content

        async def aforward(self, question: str) -> Any:
            return (await dspy.settings.lm.aforward(question)).choices[0].message.content

    same(way, Direct, ["Blue, as ever."], tracked=False)


def test_a_typed_request(way: Way) -> None:
    if not HAS_ENGINES:
        return
    from dspy import lm15

    def request() -> Any:
        lm = dspy.settings.lm
        return lm15.Request(model=lm.model, messages=(lm15.Message.user("Why?"),))

    class Direct(dspy.Module):
        def forward(self, question: str) -> Any:
            return dspy.settings.lm(request()).text

        async def aforward(self, question: str) -> Any:
            return (await dspy.settings.lm.acall(request())).text

    run = same(way, Direct, ["Blue, as ever."])
    assert "".join(event.text for event in run.of(LmDelta)) == "Blue, as ever."


# Adapters of several steps, and of one's own


def test_two_steps(way: Way) -> None:
    def around() -> Any:
        return dspy.context(adapter=dspy.TwoStepAdapter(dspy.settings.lm))

    run = same(way, qa, ["The sky is blue because of the air.", chat(answer="Because of the air.")], around=around)
    draft, _ = run.calls("lm")
    assert {event.call for event in run.of(LmDelta)} == {draft.call}
    assert "".join(event.text for event in run.of(LmDelta)) == "The sky is blue because of the air."
    assert len(run.texts("answer")) > 2
    assert run.resets() == []


def test_baml(way: Way) -> None:
    from dspy.adapters.baml_adapter import BAMLAdapter

    run = same(way, qa, ['{"answer": "Because of the air."}'], around=lambda: dspy.context(adapter=BAMLAdapter()))
    assert len(run.texts("answer")) > 2


class Shouting(dspy.ChatAdapter):
    def parse(self, signature: Any, completion: str) -> dict[str, Any]:
        return {"answer": completion.upper()}


def test_an_adapter_that_nobody_knows(way: Way) -> None:
    run = same(way, qa, ["because of the air"], around=lambda: dspy.context(adapter=Shouting()))
    assert run.result.answer == "BECAUSE OF THE AIR"
    assert run.texts("answer") == ["BECAUSE OF THE AIR"]
    assert run.calls("predictor")[0].whole == "adapter"


def test_an_adapter_that_formats_in_its_own_way(way: Way) -> None:
    class Formatting(dspy.ChatAdapter):
        def format(self, signature: Any, demos: Any, inputs: Any) -> Any:
            return [*super().format(signature, demos, inputs), {"role": "user", "content": "Be short."}]

    run = same(way, qa, [SKY], around=lambda: dspy.context(adapter=Formatting()))
    assert len(run.texts("answer")) > 5
    assert run.resets() == []


# Tools


def weather(city: str) -> str:
    """The weather in a city."""
    return f"sunny in {city}"


@pytest.mark.parametrize("adapter", [dspy.JSONAdapter, dspy.ChatAdapter])
@pytest.mark.parametrize("engine", ["auto", "litellm"])
def test_native_tool_calls(way: Way, adapter: Callable[..., dspy.Adapter], engine: str) -> None:
    class Acting(dspy.Signature):
        question: str = dspy.InputField()
        tools: list[dspy.Tool] = dspy.InputField()
        calls: dspy.ToolCalls = dspy.OutputField()

    run = same(
        way,
        lambda: dspy.Predict(Acting),
        [Answer(tool_calls=[ToolCall("weather", {"city": "Paris"}), ToolCall("weather", {"city": "Rome"})])],
        lm={"engine": engine} if HAS_ENGINES else {},
        provider={"chunking": "chars"},
        around=lambda: dspy.context(adapter=adapter(use_native_function_calling=True)),
        question="Where does the sun shine?",
        tools=[dspy.Tool(weather)],
    )
    assert [call.args for call in run.result.calls.tool_calls] == [{"city": "Paris"}, {"city": "Rome"}]


def react_answers() -> list[str]:
    return [
        chat(next_thought="Look it up.", next_tool_name="weather", next_tool_args='{"city": "Paris"}'),
        chat(next_thought="It fails, then.", next_tool_name="fail", next_tool_args="{}"),
        chat(next_thought="Done.", next_tool_name="finish", next_tool_args="{}"),
        chat(reasoning="I looked.", answer="Sunny."),
    ]


def test_react(way: Way) -> None:
    def fail() -> str:
        raise ValueError("out of order")

    # DSPy's `with_callbacks` has two lines that call, one for where there are callbacks; a traceback shows which, to
    # the LM as well. With a callback, it is the same line in both.
    run = same(
        way,
        lambda: dspy.ReAct("question -> answer", tools=[weather, fail]),
        react_answers(),
        around=lambda: dspy.context(callbacks=[BaseCallback()]),
    )
    tools = run.calls("tool")
    assert [(tool.name, tool.arguments) for tool in tools] == [
        ("weather", {"city": "Paris"}),
        ("fail", {}),
        ("finish", {}),
    ]
    assert run.ended(tools[0].call).result == "sunny in Paris"
    assert run.ended(tools[1].call).error is not None
    assert [call.name for call in run.calls("predictor")] == ["react"] * 3 + ["extract.predict"]


def test_a_tool_that_fails_for_good(way: Way) -> None:
    error = RuntimeError("broken")

    def fail() -> str:
        raise error

    class Using(dspy.Module):
        def forward(self, question: str) -> Any:
            return dspy.Tool(fail)()

        async def aforward(self, question: str) -> Any:
            return await dspy.Tool(fail).acall()

    assert same(way, Using, []).error is error


# What the program says itself


class Emitting(dspy.Module):
    def __init__(self) -> None:
        super().__init__()
        self.predict = dspy.Predict("question -> answer")

        def tool(step: Literal["a", "b"]) -> str:
            """Says something on its way."""
            fieldstream.emit({"step": step}, name="progress")
            return step

        self.tool = dspy.Tool(tool)

    def forward(self, question: str) -> Any:
        fieldstream.emit("before")
        self.tool(step="a")
        return self.predict(question=question)

    async def aforward(self, question: str) -> Any:
        fieldstream.emit("before")
        await self.tool.acall(step="a")
        return await self.predict.acall(question=question)


def test_emit(way: Way) -> None:
    """Outside of a run, as in the plain call, it says nothing."""
    run = same(way, Emitting, [SKY])
    said = run.of(Custom)
    assert [(event.name, event.value) for event in said] == [(None, "before"), ("progress", {"step": "a"})]
    assert [event.call for event in said] == [run.calls("module")[0].call, run.calls("tool")[0].call]


def test_sending_to_the_stream(way: Way) -> None:
    class Object:
        def __str__(self) -> str:
            return "an object"

    class Saying(dspy.Module):
        def forward(self, question: str) -> Any:
            if (send_stream := dspy.settings.send_stream) is not None:
                for item in ("text", {"k": 1}, Object()):
                    anyio.from_thread.run(send_stream.send, item)
            return question

        async def aforward(self, question: str) -> Any:
            if (send_stream := dspy.settings.send_stream) is not None:
                for item in ("text", {"k": 1}, Object()):
                    await send_stream.send(item)
            return question

    assert [event.value for event in same(way, Saying, []).of(Custom)] == ["text", {"k": 1}, "an object"]


# Programs of DSPy that call programs


def test_best_of_n(way: Way) -> None:
    def reward(arguments: Any, prediction: Any) -> float:
        return float("blue" in prediction.answer)

    run = same(
        way,
        lambda: dspy.BestOfN(dspy.ChainOfThought("question -> answer"), N=3, reward_fn=reward, threshold=1.0),
        [chat(reasoning="No.", answer="red"), chat(reasoning="Yes.", answer="blue")],
    )
    if way == "async":
        assert isinstance(run.error, NotImplementedError | AttributeError), "BestOfN has no aforward"
        return
    assert run.result.answer == "blue"
    assert {call.name for call in run.calls("predictor")} == {"module.predict"}


def test_evaluate_within(way: Way) -> None:
    """What is called by DSPy's own callers that are no modules belongs to where they were called."""

    class Evaluating(dspy.Module):
        def __init__(self) -> None:
            super().__init__()
            self.predict = dspy.Predict("question -> answer")

        def forward(self, question: str) -> Any:
            devset = [dspy.Example(question=question, answer="x").with_inputs("question")]
            evaluate = dspy.Evaluate(devset=devset, metric=lambda *_: 1.0, num_threads=1, display_progress=False)
            return evaluate(self.predict).score

        async def aforward(self, question: str) -> Any:
            return self.forward(question)

    run = same(way, Evaluating, [SKY], tracked=False)
    assert [call.parent for call in run.calls("predictor")] == [run.calls("module")[0].call]


def test_json_schema_answers(way: Way) -> None:
    said = json.dumps({"answer": "Blue", "sources": [{"url": "a", "pages": [1, 2]}]})

    run = same(
        way,
        lambda: dspy.Predict("question -> answer, sources: list[dict[str, Any]]"),
        [said],
        around=lambda: dspy.context(adapter=dspy.JSONAdapter()),
    )
    assert run.result.sources[0]["pages"] == [1, 2]


# What it costs


@pytest.mark.parametrize("engine", ["auto", "litellm"])
def test_usage_and_cost_as_the_provider_reports_them(way: Way, engine: str) -> None:
    usage = {
        "prompt_tokens": 50,
        "completion_tokens": 9,
        "total_tokens": 59,
        "prompt_tokens_details": {"cached_tokens": 30},
        "completion_tokens_details": {"reasoning_tokens": 4},
    }
    run = same(
        way, qa, [Answer(SKY, usage=usage)], model="openai/gpt-4o-mini", lm={"engine": engine} if HAS_ENGINES else {}
    )
    assert run.history[0]["cost"] > 0
    assert run.run_usage["openai/gpt-4o-mini"]["prompt_tokens_details"]["cached_tokens"] == 30
