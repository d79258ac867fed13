"""Status messages: who words them, and that they hold nobody up."""

import asyncio
import logging
from typing import Any

import dspy
import pytest

from fieldstream import StatusMessage, StatusMessageProvider, StreamListener, streamify
from tests.streamify.helpers import chat, gather, provided, read

CALLED = "Calling tool search..."
FINISHED = "Tool calling finished! Querying the LLM with tool calling results..."


def messages(values: list[Any]) -> list[str]:
    return [value.message for value in values if isinstance(value, StatusMessage)]


def search(query: str) -> str:
    """Search."""
    return f"found {query}"


class Searching(dspy.Module):
    def __init__(self) -> None:
        self.predict = dspy.Predict("question -> answer")
        self.tool = dspy.Tool(search)

    def forward(self, question: str) -> dspy.Prediction:
        self.tool(query=question)
        return self.predict(question=question)

    async def aforward(self, question: str) -> dspy.Prediction:
        await self.tool.acall(query=question)
        return await self.predict.acall(question=question)


class Everything(StatusMessageProvider):
    def tool_start_status_message(self, instance: Any, inputs: dict[str, Any]) -> str:
        return f"tool {instance.name} {inputs['kwargs']['query']}"

    def tool_end_status_message(self, outputs: Any) -> str:
        return f"tool: {outputs}"

    def module_start_status_message(self, instance: Any, inputs: dict[str, Any]) -> str:
        return f"module {type(instance).__name__} {inputs['kwargs']['question']}"

    def module_end_status_message(self, outputs: Any) -> str:
        return f"module: {outputs.answer}"

    def lm_start_status_message(self, instance: Any, inputs: dict[str, Any]) -> str:
        return f"lm {instance.model} {len(inputs['messages'])}"

    def lm_end_status_message(self, outputs: Any) -> str:
        return f"lm: {len(outputs)}"


@pytest.mark.parametrize("is_async", [False, True])
async def test_by_default_only_tools_speak(is_async: bool) -> None:
    with provided(chat(answer="x")):
        values = await gather(streamify(Searching(), is_async_program=is_async)(question="a"))
    assert messages(values) == [CALLED, FINISHED]


@pytest.mark.parametrize("is_async", [False, True])
async def test_a_provider_words_every_moment(is_async: bool) -> None:
    with provided(chat(answer="x")):
        wrapped = streamify(Searching(), Everything(), [StreamListener("answer")], is_async_program=is_async)
        values = await gather(wrapped(question="a"))
    assert messages(values) == [
        "module Searching a",
        "tool search a",
        "tool: found a",
        "module Predict a",
        "lm openai/sim 2",
        "lm: 1",
        "module: x",
        "module: x",
    ]


@pytest.mark.parametrize("is_async", [False, True])
async def test_coroutines_may_word_them(is_async: bool) -> None:
    class Provider(StatusMessageProvider):
        async def tool_start_status_message(self, instance: Any, inputs: dict[str, Any]) -> str:
            await asyncio.sleep(0)
            return f"about {instance.name}"

        async def module_end_status_message(self, outputs: Any) -> str:
            await asyncio.sleep(0)
            return "module over"

    with provided(chat(answer="x")):
        wrapped = streamify(Searching(), Provider(), is_async_program=is_async)
        values = await gather(wrapped(question="a"))
    assert sorted(messages(values)) == sorted(["about search", FINISHED, "module over", "module over"])
    assert isinstance(values[-1], dspy.Prediction), "what the program returned comes last"


async def test_a_method_is_given_what_it_names() -> None:
    seen: dict[str, Any] = {}

    class Provider(StatusMessageProvider):
        def tool_start_status_message(self, instance: Any, inputs: dict[str, Any], call_id: str = "") -> None:
            seen["start"] = call_id

        def tool_end_status_message(
            self, outputs: Any, call_id: str = "", instance: Any = None, exception: Any = ""
        ) -> None:
            seen["end"] = (call_id, instance.name, exception)

        def lm_start_status_message(self, *args: Any, **everything: Any) -> None:
            seen["lm"] = set(everything)

        def lm_end_status_message(self, outputs: Any, exception: Any = "", **rest: Any) -> None:
            seen["lm end"] = exception

    with provided(chat(answer="x")):
        values = await gather(streamify(Searching(), Provider())(question="a"))
    assert messages(values) == []
    assert seen["end"] == (seen["start"], "search", None)
    assert {"instance", "inputs", "call_id"} <= seen["lm"]
    assert seen["lm end"] is None


async def test_a_failing_tools_end_knows_its_exception() -> None:
    wrong = KeyError("x")

    def failing(query: str) -> str:
        raise wrong

    class Provider(StatusMessageProvider):
        def tool_end_status_message(self, outputs: Any, exception: BaseException | None = None) -> str:
            return f"failed: {exception!r}" if exception else "went well"

    stream = streamify(lambda: dspy.Tool(failing)(query="q"), Provider())()
    values: list[Any] = []
    with pytest.raises(KeyError) as caught:
        await read(stream, values)
    assert caught.value is wrong
    assert messages(values) == ["Calling tool failing...", "failed: KeyError('x')"]


