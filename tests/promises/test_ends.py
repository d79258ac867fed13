"""P4: every run ends once. Whoever cancels or leaves gets control back at once, and nothing goes on behind them."""

import asyncio
import gc
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from importlib import import_module
from typing import Any, Literal

import dspy
import pytest
from tests.support.leftovers import (
    DEADLINE,
    log_of,
    no_requests_left,
    no_tasks_left,
    no_threads_left,
    read_all,
    running_here,
)
from tests.support.order import check_order
from tests.support.sameness import HAS_ENGINES

import fieldstream
from fieldstream import RunCancelledError, Streamer
from fieldstream.events import CallStarted, Event, FieldDelta, RunEnded
from fieldstream.simulator import Answer, ChatRequest, Provider, simulate

Way = Literal["async", "sync", "thread"]
WAYS: tuple[Way, ...] = ("async", "sync", "thread")
PROMPTLY = 2.0  # far less than what is waited for, far more than what is needed

ways = pytest.mark.parametrize("way", WAYS)
engines = pytest.mark.parametrize("engine", [pytest.param("auto", marks=pytest.mark.dspy(">=3.4")), "litellm"])


def chat(**fields: str) -> str:
    return "".join(f"[[ ## {name} ## ]]\n{value}\n\n" for name, value in fields.items()) + "[[ ## completed ## ]]"


def cut(text: str, size: int) -> list[str]:
    return [text[at : at + size] for at in range(0, len(text), size)]


LONG = Answer(chunks=cut(chat(answer="a word and " * 30), 7))
"""An answer of so many chunks that it can be left in its midst."""


@pytest.fixture
def provider() -> Iterator[Provider]:
    with simulate() as provider:
        yield provider


@pytest.fixture(autouse=True)
def _nothing_left() -> Iterator[None]:
    with no_threads_left():
        yield


def lm_of(provider: Provider, **options: Any) -> dspy.LM:
    options = {"cache": False, **options}
    if not HAS_ENGINES:
        options.pop("engine", None)
    if not HAS_ENGINES or options.get("engine") == "litellm":
        import_module("litellm")  # It takes its time, which is not what is waited for.
    return dspy.LM(provider.model, **provider.lm_kwargs, **options)


def qa() -> dspy.Predict:
    return dspy.Predict("question -> answer")


def sent(provider: Provider, chunks: int) -> Callable[[], None]:
    """Waits until the last request has got so many chunks."""
    return lambda: provider.wait_for(lambda: provider.requests and provider.requests[-1].chunks_sent >= chunks)


def asked(provider: Provider, requests: int = 1) -> Callable[[], None]:
    return lambda: provider.wait_for(lambda: len(provider.requests) >= requests, 6 * DEADLINE)


def watch(program: Any, way: Way) -> Streamer:
    return Streamer(program, mode="auto" if way == "sync" else way)


def leave(way: Way, program: Any, until: Callable[[], object], how: str = "leave", **inputs: Any) -> Any:
    """Stream the program until something has happened, and then cancel it or leave. Gives the run, well cancelled."""
    inputs = inputs or {"question": "Why?"}
    left = 0.0

    async def leave_loop() -> Any:
        nonlocal left
        async with watch(program, way)(**inputs) as run:
            await asyncio.to_thread(until)
            left = time.monotonic()
            if how == "cancel":
                run.cancel()
        left = time.monotonic() - left
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0, "the reader's own task was cancelled"
        await asyncio.sleep(0)
        await no_tasks_left()
        return run

    def leave_thread() -> Any:
        nonlocal left
        with watch(program, way)(**inputs) as run:
            until()
            left = time.monotonic()
            if how == "cancel":
                run.cancel()
        left = time.monotonic() - left
        return run

    run = leave_thread() if way == "sync" else asyncio.run(leave_loop(), debug=True)
    assert left < PROMPTLY, "control came back late"
    check_cancelled(run)
    return run


def check_cancelled(run: Any) -> list[Event]:
    events = read_all(run._log)
    check_order(events)
    assert run.outcome == "cancelled"
    end = events[-1]
    assert isinstance(end, RunEnded)
    assert end.outcome == "cancelled"
    with pytest.raises(RunCancelledError):
        _ = run.result
    return events


