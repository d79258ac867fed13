"""``async_streaming=False``, and ``apply_sync_streaming``: streams for code that cannot await."""

import asyncio
import contextvars
import gc
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import dspy
import pytest

from fieldstream import StreamListener, apply_sync_streaming, streamify
from fieldstream.simulator import Answer
from tests.streamify.helpers import chat, check_ends, provided, text

LISTENERS = [StreamListener("answer")]


@pytest.mark.parametrize("is_async", [False, True])
def test_a_program_streams_without_async(is_async: bool) -> None:
    gate = threading.Event()
    pieces = ["[[ ## answer ## ]]\n", "one", " two", "\n\n[[ ## completed ## ]]"]
    program = dspy.Predict("question -> answer")
    wrapped = streamify(program, None, LISTENERS, is_async_program=is_async, async_streaming=False)
    with provided(Answer(chunks=pieces, gates={2: gate})):
        stream = wrapped(question="?")
        first = next(stream)
        assert first.chunk == "one"
        gate.set()
        values = [first, *stream]
    assert text(values) == values[-1].answer == "one two"
    check_ends(values)


def test_an_async_function_streams_without_async() -> None:
    async def program() -> str:
        await dspy.settings.send_stream.send("one")
        return "two"

    assert list(streamify(program, async_streaming=False)()) == ["one", "two"]


async def test_it_also_works_where_a_loop_runs() -> None:
    wrapped = streamify(dspy.Predict("question -> answer"), None, LISTENERS, async_streaming=False)
    with provided(chat(answer="one two")):
        assert text(list(wrapped(question="?"))) == "one two"


def test_an_exception_comes_as_itself() -> None:
    wrong = KeyError("mine")

    def program() -> None:
        raise wrong

    with pytest.raises(KeyError) as caught:
        list(streamify(program, async_streaming=False)())
    assert caught.value is wrong


class TestAnyIterator:
    """``apply_sync_streaming``, of iterators that are not ours."""

    def test_everything_comes_in_order(self) -> None:
        async def source() -> AsyncIterator[int]:
            for number in range(100):
                yield number
                await asyncio.sleep(0)

        assert list(apply_sync_streaming(source())) == list(range(100))

    def test_it_has_the_callers_context(self) -> None:
        variable = contextvars.ContextVar("variable", default="none")

        async def source() -> AsyncIterator[Any]:
            yield variable.get()
            yield dspy.settings.lm

        variable.set("mine")
        with dspy.context(lm="an lm"):
            stream = apply_sync_streaming(source())
        assert list(stream) == ["mine", "an lm"]

    @pytest.mark.parametrize("wrong", [KeyError("mine"), SystemExit(3), asyncio.CancelledError()], ids=repr)
    def test_its_exception_comes_as_itself_after_what_it_gave(self, wrong: BaseException) -> None:
        async def source() -> AsyncIterator[int]:
            yield 1
            raise wrong

        stream = apply_sync_streaming(source())
        assert next(stream) == 1
        with pytest.raises(type(wrong)) as caught:
            next(stream)
        assert caught.value is wrong
        assert list(stream) == []

    def test_an_exception_object_that_it_gives_is_a_value(self) -> None:
        async def source() -> AsyncIterator[Any]:
            yield KeyError("a value")
            yield (object(), ValueError("a value, too"))

        assert len(list(apply_sync_streaming(source()))) == 2

    @pytest.mark.parametrize("leave", ["close", "drop"])
    def test_leaving_ends_the_source(self, leave: str) -> None:
        ended = threading.Event()

        async def source() -> AsyncIterator[int]:
            try:
                yield 1
                await asyncio.Event().wait()
            finally:
                ended.set()

        stream: Any = apply_sync_streaming(source())
        assert next(stream) == 1
        if leave == "close":
            stream.close()
            assert list(stream) == []
        else:
            del stream
            gc.collect()
        assert ended.wait(10)

    def test_an_iterator_without_aclose(self) -> None:
        class Source:
            def __init__(self) -> None:
                self.left = 3

            def __aiter__(self) -> "Source":
                return self

            async def __anext__(self) -> int:
                if not self.left:
                    raise StopAsyncIteration
                self.left -= 1
                return self.left

        assert list(apply_sync_streaming(Source())) == [2, 1, 0]


@pytest.mark.parametrize("leave", ["drop", "close"])
def test_leaving_one_of_ours_ends_the_run(leave: str) -> None:
    answer = Answer(chunks=["[[ ## answer ## ]]\n", *["word "] * 30], options={"stall": 20})
    with provided(answer) as provider:
        stream: Any = apply_sync_streaming(streamify(dspy.Predict("question -> answer"), None, LISTENERS)(question="?"))
        assert next(stream).chunk
        if leave == "close":
            stream.close()
        del stream
        provider.wait_for(lambda: provider.requests[0].disconnected.is_set())


@pytest.mark.parametrize("make", [lambda stream: stream, aiter], ids=["stream", "iterator"])
def test_ours_as_a_plain_iterator(make: Callable[[Any], Any]) -> None:
    with provided(chat(answer="one two")):
        wrapped = streamify(dspy.Predict("question -> answer"), None, LISTENERS)
        values = list(apply_sync_streaming(make(wrapped(question="?"))))
    assert text(values) == values[-1].answer == "one two"


def test_in_threads_that_come_from_threads() -> None:
    seen: list[str] = []

    def inner(context: contextvars.Context) -> None:
        wrapped = streamify(dspy.Predict("question -> answer"), None, LISTENERS)
        values = context.run(lambda: list(apply_sync_streaming(wrapped(question="?"))))
        seen.append(text(values))

    def outer(context: contextvars.Context) -> None:
        threads = [threading.Thread(target=inner, args=(context.copy(),)) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)

    with provided(*[chat(answer="one two")] * 3):
        thread = threading.Thread(target=outer, args=(contextvars.copy_context(),))
        thread.start()
        thread.join(30)
    assert seen == ["one two"] * 3


def test_a_stream_within_a_stream() -> None:
    inner = streamify(dspy.Predict("question -> answer"), None, LISTENERS, async_streaming=False)

    def program() -> str:
        return text(list(inner(question="?")))

    with provided(chat(answer="one two")):
        values = list(streamify(program, async_streaming=False)())
    assert values[-1] == "one two"


def test_it_is_an_iterator() -> None:
    async def source() -> AsyncIterator[int]:
        yield 1

    stream = apply_sync_streaming(source())
    assert isinstance(stream, Iterator)
    assert list(stream) == [1]
