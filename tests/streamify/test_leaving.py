"""Leaving a stream early: the run ends, the provider sees it, and nobody else is troubled."""

import asyncio
import gc
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing
from typing import Any

import dspy
import pytest

from fieldstream import FieldstreamError, StreamListener, streamify
from fieldstream.simulator import Answer, Provider
from tests.streamify.helpers import chat, gather, provided, text

PIECES = ["[[ ## answer ## ]]\n", *(f"w{number} " for number in range(50))]


def open_ended() -> Answer:
    """An answer that stops after some chunks until its client leaves."""
    return Answer(chunks=PIECES, options={"stall": 20})


async def left(provider: Provider, number: int = 0) -> None:
    """Wait until the provider has seen its client leave."""
    await asyncio.to_thread(provider.wait_for, lambda: provider.requests[number].disconnected.is_set())


def wrap(is_async: bool) -> Callable[..., Any]:
    program = dspy.Predict("question -> answer")
    return streamify(program, stream_listeners=[StreamListener("answer")], is_async_program=is_async)


async def break_off(stream: Any) -> None:
    async for _ in stream:
        break


async def close(stream: Any) -> None:
    await anext(stream)
    await stream.aclose()


async def close_its_iterator(stream: Any) -> None:
    iterator = stream.__aiter__()
    await anext(iterator)
    await iterator.aclose()


async def leave_a_closing_block(stream: Any) -> None:
    async with aclosing(stream) as closing:
        await anext(closing)


async def raise_in_the_loop(stream: Any) -> None:
    async def loop() -> None:
        async for _ in stream:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await loop()


async def leave_a_generator_over_it(stream: Any) -> None:
    async def over() -> AsyncGenerator[Any]:
        async for value in stream:
            yield value

    generator: AsyncGenerator[Any] = over()
    await anext(generator)
    await generator.aclose()


async def be_cancelled(stream: Any) -> None:
    reading = asyncio.Event()

    async def consume() -> None:
        async for _ in stream:
            reading.set()

    task = asyncio.create_task(consume())
    await reading.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


WAYS = [break_off, close, close_its_iterator, leave_a_closing_block, raise_in_the_loop, leave_a_generator_over_it]


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("leave", [*WAYS, be_cancelled], ids=lambda way: way.__name__)
async def test_the_run_ends_though_the_stream_is_kept(leave: Callable[[Any], Any], is_async: bool) -> None:
    with provided(open_ended()) as provider:
        stream = wrap(is_async)(question="?")
        await leave(stream)
        await left(provider)
        assert len(provider.requests) == 1, "and it is not retried"
        task = asyncio.current_task()
        assert task is not None
        assert not task.cancelling()
        await asyncio.sleep(0)  # the caller's task can await
        assert stream is not None


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
async def test_dropping_the_stream_ends_the_run(is_async: bool) -> None:
    with provided(open_ended()) as provider:
        stream = wrap(is_async)(question="?")
        await anext(stream)
        del stream
        gc.collect()
        await left(provider)


async def test_the_program_itself_is_cancelled() -> None:
    ended = asyncio.Event()

    class Program(dspy.Module):
        async def aforward(self) -> None:
            try:
                await dspy.settings.send_stream.send("begun")
                await asyncio.Event().wait()
            finally:
                ended.set()

    await break_off(streamify(Program(), is_async_program=True)())
    await asyncio.wait_for(ended.wait(), 10)


async def test_a_synchronous_program_ends_at_its_next_step_into_dspy() -> None:
    went_on = threading.Event()
    ended = threading.Event()
    asked: list[str] = []

    class Program(dspy.Module):
        def __init__(self) -> None:
            self.predict = dspy.Predict("question -> answer")

        def forward(self) -> None:
            import fieldstream

            fieldstream.emit("begun")
            went_on.wait(10)
            try:
                self.predict(question="?")
                asked.append("?")
            finally:
                ended.set()

    with provided() as provider:
        stream = streamify(Program())()
        await break_off(stream)
        went_on.set()
        assert await asyncio.to_thread(ended.wait, 10)
        assert not asked
        assert not provider.requests