# At every event


class Steps:
    """What the provider says to an agent that looks something up and answers."""

    def __call__(self, request: ChatRequest) -> Answer:
        if "next_tool_name" not in request.text("system"):
            return Answer(chunks=cut(chat(reasoning="It is.", answer="Because of the air."), 40))
        if "observation_0" not in request.text("user"):
            thought = {"next_thought": "Look.", "next_tool_name": "look", "next_tool_args": '{"word": "sky"}'}
        else:
            thought = {"next_thought": "Done.", "next_tool_name": "finish", "next_tool_args": "{}"}
        return Answer(chunks=cut(chat(**thought), 60))


def look(word: str) -> str:
    """Look a word up."""
    return f"{word} is blue"


def agent() -> dspy.Module:
    signature: Any = "question -> answer"
    return dspy.ReAct(signature, tools=[look])


@pytest.mark.parametrize("how", ["cancel", "leave"])
@ways
def test_at_every_event_of_an_agent(way: Way, how: str) -> None:
    with simulate(Steps(), rate=800) as provider, dspy.context(lm=lm_of(provider)):
        whole = run_until(way, None, how)
        kinds = {event.kind for event in whole if isinstance(event, CallStarted)}
        assert kinds == {"module", "predictor", "lm", "tool"}
        in_time = 0
        for place in range(len(whole)):
            events = run_until(way, place, how)
            end = events[-1]
            assert isinstance(end, RunEnded)
            in_time += end.outcome == "cancelled"
        assert in_time >= len(whole) * 2 // 3, "most of them ought to be cancelled before their end"
        no_requests_left(provider)


def run_until(way: Way, place: int | None, how: str) -> list[Event]:
    """An agent's run up to the event at this place; its events."""

    async def in_loop() -> Any:
        over, left = None, time.monotonic()
        async with watch(agent(), way)(question="Why is the sky blue?") as run:
            async for event in run:
                if event.seq == place:
                    over = run.outcome
                    left = time.monotonic()
                    if how == "leave":
                        break
                    run.cancel()
                    assert run.outcome is not None
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0
        await no_tasks_left()
        if place is not None:
            assert time.monotonic() - left < PROMPTLY
            if way == "async":
                assert run.outcome == (over or "cancelled")
        return run

    def in_thread() -> Any:
        with watch(agent(), way)(question="Why is the sky blue?") as run:
            for event in run:
                if event.seq == place:
                    if how == "leave":
                        break
                    run.cancel()
                    assert run.outcome is not None
        return run

    run = in_thread() if way == "sync" else asyncio.run(in_loop(), debug=how == "leave")
    events = read_all(run._log)
    check_order(events)
    end = events[-1]
    assert isinstance(end, RunEnded)
    assert end.outcome == run.outcome
    return events


# In whatever it waits for


@engines
@ways
def test_before_the_first_token(way: Way, engine: str, provider: Provider) -> None:
    provider.script(Answer(LONG.text, gates={0: threading.Event()}))
    with dspy.context(lm=lm_of(provider, engine=engine)):
        leave(way, qa(), asked(provider))
    assert provider.requests[0].disconnected.wait(DEADLINE)
    assert len(provider.requests) == 1


@engines
@ways
@pytest.mark.parametrize("how", ["cancel", "leave"])
def test_in_mid_stream(way: Way, engine: str, how: str, provider: Provider) -> None:
    provider.script(Answer(chunks=LONG.chunks, gates={20: threading.Event()}))
    with dspy.context(lm=lm_of(provider, engine=engine)):
        leave(way, qa(), sent(provider, 20), how)
    assert provider.requests[0].disconnected.wait(DEADLINE)
    assert len(provider.requests) == 1


@pytest.mark.filterwarnings("ignore:unclosed (<socket.socket|transport <_SelectorSocketTransport):ResourceWarning")
@pytest.mark.parametrize("options", [{"model_type": "text"}, {"n": 2}, {"model_type": "text", "num_retries": 3}])
@ways
def test_before_an_answer_that_comes_whole(way: Way, options: dict[str, Any], provider: Provider) -> None:
    provider.script(Answer(LONG.text, gates={0: threading.Event()}))
    with dspy.context(lm=lm_of(provider, engine="litellm", **options)):
        leave(way, qa(), asked(provider))
    assert provider.requests[0].disconnected.wait(DEADLINE)
    assert len(provider.requests) == 1
    gc.collect()  # LiteLLM leaves its connections to the collector: here, where its warnings are not heard.


