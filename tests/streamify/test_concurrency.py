"""Many runs at once, of one wrapped program and of several."""

import asyncio
import contextvars
import threading
from typing import Any, cast

import dspy
import pytest

from fieldstream import StreamListener, streamify
from fieldstream.simulator import Answer, ChatRequest
from tests.streamify.helpers import chat, check_ends, gather, provided, text

PROGRAM = dspy.Predict("question -> answer")
LISTENERS = [StreamListener("answer")]


def echo(request: ChatRequest) -> str:
    question = request.text("user").split("[[ ## question ## ]]\n")[1].split("\n")[0]
    return chat(answer=f"you said {question}, and I heard {question}")


def expected(question: str) -> str:
    return f"you said {question}, and I heard {question}"


@pytest.mark.parametrize("is_async", [False, True])
async def test_fifty_concurrent_calls_of_one_wrapped_program(is_async: bool) -> None:
    wrapped = streamify(PROGRAM, stream_listeners=LISTENERS, is_async_program=is_async)
    with provided(answers=echo):
        runs = await asyncio.gather(*(gather(wrapped(question=f"q{number}")) for number in range(50)))
    for number, values in enumerate(runs):
        assert text(values) == values[-1].answer == expected(f"q{number}")
        check_ends(values)


async def test_calls_one_after_the_other_stream_alike() -> None:
    wrapped = streamify(PROGRAM, stream_listeners=LISTENERS)
    with provided(answers=echo):
        shapes = [[v.chunk for v in (await gather(wrapped(question="a")))[:-1]] for _ in range(3)]
    assert shapes[0] == shapes[1] == shapes[2]
    assert len(shapes[0]) > 2


async def test_fifty_synchronous_programs_at_once_run_at_once() -> None:
    barrier = threading.Barrier(50)

    def program(number: int) -> int:
        barrier.wait(10)
        return number

    runs = await asyncio.gather(*(gather(streamify(program)(number)) for number in range(50)))
    assert runs == [[number] for number in range(50)]


async def test_stalled_readers_hold_up_nobody() -> None:
    wrapped = streamify(PROGRAM, stream_listeners=LISTENERS)
    with provided(answers=echo):
        stalled = [wrapped(question=f"stalled {number}") for number in range(20)]
        firsts = await asyncio.gather(*(anext(stream) for stream in stalled))
        assert text(await asyncio.wait_for(gather(wrapped(question="b")), 10)) == expected("b")
        found = await asyncio.wait_for(cast("Any", dspy.asyncify(PROGRAM))(question="c"), 10)
        assert found.answer == expected("c")
        for number, stream in enumerate(stalled):
            assert text([firsts[number], *await gather(stream)]) == expected(f"stalled {number}")


def test_fifty_threads_at_once_stream_without_async() -> None:
    wrapped = streamify(PROGRAM, stream_listeners=LISTENERS, async_streaming=False)
    barrier = threading.Barrier(50)
    seen: dict[int, Any] = {}

    def read(number: int) -> None:
        stream = wrapped(question=f"q{number}")
        values = [next(stream)]
        barrier.wait(20)  # all of them are in the middle of their runs
        seen[number] = text([*values, *stream])

    with provided(answers=echo):
        context = contextvars.copy_context()
        threads = [threading.Thread(target=context.copy().run, args=(read, number)) for number in range(50)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
    assert seen == {number: expected(f"q{number}") for number in range(50)}


class TestContext:
    """A run has the DSPy settings, and the context, of the call that made it."""

    async def test_consumed_after_the_block(self) -> None:
        wrapped = streamify(PROGRAM, stream_listeners=LISTENERS)
        with provided(answers=echo) as provider:
            lm = dspy.LM(provider.model, **provider.lm_kwargs, cache=False)
            with dspy.context(lm=lm, adapter=dspy.ChatAdapter()):
                stream = wrapped(question="a")
            with dspy.context(lm=None):
                assert text(await gather(stream)) == expected("a")

    @pytest.mark.parametrize("is_async", [False, True])
    async def test_a_callback_configured_after_streamify_is_called(self, is_async: bool) -> None:
        heard: list[str] = []

        class Callback(dspy.utils.BaseCallback):
            def on_lm_start(self, call_id: str, instance: Any, inputs: dict[str, Any]) -> None:
                heard.append(instance.model)

        wrapped = streamify(PROGRAM, is_async_program=is_async)
        with provided(answers=echo), dspy.context(callbacks=[Callback()]):
            await gather(wrapped(question="a"))
        assert heard == ["openai/sim"]

    async def test_an_adapter_set_inside_the_program(self) -> None:
        class Program(dspy.Module):
            def __init__(self) -> None:
                self.predict = PROGRAM

            def forward(self, question: str) -> dspy.Prediction:
                with dspy.context(adapter=dspy.JSONAdapter()):
                    return self.predict(question=question)

        with provided(Answer(chunks=['{"answer": ', '"one ', 'two"}'])):
            values = await gather(streamify(Program(), stream_listeners=LISTENERS)(question="a"))
        assert [v.chunk for v in values[:-1]] == ["one ", "two"]

    @pytest.mark.parametrize("is_async", [False, True])
    async def test_nothing_is_left_in_the_settings(self, is_async: bool) -> None:
        with provided(answers=echo):
            before = dict(dspy.settings.config), dspy.settings.send_stream, dspy.settings.callbacks
            await gather(streamify(PROGRAM, stream_listeners=LISTENERS, is_async_program=is_async)(question="a"))
            assert (dict(dspy.settings.config), dspy.settings.send_stream, dspy.settings.callbacks) == before