@pytest.mark.parametrize("is_async", [False, True])
async def test_a_method_that_raises_loses_its_message_never_the_run(
    caplog: pytest.LogCaptureFixture, is_async: bool
) -> None:
    class Provider(StatusMessageProvider):
        def tool_start_status_message(self, instance: Any, inputs: dict[str, Any]) -> str:
            raise RuntimeError("no words")

        async def lm_start_status_message(self, instance: Any, inputs: dict[str, Any]) -> str:
            raise RuntimeError("no words either")

    with provided(chat(answer="x")), caplog.at_level(logging.WARNING, "fieldstream"):
        values = await gather(streamify(Searching(), Provider(), is_async_program=is_async)(question="a"))
    assert messages(values) == [FINISHED]
    assert values[-1].answer == "x"
    said = [record.getMessage() for record in caplog.records if record.name.startswith("fieldstream")]
    assert len(said) == 2
    assert all("no words" in each for each in said)


async def test_reacts_own_finish_is_silent() -> None:
    with provided(steps=1):
        react: Any = dspy.ReAct
        values = await gather(streamify(react("question -> answer", tools=[search]))(question="?"))
    assert messages(values) == [CALLED, FINISHED]


async def test_a_users_tool_that_returns_completed_or_is_named_finish_is_not() -> None:
    def completed() -> str:
        return "Completed."

    def finish() -> str:
        return "done"

    def program() -> None:
        dspy.Tool(completed)()
        dspy.Tool(finish)()

    values = await gather(streamify(program)())
    assert messages(values) == ["Calling tool completed...", FINISHED, "Calling tool finish...", FINISHED]


async def test_a_provider_belongs_to_its_wrapper() -> None:
    class Says(StatusMessageProvider):
        def __init__(self, word: str) -> None:
            self.word = word

        def tool_start_status_message(self, instance: Any, inputs: dict[str, Any]) -> str:
            return self.word

        def tool_end_status_message(self, outputs: Any) -> None:
            return None

    program = Searching()
    wrapped = [streamify(program, Says(word), is_async_program=True) for word in ("one", "two")]
    with provided():
        runs = await asyncio.gather(*(gather(wrapped[number % 2](question="?")) for number in range(6)))
    assert [messages(values) for values in runs] == [["one"], ["two"]] * 3


class TestBursts:
    """Nothing that is said waits for its reader, so no number of messages can stop the loop that both live in."""

    async def test_nine_tool_calls_in_a_burst(self) -> None:
        class Nine(dspy.Module):
            async def aforward(self) -> str:
                return "".join([await dspy.Tool(search).acall(query=str(number)) for number in range(9)])

        values = await asyncio.wait_for(gather(streamify(Nine(), is_async_program=True)()), 10)
        assert messages(values) == [CALLED, FINISHED] * 9

    async def test_concurrent_tools(self) -> None:
        arrived = asyncio.Event()

        async def one() -> str:
            arrived.set()
            return "1"

        async def two() -> str:
            await arrived.wait()
            return "2"

        class Concurrent(dspy.Module):
            async def aforward(self) -> Any:
                return await asyncio.gather(dspy.Tool(two).acall(), dspy.Tool(one).acall())

        values = await asyncio.wait_for(gather(streamify(Concurrent(), is_async_program=True)()), 10)
        assert values[-1] == ["2", "1"]
        assert sorted(messages(values)) == sorted(["Calling tool one...", "Calling tool two...", FINISHED, FINISHED])

    @pytest.mark.parametrize("is_async", [False, True])
    async def test_five_hundred_messages_before_anybody_reads(self, is_async: bool) -> None:
        done = asyncio.Event()
        loop = asyncio.get_running_loop()

        def numbered(number: int) -> int:
            return number

        class Many(dspy.Module):
            def forward(self) -> str:
                for number in range(250):
                    dspy.Tool(numbered)(number=number)
                loop.call_soon_threadsafe(done.set)
                return "over"

            async def aforward(self) -> str:
                return self.forward()

        stream = streamify(Many(), is_async_program=is_async)()
        first = await anext(stream)
        await asyncio.wait_for(done.wait(), 10)
        assert len(messages([first, *await gather(stream)])) == 500

    async def test_a_tool_after_chunks_with_a_fast_reader(self) -> None:
        class Program(dspy.Module):
            def __init__(self) -> None:
                self.predict = dspy.Predict("question -> answer")

            async def aforward(self, question: str) -> str:
                answer = (await self.predict.acall(question=question)).answer
                return await dspy.Tool(search).acall(query=answer)

        with provided(chat(answer="word " * 100)):
            values = await asyncio.wait_for(gather(streamify(Program(), is_async_program=True)(question="?")), 10)
        assert messages(values) == [CALLED, FINISHED]