@ways
def test_in_a_backoff(way: Way, provider: Provider) -> None:
    provider.script("never said")
    with dspy.context(lm=lm_of(provider, num_retries=3)), simulate(error=503, retry_after=60) as failing:
        with dspy.context(lm=lm_of(failing, num_retries=3)):
            leave(way, qa(), lambda: failing.wait_for(lambda: failing.requests and failing.requests[0].ended))
        assert len(failing.requests) == 1
    assert not provider.requests


@ways
def test_in_a_backoff_of_litellm(way: Way) -> None:
    with simulate(error=503) as failing, dspy.context(lm=lm_of(failing, num_retries=8, engine="litellm")):
        leave(way, qa(), lambda: failing.wait_for(lambda: len(failing.requests) >= 2))
        so_far = len(failing.requests)
        assert so_far < 6


# In whatever thread or loop it waits


class Elsewhere(dspy.Module):
    """Asks in some other thread or loop."""

    def __init__(self, how: Callable[[dspy.Predict], Any]) -> None:
        super().__init__()
        self.predict = qa()
        self.how = how

    def forward(self, question: str) -> Any:
        return self.how(self.predict)


class ElsewhereAsync(Elsewhere):
    async def aforward(self, question: str) -> Any:
        return await self.how(self.predict)


def in_parallel(predict: dspy.Predict) -> Any:
    examples = [dspy.Example(question=f"{number}?").with_inputs("question") for number in range(3)]
    return dspy.Parallel(num_threads=3, disable_progress_bar=True)([(predict, example) for example in examples])


def in_a_loop(predict: dspy.Predict) -> Any:
    return asyncio.run(predict.acall(question="in a loop"))


async def in_a_thread(predict: dspy.Predict) -> Any:
    return await asyncio.to_thread(predict, question="in a thread")


async def in_tasks(predict: dspy.Predict) -> Any:
    return await asyncio.gather(*(predict.acall(question=f"{number}?") for number in range(3)))


async def in_a_thread_with_a_loop(predict: dspy.Predict) -> Any:
    return await asyncio.to_thread(in_a_loop, predict)


ELSEWHERE: list[tuple[Way, Callable[[dspy.Predict], Any], int]] = [
    ("sync", in_parallel, 3),
    ("thread", in_parallel, 3),
    ("sync", in_a_loop, 1),
    ("thread", in_a_loop, 1),
    ("async", in_a_thread, 1),
    ("async", in_tasks, 3),
    ("async", in_a_thread_with_a_loop, 1),
]


@engines
@pytest.mark.parametrize(("way", "how", "requests"), ELSEWHERE)
def test_in_another_thread_or_loop(
    way: Way, how: Callable[[dspy.Predict], Any], requests: int, engine: str, provider: Provider
) -> None:
    provider.options = provider.options.updated({"stall": 5})
    program = ElsewhereAsync(how) if way == "async" else Elsewhere(how)

    def all_stalled() -> None:
        provider.wait_for(
            lambda: len(provider.requests) == requests and all(each.chunks_sent >= 5 for each in provider.requests)
        )

    with dspy.context(lm=lm_of(provider, engine=engine)):
        leave(way, program, all_stalled)
    for request in provider.requests:
        assert request.disconnected.wait(DEADLINE)
    assert len(provider.requests) == requests


# By whomever, and whenever


@ways
def test_from_another_thread(way: Way, provider: Provider) -> None:
    provider.script(Answer(chunks=LONG.chunks, gates={20: threading.Event()}))

    async def in_loop() -> Any:
        async with watch(qa(), way)(question="Why?") as run:
            await asyncio.to_thread(sent(provider, 20))
            await asyncio.to_thread(run.cancel)
            events = [event async for event in run]
        return run, events

    def in_thread() -> Any:
        with watch(qa(), way)(question="Why?") as run:
            sent(provider, 20)()
            canceller = threading.Thread(target=run.cancel)
            canceller.start()
            events = list(run)
            canceller.join()
        return run, events

    with dspy.context(lm=lm_of(provider)):
        run, events = in_thread() if way == "sync" else asyncio.run(in_loop(), debug=True)
    assert events == check_cancelled(run)
    assert provider.requests[0].disconnected.wait(DEADLINE)