class TestReadingOn:
    """Taking a first value and reading on; and what is said to one who left."""

    async def test_by_the_stream_itself(self) -> None:
        with provided(chat(answer="one two three")):
            stream = wrap(False)(question="?")
            first = await anext(stream)
            assert text([first, *await gather(stream)]) == "one two three"

    async def test_by_an_iterator_that_is_kept(self) -> None:
        with provided(chat(answer="one two three")):
            iterator = aiter(wrap(True)(question="?"))
            values = [await anext(iterator)]
            async for value in iterator:
                values.append(value)
                break
            values += await gather(iterator)
        assert text(values) == "one two three"

    async def test_by_a_newer_iterator(self) -> None:
        with provided(chat(answer="one two three")):
            stream = wrap(False)(question="?")
            iterator = aiter(stream)
            values = [await anext(iterator)]
            iterator = aiter(stream)
            assert text([*values, *await gather(iterator)]) == "one two three"

    async def test_a_single_wait_may_be_cancelled(self) -> None:
        gate = threading.Event()
        answer = Answer(chunks=["[[ ## answer ## ]]\n", "one", " two\n\n[[ ## completed ## ]]"], gates={2: gate})
        with provided(answer):
            stream = wrap(True)(question="?")
            values = [await anext(stream)]
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(anext(stream), 0.01)
            gate.set()
            assert text(values + await gather(stream)) == "one two"

    async def test_a_second_loop_after_a_break_says_that_the_stream_was_left(self) -> None:
        with provided(open_ended()):
            stream = wrap(False)(question="?")
            await break_off(stream)
            with pytest.raises(FieldstreamError, match=r"was left before its end.*call the wrapped program again"):
                await gather(stream)
            with pytest.raises(FieldstreamError, match="was left"):
                await anext(stream)

    async def test_after_aclose_nothing_comes(self) -> None:
        with provided(open_ended()):
            stream = wrap(False)(question="?")
            await close(stream)
            assert await gather(stream) == []
            await stream.aclose()

    async def test_after_the_end_nothing_comes(self) -> None:
        with provided(chat(answer="x")):
            stream = wrap(False)(question="?")
            async for value in stream:
                if isinstance(value, dspy.Prediction):
                    break
            assert await gather(stream) == []
            await stream.aclose()

    async def test_a_stream_that_was_closed_before_it_began_starts_nothing(self) -> None:
        with provided() as provider:
            stream = wrap(False)(question="?")
            await stream.aclose()
            assert await gather(stream) == []
            assert not provider.requests

    async def test_who_waits_while_another_closes_comes_to_the_end(self) -> None:
        gate = threading.Event()
        with provided(Answer(chunks=PIECES, gates={3: gate})):
            stream = wrap(True)(question="?")
            await anext(stream)
            reader = asyncio.create_task(gather(stream))
            await asyncio.sleep(0)
            await stream.aclose()
            await asyncio.wait_for(reader, 10)


class TestWithoutAsync:
    """The same for ``async_streaming=False``."""

    @staticmethod
    def wrap(is_async: bool) -> Callable[..., Any]:
        return streamify(
            dspy.Predict("question -> answer"),
            stream_listeners=[StreamListener("answer")],
            is_async_program=is_async,
            async_streaming=False,
        )

    @pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
    @pytest.mark.parametrize("way", ["break", "close", "drop", "generator"])
    def test_the_run_ends(self, way: str, is_async: bool) -> None:
        with provided(open_ended()) as provider:
            stream = self.wrap(is_async)(question="?")
            kept: Any = stream
            if way == "break":
                for _ in stream:
                    break
            elif way == "close":
                next(stream)
                stream.close()
            elif way == "drop":
                next(stream)
                del stream, kept
                gc.collect()
            else:

                def over() -> Iterator[Any]:
                    yield from kept

                generator: Any = over()
                next(generator)
                generator.close()
            provider.wait_for(lambda: provider.requests[0].disconnected.is_set())

    def test_reading_on(self) -> None:
        with provided(chat(answer="one two three"), open_ended()):
            stream = self.wrap(False)(question="?")
            assert text([next(stream), *stream]) == "one two three"
            assert list(stream) == []
            stream = self.wrap(False)(question="?")
            for _ in stream:
                break
            with pytest.raises(FieldstreamError, match="was left"):
                list(stream)
