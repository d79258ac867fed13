"""What programs, tools and custom LMs say themselves passes through as it is, in its place."""

from typing import Any

import anyio
import dspy
import pytest

import fieldstream
from fieldstream import StreamListener, streamify
from tests.streamify.helpers import chat, gather, provided, responses, text


class Thing:
    """A value of the program's own."""


def send(value: object) -> None:
    anyio.from_thread.run(dspy.settings.send_stream.send, value)


LISTENERS: list[Any] = [None, [StreamListener("answer")]]


@pytest.mark.parametrize("listeners", LISTENERS, ids=["no listener", "a listener"])
async def test_from_a_synchronous_program_and_its_tools(listeners: Any) -> None:
    things = [Thing(), {"a": 1}, "text", None, 7]

    def tool() -> str:
        send(things[1])
        return "done"

    class Program(dspy.Module):
        def __init__(self) -> None:
            self.predict = dspy.Predict("question -> answer")

        def forward(self, question: str) -> str:
            send(things[0])
            dspy.Tool(tool)()
            self.predict(question=question)
            for thing in things[2:]:
                send(thing)
            return "over"

    with provided(chat(answer="x")):
        values = await gather(streamify(Program(), stream_listeners=listeners)(question="?"))
    assert values[0] is things[0]
    assert values[2] is things[1]
    assert values[-4:] == ["text", None, 7, "over"]


@pytest.mark.parametrize("listeners", LISTENERS, ids=["no listener", "a listener"])
async def test_from_an_asynchronous_program_and_its_tools(listeners: Any) -> None:
    thing = Thing()

    async def tool() -> str:
        await dspy.settings.send_stream.send("from the tool")
        return "done"

    class Program(dspy.Module):
        def __init__(self) -> None:
            self.predict = dspy.Predict("question -> answer")

        async def aforward(self, question: str) -> str:
            await dspy.settings.send_stream.send(thing)
            await dspy.Tool(tool).acall()
            return (await self.predict.acall(question=question)).answer

    with provided(chat(answer="x")):
        wrapped = streamify(Program(), stream_listeners=listeners, is_async_program=True)
        values = await gather(wrapped(question="?"))
    assert values[0] is thing
    assert values[2] == "from the tool"
    assert values[-1] == "x"


def test_from_a_program_in_synchronous_streaming() -> None:
    def program() -> str:
        send("one")
        fieldstream.emit("two")
        return "three"

    assert list(streamify(program, async_streaming=False)()) == ["one", "two", "three"]


async def test_what_is_emitted_comes_as_it_is() -> None:
    thing = Thing()

    def program() -> str:
        fieldstream.emit(thing, name="progress")
        return "over"

    assert await gather(streamify(program)()) == [thing, "over"]


async def test_several_hundred_values_before_anybody_reads() -> None:
    class Program(dspy.Module):
        async def aforward(self) -> str:
            for number in range(500):
                await dspy.settings.send_stream.send(number)
            return "over"

    values = await gather(streamify(Program(), is_async_program=True)())
    assert values == [*range(500), "over"]


class Chunk:
    """A chunk in the shape that DSPy and LiteLLM share."""

    def __init__(self, content: str) -> None:
        class Delta:
            pass

        class Choice:
            index = 0

        delta: Any = Delta()
        delta.content = content
        choice: Any = Choice()
        choice.delta = delta
        self.choices = [choice]


class OwnLM(dspy.BaseLM):
    """An LM of the user's, which sends its chunks itself."""

    def __init__(self, pieces: list[str], chunk: Any) -> None:
        super().__init__(model="own")
        self.pieces = pieces
        self.chunk = chunk

    async def aforward(self, prompt: Any = None, messages: Any = None, **kwargs: Any) -> Any:
        for piece in self.pieces:
            if dspy.settings.send_stream is not None:
                await dspy.settings.send_stream.send(self.chunk(piece))
        return whole("".join(self.pieces))

    def forward(self, prompt: Any = None, messages: Any = None, **kwargs: Any) -> Any:
        for piece in self.pieces:
            if dspy.settings.send_stream is not None:
                send(self.chunk(piece))
        return whole("".join(self.pieces))


def whole(said: str) -> Any:
    """A completion in the shape that DSPy takes from LMs."""
    from types import SimpleNamespace as Has

    message = Has(content=said, tool_calls=None)
    return Has(choices=[Has(message=message, finish_reason="stop")], usage={}, model="own")


legacy = pytest.mark.filterwarnings("ignore:Implementing custom LMs:DeprecationWarning")
PIECES = ["[[ ## answer ## ]]\n", "one ", "two", "\n\n[[ ## completed ## ]]"]


@legacy
@pytest.mark.parametrize("is_async", [False, True])
async def test_a_custom_lms_own_chunks_pass(is_async: bool) -> None:
    with dspy.context(lm=OwnLM(PIECES, lambda piece: {"mine": piece})):
        wrapped = streamify(dspy.Predict("question -> answer"), is_async_program=is_async)
        values = await gather(wrapped(question="?"))
    assert values[:-1] == [{"mine": piece} for piece in PIECES]
    assert values[-1].answer == "one two"


@legacy
@pytest.mark.parametrize("is_async", [False, True])
async def test_a_custom_lms_chunks_in_dspys_shape_are_its_text(is_async: bool) -> None:
    with dspy.context(lm=OwnLM(PIECES, Chunk)):
        listeners = [StreamListener("answer")]
        program = dspy.Predict("question -> answer")
        values = await gather(streamify(program, None, listeners, is_async_program=is_async)(question="?"))
    assert text(values) == values[-1].answer == "one two"
    assert responses(values) == values[:-1], "its chunks themselves are not asked for"
    assert len([r for r in responses(values) if r.chunk]) == 2