def test_before_the_first_step(provider: Provider) -> None:
    with dspy.context(lm=lm_of(provider)):
        run = leave("sync", qa(), lambda: None, "cancel")
    assert not [event for event in read_all(run._log) if isinstance(event, CallStarted)]
    assert not provider.requests


@pytest.mark.parametrize("way", ["async", "thread"])
async def test_before_the_first_step_of_a_loop(way: Way, provider: Provider) -> None:
    with dspy.context(lm=lm_of(provider)):
        async with watch(qa(), way)(question="Why?") as run:
            run.cancel()
            assert run.outcome == "cancelled"
        assert running_here(run)._gone.is_set
    check_cancelled(run)
    await no_tasks_left()
    assert not provider.requests


@ways
def test_twice(way: Way, provider: Provider) -> None:
    provider.script(Answer(chunks=LONG.chunks, gates={20: threading.Event()}))
    cleaned: list[str] = []

    class Careful(dspy.Module):
        def __init__(self) -> None:
            super().__init__()
            self.predict = qa()

        def forward(self, question: str) -> Any:
            try:
                return self.predict(question=question)
            finally:
                cleaned.append("up")

        async def aforward(self, question: str) -> Any:
            try:
                return await self.predict.acall(question=question)
            finally:
                for _ in range(3):
                    await asyncio.sleep(0)
                cleaned.append("up")

    async def in_loop() -> Any:
        async with watch(Careful(), way)(question="Why?") as run:
            await asyncio.to_thread(sent(provider, 20))
            run.cancel()
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            run.cancel()  # The program tidies up, and is to be left in peace.
        run.cancel()
        await no_tasks_left()
        return run

    def in_thread() -> Any:
        with watch(Careful(), way)(question="Why?") as run:
            sent(provider, 20)()
            run.cancel()
            run.cancel()
        run.cancel()
        return run

    with dspy.context(lm=lm_of(provider)), no_threads_left():
        run = in_thread() if way == "sync" else asyncio.run(in_loop(), debug=True)
    check_cancelled(run)
    assert cleaned == ["up"]


@ways
def test_after_the_end(way: Way, provider: Provider) -> None:
    async def in_loop() -> Any:
        async with watch(qa(), way)(question="Why?") as run:
            result = await run.wait()
            run.cancel()
        run.cancel()
        return run, result

    def in_thread() -> Any:
        with watch(qa(), way)(question="Why?") as run:
            result = run.wait()
            run.cancel()
        run.cancel()
        return run, result

    with dspy.context(lm=lm_of(provider)):
        run, result = in_thread() if way == "sync" else asyncio.run(in_loop(), debug=True)
    assert run.outcome == "completed"
    assert run.result is result
    assert sum(isinstance(event, RunEnded) for event in read_all(run._log)) == 1


async def test_by_the_program_itself() -> None:
    runs: list[Any] = []

    async def program() -> None:
        runs[0].cancel()
        await asyncio.Event().wait()

    async with fieldstream.stream(program) as run:
        runs.append(run)
        with pytest.raises(RunCancelledError):
            await run.wait()
    check_cancelled(run)
    await no_tasks_left()


# By leaving in other ways


async def test_the_readers_task_is_cancelled(provider: Provider) -> None:
    provider.script(Answer(chunks=LONG.chunks, gates={20: threading.Event()}))
    runs: list[Any] = []

    async def read() -> None:
        async with fieldstream.stream(qa(), question="Why?") as run:
            runs.append(run)
            async for _ in run.text("answer"):
                pass

    with dspy.context(lm=lm_of(provider)):
        reader = asyncio.create_task(read())
        await asyncio.to_thread(sent(provider, 20))
        reader.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reader
    assert reader.cancelled()
    check_cancelled(runs[0])
    await no_tasks_left()
    assert await asyncio.to_thread(provider.requests[0].disconnected.wait, DEADLINE)


