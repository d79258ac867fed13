"""P3: any number of runs of one wrapped program at once, from any threads and loops, each as if it were alone."""

import asyncio
import collections
import contextlib
import re
import threading
from collections.abc import Callable, Generator, Iterator
from typing import Any

import dspy
import pytest
from dspy.dsp.utils.settings import thread_local_overrides
from tests.support.leftovers import DEADLINE, no_tasks_left, no_threads_left, read_all, running_here
from tests.support.order import check_order
from tests.support.sameness import HAS_ENGINES

import fieldstream
from fieldstream import Streamer
from fieldstream.events import CallEnded, CallStarted, Event, FieldDelta, RunEnded, RunStarted
from fieldstream.simulator import Answer, ChatRequest, Provider, simulate

MANY = 1_000 if HAS_ENGINES else 200  # LiteLLM takes some 30 ms and 3 MB for each.
THREADS = 200


def answer_to(question: str) -> str:
    """An answer that is this question's alone."""
    return f"The answer to {question} is {' '.join([question] * 5)}."


def say(request: ChatRequest) -> Answer:
    (question,) = re.findall(r"question number \d+", request.text("user"))[-1:]
    text = f"[[ ## answer ## ]]\n{answer_to(question)}\n\n[[ ## completed ## ]]"
    return Answer(chunks=[text[at : at + 9] for at in range(0, len(text), 9)])


class Program(dspy.Module):
    """A program in two steps, for loops and for threads."""

    def __init__(self) -> None:
        super().__init__()
        self.answer = dspy.Predict("question -> answer")

    def forward(self, question: str) -> dspy.Prediction:
        return self.answer(question=question)

    async def aforward(self, question: str) -> dspy.Prediction:
        return await self.answer.acall(question=question)


@pytest.fixture
def provider() -> Iterator[Provider]:
    with simulate(say) as provider:
        yield provider


@pytest.fixture
def lm(provider: Provider) -> dspy.LM:
    return dspy.LM(provider.model, **provider.lm_kwargs, cache=False)


@pytest.fixture(autouse=True)
def _nothing_left() -> Iterator[None]:
    with no_threads_left():
        yield


def check_alone(question: str, text: str, events: list[Event], run: Any) -> None:
    """The run is this question's, and whole."""
    assert text == answer_to(question)
    assert run.result.answer == text
    check_order(events)
    assert isinstance(events[0], RunStarted)
    assert events[0].run == run.id
    assert isinstance(events[-1], RunEnded)
    assert events[-1].outcome == "completed"
    assert events[-1].result == {"answer": text}
    assert "".join(event.text or "" for event in events if isinstance(event, FieldDelta)) == text
    started = [event.kind for event in events if isinstance(event, CallStarted)]
    assert started == ["module", "predictor", "lm"]
    assert sum(isinstance(event, CallEnded) for event in events) == 3
    assert sum(usage["completion_tokens"] for usage in run.usage.values()) > 0


def ask_blocking(watch: Streamer, question: str) -> None:
    with watch(question=question) as run:
        text = "".join(run.text("answer"))
        events = list(run)
    check_alone(question, text, events, run)


async def ask(watch: Streamer, question: str) -> None:
    async with watch(question=question) as run:
        text = "".join([piece async for piece in run.text("answer")])
        events = [event async for event in run]
    check_alone(question, text, events, run)


def state(thing: object) -> dict[str, Any]:
    """What is in an object's attributes; of a history and the like, what it is."""
    return {name: id(value) for name, value in vars(thing).items() if name != "history"}


@contextlib.contextmanager
def nothing_left_in(program: dspy.Module, lm: dspy.LM) -> Generator[None]:
    """DSPy's settings, the program and its LM are afterwards what they were."""
    things: list[object] = [program, *program.predictors(), lm]
    before = [state(thing) for thing in things]
    settings = dict(dspy.settings.config)
    overrides = dict(thread_local_overrides.get())
    yield
    assert [state(thing) for thing in things] == before
    assert dict(dspy.settings.config) == settings
    assert dict(thread_local_overrides.get()) == overrides


def in_threads(count: int, work: Callable[[int], object]) -> None:
    """Do the work in so many threads at once; raises what any of them raised."""
    barrier = threading.Barrier(count)
    errors: list[BaseException] = []

    def do(number: int) -> None:
        try:
            barrier.wait(60)
            work(number)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=do, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(100)
        assert not thread.is_alive(), "it hangs"
    if errors:
        raise errors[0]