@pytest.mark.parametrize("mode", ["async", "thread"])
async def test_the_readers_time_is_up(mode: Any, provider: Provider) -> None:
    provider.script(Answer(chunks=LONG.chunks, gates={20: threading.Event()}))
    runs: list[Any] = []

    async def read() -> None:
        async with asyncio.timeout(0.3), Streamer(qa(), mode=mode)(question="Why?") as run:
            runs.append(run)
            await run.wait()

    with dspy.context(lm=lm_of(provider)), pytest.raises(TimeoutError):
        await read()
    check_cancelled(runs[0])
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
    await no_tasks_left()


@ways
def test_the_block_raises(way: Way, provider: Provider) -> None:
    provider.script(Answer(chunks=LONG.chunks, gates={20: threading.Event()}))
    runs: list[Any] = []

    async def in_loop() -> None:
        async with watch(qa(), way)(question="Why?") as run:
            runs.append(run)
            await asyncio.to_thread(sent(provider, 20))
            raise LookupError("mine")

    def in_thread() -> None:
        with watch(qa(), way)(question="Why?") as run:
            runs.append(run)
            sent(provider, 20)()
            raise LookupError("mine")

    with dspy.context(lm=lm_of(provider)), pytest.raises(LookupError, match="mine"):
        in_thread() if way == "sync" else asyncio.run(in_loop(), debug=True)
    check_cancelled(runs[0])
    assert provider.requests[0].disconnected.wait(DEADLINE)


@pytest.mark.parametrize("mode", ["async", "thread"])
def test_the_loop_ends_while_a_run_goes_on(mode: Any, provider: Provider) -> None:
    """``asyncio.run`` returns from a function that entered a run in a task, and forgot it."""
    provider.script(Answer(chunks=LONG.chunks, gates={20: threading.Event()}))
    runs: list[Any] = []

    async def forget() -> None:
        async with Streamer(qa(), mode=mode)(question="Why?") as run:
            runs.append(run)
            await run.wait()

    async def main() -> None:
        task = asyncio.create_task(forget())
        await asyncio.to_thread(sent(provider, 20))
        assert not task.done()

    with dspy.context(lm=lm_of(provider)):
        asyncio.run(main(), debug=True)
    check_cancelled(runs[0])
    assert provider.requests[0].disconnected.wait(DEADLINE)


def test_the_loop_ends_and_nobody_leaves_the_block(provider: Provider) -> None:
    provider.script(Answer(chunks=LONG.chunks, gates={20: threading.Event()}))

    async def main() -> Any:
        run = await fieldstream.stream(qa(), question="Why?").__aenter__()
        await asyncio.to_thread(sent(provider, 20))
        return run

    with dspy.context(lm=lm_of(provider)):
        run = asyncio.run(main(), debug=True)
    check_cancelled(run)
    assert provider.requests[0].disconnected.wait(DEADLINE)


def test_the_loop_ends_before_the_first_step(provider: Provider) -> None:
    async def main() -> Any:
        return await fieldstream.stream(qa(), question="Why?").__aenter__()

    with dspy.context(lm=lm_of(provider)):
        run = asyncio.run(main(), debug=True)
    check_cancelled(run)
    assert not provider.requests


# Programs that do not give up


class Stubborn(dspy.Module):
    """Goes on after whatever its predictor raises."""

    def __init__(self, caught: type[BaseException]) -> None:
        super().__init__()
        self.predict = qa()
        self.caught = caught
        self.raised: list[BaseException] = []

    def forward(self, question: str) -> Any:
        for _ in range(3):
            try:
                self.predict(question=question)
            except self.caught as error:
                self.raised.append(error)

    async def aforward(self, question: str) -> Any:
        for _ in range(3):
            try:
                await self.predict.acall(question=question)
            except self.caught as error:
                self.raised.append(error)


@ways
@pytest.mark.parametrize("caught", [Exception, BaseException])
def test_a_program_that_goes_on_gets_nowhere(way: Way, caught: type[BaseException], provider: Provider) -> None:
    provider.options = provider.options.updated({"stall": 5})
    program = Stubborn(caught)
    with dspy.context(lm=lm_of(provider)), no_threads_left():
        leave(way, program, sent(provider, 5))
    assert len(provider.requests) == 1, "nothing is asked for once the run is cancelled"
    assert len(program.raised) == (3 if caught is BaseException else 0)


@ways
def test_a_program_in_work_of_its_own_ends_at_its_next_step(way: Way, provider: Provider) -> None:
    working = threading.Event()
    go_on = threading.Event()

    class Busy(dspy.Module):
        def __init__(self) -> None:
            super().__init__()
            self.predict = qa()

        def forward(self, question: str) -> Any:
            working.set()
            assert go_on.wait(DEADLINE)
            return self.predict(question=question)

        async def aforward(self, question: str) -> Any:
            working.set()
            await asyncio.to_thread(go_on.wait, DEADLINE)
            return await self.predict.acall(question=question)

    async def in_loop() -> Any:
        async with watch(Busy(), way)(question="Why?") as run:
            await asyncio.to_thread(working.wait, DEADLINE)
        assert run.outcome == "cancelled", "control is back, though the program cannot be interrupted"
        go_on.set()
        await no_tasks_left()
        return run

    def in_thread() -> Any:
        with watch(Busy(), way)(question="Why?") as run:
            assert working.wait(DEADLINE)
        assert run.outcome == "cancelled"
        go_on.set()
        return run

    with dspy.context(lm=lm_of(provider)), no_threads_left():
        run = in_thread() if way == "sync" else asyncio.run(in_loop(), debug=True)
    check_cancelled(run)
    assert not provider.requests


def test_a_coroutine_in_a_thread_is_interrupted_in_whatever_it_awaits() -> None:
    waiting = threading.Event()

    async def program(question: str) -> None:
        waiting.set()
        await asyncio.Event().wait()

    for way in ("sync", "thread"):
        waiting.clear()
        with no_threads_left():
            leave(way, program, lambda: waiting.wait(DEADLINE))  # type: ignore[arg-type]


# Programs that end by exceptions which are nobody's cancel


@ways
@pytest.mark.parametrize("kind", [asyncio.CancelledError, ValueError, GeneratorExit])
def test_the_programs_own_exception(way: Way, kind: type[BaseException]) -> None:
    error = kind("the program's own")

    class Raising(dspy.Module):
        def forward(self, question: str) -> None:
            raise error

        async def aforward(self, question: str) -> None:
            raise error

    async def in_loop() -> Any:
        async with watch(Raising(), way)(question="Why?") as run:
            _ = [event async for event in run]
        await no_tasks_left()
        return run

    def in_thread() -> Any:
        with watch(Raising(), way)(question="Why?") as run:
            _ = list(run)
        return run

    run = in_thread() if way == "sync" else asyncio.run(in_loop(), debug=True)
    assert run.outcome == "failed"
    with pytest.raises(kind) as raised:
        _ = run.result
    assert raised.value is error
    end = read_all(run._log)[-1]
    assert isinstance(end, RunEnded)
    assert end.error is not None
    assert end.error.kind == kind.__name__


@pytest.mark.parametrize("way", ["sync", "thread"])
def test_a_keyboard_interrupt_in_the_programs_thread(way: Way) -> None:
    error = KeyboardInterrupt()

    def program() -> None:
        raise error

    async def in_loop() -> Any:
        async with watch(program, way)() as run:
            _ = [event async for event in run]
        return run

    def in_thread() -> Any:
        with watch(program, way)() as run:
            _ = list(run)
        return run

    run = in_thread() if way == "sync" else asyncio.run(in_loop())
    assert run.outcome == "failed"
    with pytest.raises(KeyboardInterrupt) as raised:
        _ = run.result
    assert raised.value is error


def test_a_keyboard_interrupt_in_the_programs_task_ends_the_loop() -> None:
    runs: list[Any] = []

    async def program() -> None:
        raise KeyboardInterrupt

    async def read() -> None:
        async with fieldstream.stream(program) as run:
            runs.append(run)
            await run.wait()

    with pytest.raises(KeyboardInterrupt):
        asyncio.run(read())
    assert runs[0].outcome == "failed"