async def test_many_tasks_at_once(lm: dspy.LM, provider: Provider) -> None:
    program = Program()
    watch = Streamer(program)
    with dspy.context(lm=lm), nothing_left_in(program, lm):
        async with asyncio.TaskGroup() as group:
            for number in range(MANY):
                group.create_task(ask(watch, f"question number {number}"))
    assert len(provider.requests) == MANY
    await no_tasks_left()


def test_many_threads_at_once(lm: dspy.LM, provider: Provider) -> None:
    program = Program()
    watch = Streamer(program)

    def work(number: int) -> None:
        with dspy.context(lm=lm):
            ask_blocking(watch, f"question number {number}")

    with nothing_left_in(program, lm):
        in_threads(THREADS, work)
    assert len(provider.requests) == THREADS


def test_threads_and_loops_at_once(lm: dspy.LM, provider: Provider) -> None:
    """Some in threads, some in tasks of several loops, some of those with the program in a thread."""
    program = Program()
    watches = [Streamer(program), Streamer(program, mode="thread"), Streamer(program, mode="async")]

    async def several(number: int) -> None:
        async with asyncio.TaskGroup() as group:
            for each in range(10):
                group.create_task(ask(watches[each % 3], f"question number {number * 100 + each}"))
        await no_tasks_left()

    def work(number: int) -> None:
        with dspy.context(lm=lm):
            if number % 2:
                asyncio.run(several(number))
            else:
                ask_blocking(watches[number // 2 % 3], f"question number {number}")

    with nothing_left_in(program, lm):
        in_threads(12, work)
    assert len(provider.requests) == 6 * 10 + 6


async def test_one_after_the_other(lm: dspy.LM) -> None:
    watch = Streamer(Program())
    with dspy.context(lm=lm):
        for number in range(3):
            await ask(watch, f"question number {number}")
            await asyncio.to_thread(ask_blocking, watch, f"question number {number + 10}")


async def test_settings_of_each_run_are_its_own(provider: Provider) -> None:
    """Each of several runs at once has the LM of the context that its ``stream`` was called in."""
    program = Program()
    lms = [dspy.LM(provider.model, **provider.lm_kwargs, cache=False, temperature=number / 10) for number in range(5)]
    streams = []
    for number, lm in enumerate(lms):
        with dspy.context(lm=lm):
            streams.append(fieldstream.stream(program, question=f"question number {number}"))

    async def read(number: int) -> None:
        async with streams[number] as run:
            assert (await run.wait()).answer == answer_to(f"question number {number}")

    await asyncio.gather(*map(read, range(5)))
    assert [len(lm.history) for lm in lms] == [1] * 5
    assert {request.body["temperature"] for request in provider.requests} == {0.0, 0.1, 0.2, 0.3, 0.4}


# Readers that stall


async def test_readers_that_never_read_hold_up_nobody(lm: dspy.LM) -> None:
    stalled = 40
    watch = Streamer(Program(), mode="thread")
    with dspy.context(lm=lm):
        async with contextlib.AsyncExitStack() as stack:
            runs = [
                await stack.enter_async_context(watch(question=f"question number {number}"))
                for number in range(stalled)
            ]
            for number in range(stalled):
                half_read = aiter(runs[number])
                await anext(half_read)  # and no more
            await ask(watch, "question number 1000")
            await ask(Streamer(Program()), "question number 1001")
            await asyncio.to_thread(asyncio.run, ask(watch, "question number 1002"))
            for number, run in enumerate(runs):
                assert (await run.wait()).answer == answer_to(f"question number {number}")


# Threads


class Gathering(dspy.Module):
    """A program whose tool is done when all of them are in it."""

    def __init__(self, parties: int) -> None:
        super().__init__()
        self.barrier = threading.Barrier(parties)
        self.tool = dspy.Tool(self.meet)

    def meet(self) -> int:
        """Wait for the others."""
        return self.barrier.wait(30)

    def forward(self) -> int:
        return self.tool()


def test_fifty_threads_are_in_their_tools_at_once() -> None:
    """More than DSPy and AnyIO would let run."""
    program = Gathering(50)

    async def main() -> list[int]:
        async def run_one() -> int:
            async with fieldstream.stream(program) as run:
                return await run.wait()

        return await asyncio.gather(*(run_one() for _ in range(50)))

    assert sorted(asyncio.run(main())) == list(range(50))


def test_fifty_synchronous_runs_are_in_their_tools_at_once() -> None:
    program = Gathering(50)
    places: list[int] = []

    def work(number: int) -> None:
        with fieldstream.stream(program) as run:
            places.append(run.wait())

    in_threads(50, work)
    assert sorted(places) == list(range(50))


@pytest.fixture
def two_threads() -> Iterator[None]:
    fieldstream.set_thread_limit(2)
    yield
    fieldstream.set_thread_limit(1_000)


class Held(dspy.Module):
    """A program that waits until it is let go, and shows that it was there."""

    def __init__(self) -> None:
        super().__init__()
        self.began: collections.deque[int] = collections.deque()
        self.arrived = threading.Semaphore(0)
        self.go_on = threading.Semaphore(0)

    def forward(self, number: int) -> int:
        self.began.append(number)
        self.arrived.release()
        assert self.go_on.acquire(timeout=30)
        return number


@pytest.mark.usefixtures("two_threads")
def test_waiting_runs_start_when_others_end() -> None:
    program = Held()

    async def main() -> None:
        async with contextlib.AsyncExitStack() as stack:
            runs = [await stack.enter_async_context(fieldstream.stream(program, number=number)) for number in range(5)]
            for _ in range(2):
                assert await asyncio.to_thread(program.arrived.acquire, timeout=DEADLINE)
            assert sorted(program.began) == [0, 1]
            program.go_on.release()
            assert await asyncio.to_thread(program.arrived.acquire, timeout=DEADLINE)
            assert sorted(program.began) == [0, 1, 2]
            for _ in range(4):
                program.go_on.release()
            assert [await run.wait() for run in runs] == list(range(5))

    asyncio.run(main())


@pytest.mark.usefixtures("two_threads")
def test_a_waiting_run_that_is_cancelled_never_starts() -> None:
    program = Held()

    async def main() -> None:
        async with contextlib.AsyncExitStack() as stack:
            runs = [await stack.enter_async_context(fieldstream.stream(program, number=number)) for number in range(2)]
            for _ in range(2):
                assert await asyncio.to_thread(program.arrived.acquire, timeout=DEADLINE)
            async with fieldstream.stream(program, number=2) as waiting:
                await asyncio.sleep(0)
            assert running_here(waiting)._gone.is_set, "nobody waits for a thread any more"
            assert waiting.outcome == "cancelled"
            with fieldstream.stream(program, number=3) as waiting_too:
                waiting_too.cancel()
            check_order(read_all(waiting_too._log))
            for _ in range(2):
                program.go_on.release()
            assert [await run.wait() for run in runs] == [0, 1]
        # Whoever comes now finds room.
        program.go_on.release()
        async with fieldstream.stream(program, number=4) as last:
            assert await last.wait() == 4

    asyncio.run(main())
    assert sorted(program.began) == [0, 1, 4]


@pytest.mark.usefixtures("two_threads")
def test_a_raised_limit_starts_those_that_wait() -> None:
    program = Held()

    async def main() -> None:
        async with contextlib.AsyncExitStack() as stack:
            runs = [await stack.enter_async_context(fieldstream.stream(program, number=number)) for number in range(6)]
            for _ in range(2):
                assert await asyncio.to_thread(program.arrived.acquire, timeout=DEADLINE)
            fieldstream.set_thread_limit(5)
            for _ in range(3):
                assert await asyncio.to_thread(program.arrived.acquire, timeout=DEADLINE)
            assert sorted(program.began) == [0, 1, 2, 3, 4]
            fieldstream.set_thread_limit(1)  # ends nobody
            for _ in range(6):
                program.go_on.release()
            assert [await run.wait() for run in runs] == list(range(6))

    asyncio.run(main())


def test_a_limit_is_at_least_one() -> None:
    with pytest.raises(ValueError, match="at least one"):
        fieldstream.set_thread_limit(0)


async def test_a_system_without_room_for_a_thread_fails_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_room(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    async with fieldstream.stream(lambda: None) as run:
        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", no_room)
            await asyncio.sleep(0)
        assert run.outcome == "failed"
        with pytest.raises(RuntimeError, match="can't start new thread"):
            await run.wait()
    async with fieldstream.stream(lambda: 3) as run:
        assert await run.wait() == 3