@ways
def test_an_exception_that_cannot_be_shown(way: Way) -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no words")

    error = Mute()

    class Raising(dspy.Module):
        def forward(self, question: str) -> None:
            raise error

        async def aforward(self, question: str) -> None:
            raise error

    async def in_loop() -> Any:
        async with watch(Raising(), way)(question="Why?") as run:
            async with asyncio.timeout(DEADLINE):
                events = [event async for event in run]
        return run, events

    def in_thread() -> Any:
        with watch(Raising(), way)(question="Why?") as run:
            events = list(run)
        return run, events

    run, events = in_thread() if way == "sync" else asyncio.run(in_loop())
    assert run.outcome == "failed"
    assert events[-1].error.kind == "Mute"
    with pytest.raises(Mute):
        _ = run.result


# Readers that go early


async def test_a_reader_that_breaks_off_leaves_no_waiter(provider: Provider) -> None:
    gate = threading.Event()
    provider.script(Answer(chunks=LONG.chunks, gates={20: gate}))
    with dspy.context(lm=lm_of(provider)):
        async with fieldstream.stream(qa(), question="Why?") as run:
            async for _ in run.text("answer"):
                break
            async for _ in run:
                break
            assert not log_of(run)._waiters
            gate.set()
            assert (await run.wait()).answer == "".join([piece async for piece in run.text("answer")])
        assert not log_of(run)._waiters
    await no_tasks_left()


async def test_a_reader_that_gives_up_waiting_goes_on_later(provider: Provider) -> None:
    gate = threading.Event()
    provider.script(Answer(chunks=LONG.chunks, gates={20: gate}))
    with dspy.context(lm=lm_of(provider)):
        async with fieldstream.stream(qa(), question="Why?") as run:
            pieces = run.text("answer")
            seen: list[str] = []

            async def read() -> None:
                async for piece in pieces:
                    seen.append(piece)  # noqa: PERF401 (what was read before the end is to be seen)

            with pytest.raises(TimeoutError):
                await asyncio.wait_for(read(), 0.3)
            assert seen
            gate.set()
            await read()
        assert "".join(seen) == run.result.answer


async def test_waiting_that_is_given_up_stops_no_run(provider: Provider) -> None:
    gate = threading.Event()
    provider.script(Answer(chunks=LONG.chunks, gates={20: gate}))
    with dspy.context(lm=lm_of(provider)):
        async with fieldstream.stream(qa(), question="Why?") as run:
            waiting = asyncio.create_task(run.wait())
            await asyncio.to_thread(sent(provider, 20))
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            assert run.outcome is None
            gate.set()
            assert await run.wait() is run.result
    await no_tasks_left()


async def test_a_cancelled_run_says_nothing_more(provider: Provider) -> None:
    gate = threading.Event()
    provider.script(Answer(chunks=LONG.chunks, gates={20: gate}))
    with dspy.context(lm=lm_of(provider)):
        async with fieldstream.stream(qa(), question="Why?") as run:
            async for event in run:
                if isinstance(event, FieldDelta):
                    break
            run.cancel()
            before = len(log_of(run))
            gate.set()
    await no_tasks_left()
    events = check_cancelled(run)
    assert len(events) == before


async def test_status_messages_that_are_still_being_worded_end_with_the_run() -> None:
    class Slow(fieldstream.StatusMessageProvider):
        async def module_start_status_message(self, instance: Any, inputs: dict[str, Any]) -> str:
            await asyncio.Event().wait()
            return "late"

    class Program(dspy.Module):
        async def aforward(self) -> None:
            await asyncio.Event().wait()

    async with Streamer(Program(), status_message_provider=Slow())() as run:
        events: AsyncIterator[Event] = aiter(run)
        while not isinstance(await anext(events), CallStarted):
            pass
        await asyncio.sleep(0)
    await no_tasks_left()
    check_cancelled(run)


def test_a_cancel_after_the_loop_is_closed() -> None:
    loop = asyncio.new_event_loop()

    async def program() -> None:
        await loop.create_future()

    run = loop.run_until_complete(fieldstream.stream(program).__aenter__())
    loop.close()
    run.cancel()
    check_cancelled(run)
    task: Any = running_here(run)._task
    task._log_destroy_pending = False
