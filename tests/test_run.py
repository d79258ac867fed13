"""What a run stands on: its cancel, its threads, its sockets, and runs within runs."""

import _thread
import asyncio
import socket
import threading
from collections.abc import Iterator
from typing import Any

import dspy
import pytest

import fieldstream
from fieldstream import RunCancelledError, Streamer
from fieldstream.events import RunEnded
from fieldstream.simulator import Answer, Provider, simulate
from fieldstream.tap import RunCancelled, background_loop
from fieldstream.tap.waits.cancel import Cancellation, cancel_task, task_interrupt
from fieldstream.tap.waits.sockets import InterruptibleSocket
from fieldstream.tap.waits.threads import ThreadLimit
from tests.support.leftovers import DEADLINE, no_tasks_left, no_threads_left, read_all


@pytest.fixture(autouse=True)
def _nothing_left() -> Iterator[None]:
    with no_threads_left():
        yield


# Cancelling


def test_a_cancel_interrupts_once_who_waits() -> None:
    cancellation = Cancellation()
    calls: list[str] = []
    cancellation.add(lambda: calls.append("stays"))
    remove = cancellation.add(lambda: calls.append("is taken back"))
    remove()
    cancellation.check()
    assert cancellation.request()
    assert not cancellation.request()
    assert calls == ["stays"]
    with pytest.raises(RunCancelled):
        cancellation.check()
    with pytest.raises(RunCancelled):
        cancellation.add(lambda: None)


def test_what_an_interrupt_makes_fail_is_a_cancel() -> None:
    cancellation = Cancellation()

    def fail() -> None:
        with cancellation.interrupting(lambda: None):
            cancellation.request()
            raise OSError("the socket was shut down")

    with pytest.raises(RunCancelled) as raised:
        fail()
    assert isinstance(raised.value.__cause__, OSError)


def test_what_fails_by_itself_is_itself() -> None:
    cancellation = Cancellation()

    def fail() -> None:
        with cancellation.interrupting(lambda: None):
            raise OSError("by itself")

    with pytest.raises(OSError, match="by itself"):
        fail()
    assert cancellation.request(), "and nothing is left to interrupt"


def test_a_sleep_ends_with_a_cancel() -> None:
    cancellation = Cancellation()
    threading.Timer(0, cancellation.request).start()
    with pytest.raises(RunCancelled):
        cancellation.sleep(60)


def test_a_cancel_is_no_exception_that_programs_catch() -> None:
    assert not issubclass(RunCancelled, Exception)


def test_a_cancel_from_a_collected_object_meets_itself() -> None:
    """Whoever is collected may cancel while its own thread is in the midst of a cancel's lock."""
    cancellation = Cancellation()
    done = threading.Event()

    def work() -> None:
        with cancellation._lock:
            cancellation.request()
        done.set()

    threading.Thread(target=work, daemon=True).start()
    assert done.wait(5)


async def test_a_task_is_cancelled_from_any_thread() -> None:
    async def wait() -> None:
        await asyncio.Event().wait()

    for cancel in (cancel_task, lambda task: threading.Thread(target=cancel_task, args=(task,)).start()):
        task = asyncio.create_task(wait())
        await asyncio.sleep(0)
        cancel(task)
        with pytest.raises(asyncio.CancelledError):
            await task
        cancel(task)  # It is over: nothing happens.


async def test_who_is_interrupted_in_a_task() -> None:
    here = asyncio.current_task()
    assert here is not None
    assert task_interrupt(None) is not None
    assert task_interrupt(here) is None, "the run's own task is its run's to cancel"
    assert await asyncio.to_thread(task_interrupt, None) is None


# Sockets


def test_a_socket_is_shut_down_for_its_reader() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        interruptible = InterruptibleSocket(Cancellation())
        interruptible.shut_down()  # There is none yet.
        interruptible.use(ours)
        interruptible.shut_down()
        assert ours.recv(1) == b""
        assert theirs.recv(1) == b""


def test_a_socket_that_another_call_has_got_is_left_alone() -> None:
    """A connection goes back to its pool before the attempt that used it is quite over."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        before, after = InterruptibleSocket(Cancellation()), InterruptibleSocket(Cancellation())
        before.use(ours)
        after.use(ours)
        before.shut_down()
        theirs.send(b"x")
        assert ours.recv(1) == b"x"
        after.shut_down()
        assert ours.recv(1) == b""


def test_a_socket_is_not_used_for_a_cancelled_run() -> None:
    cancellation = Cancellation()
    interruptible = InterruptibleSocket(cancellation)
    cancellation.request()
    ours, theirs = socket.socketpair()
    with ours, theirs, pytest.raises(RunCancelled):
        interruptible.use(ours)


def test_a_closed_socket_is_shut_down_in_vain() -> None:
    ours, theirs = socket.socketpair()
    interruptible = InterruptibleSocket(Cancellation())
    interruptible.use(ours)
    ours.close()
    theirs.close()
    interruptible.shut_down()


# Threads


def test_work_that_fails_frees_its_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    failures: list[Any] = []
    monkeypatch.setattr(threading, "excepthook", failures.append)
    limit = ThreadLimit(1)
    done = threading.Event()

    def fail() -> None:
        raise ValueError("it fails")

    limit.start(fail)
    limit.start(done.set)
    assert done.wait(DEADLINE)
    assert [failure.exc_type for failure in failures] == [ValueError]


def test_work_that_waits_can_be_withdrawn() -> None:
    limit = ThreadLimit(1)
    go_on = threading.Event()
    began: list[str] = []

    def first() -> None:
        began.append("first")
        go_on.wait(DEADLINE)

    def second() -> None:
        began.append("second")

    limit.start(first)
    limit.start(second)
    assert limit.withdraw(second)
    assert not limit.withdraw(second)
    third = threading.Event()
    limit.start(third.set)
    go_on.set()
    assert third.wait(DEADLINE)
    assert began == ["first"]


def test_there_is_one_background_loop() -> None:
    barrier = threading.Barrier(20)
    loops: list[asyncio.AbstractEventLoop] = []

    def ask() -> None:
        barrier.wait()
        loops.append(background_loop())

    threads = [threading.Thread(target=ask) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(loops)) == 1
    assert sum(thread.name == "fieldstream loop" for thread in threading.enumerate()) == 1


# Runs in other circumstances


@pytest.fixture
def provider() -> Iterator[Provider]:
    with simulate() as provider:
        yield provider


def lm_of(provider: Provider) -> dspy.LM:
    return dspy.LM(provider.model, **provider.lm_kwargs, cache=False)


def held(provider: Provider) -> threading.Event:
    """The next answer stops in its midst, until the event is set."""
    gate = threading.Event()
    chunks = ["[[ ## answer ## ]]\n", *(f"{number} " for number in range(30)), "\n\n[[ ## completed ## ]]"]
    provider.script(Answer(chunks=chunks, gates={20: gate}))
    return gate


def test_ctrl_c_in_the_readers_thread(provider: Provider) -> None:
    held(provider)
    runs: list[Any] = []

    def read() -> None:
        with fieldstream.stream(dspy.Predict("question -> answer"), question="Why?") as run:
            runs.append(run)
            for piece in run.text("answer"):
                if piece:
                    _thread.interrupt_main()

    with dspy.context(lm=lm_of(provider)), pytest.raises(KeyboardInterrupt):
        read()
    assert runs[0].outcome == "cancelled"
    assert provider.requests[0].disconnected.wait(DEADLINE)


class Outer(dspy.Module):
    """A program that streams another one."""

    def __init__(self) -> None:
        super().__init__()
        self.predict = dspy.Predict("question -> answer")
        self.inner: list[Any] = []

    def forward(self, question: str) -> Any:
        with fieldstream.stream(self.predict, question=question) as run:
            self.inner.append(run)
            return "".join(run.text("answer"))

    async def aforward(self, question: str) -> Any:
        async with fieldstream.stream(self.predict, question=question) as run:
            self.inner.append(run)
            return "".join([piece async for piece in run.text("answer")])


@pytest.mark.parametrize("mode", ["async", "thread"])
async def test_a_run_within_a_run(provider: Provider, mode: Any) -> None:
    held(provider).set()
    program = Outer()
    with dspy.context(lm=lm_of(provider)):
        async with Streamer(program, mode=mode)(question="Why?") as run:
            assert (await run.wait()).startswith("0 1 2")
    assert program.inner[0].outcome == "completed"
    assert program.inner[0].id != run.id
    await no_tasks_left()


@pytest.mark.parametrize("mode", ["async", "thread"])
async def test_a_run_within_a_run_is_cancelled_with_it(provider: Provider, mode: Any) -> None:
    held(provider)
    program = Outer()
    with dspy.context(lm=lm_of(provider)):
        async with Streamer(program, mode=mode)(question="Why?") as run:
            await asyncio.to_thread(
                provider.wait_for, lambda: provider.requests and provider.requests[0].chunks_sent >= 20
            )
    with pytest.raises(RunCancelledError):
        _ = run.result
    assert await asyncio.to_thread(provider.requests[0].disconnected.wait, DEADLINE)
    assert program.inner[0].outcome == "cancelled"
    await no_tasks_left()


async def test_who_sees_the_outcome_sees_the_result() -> None:
    outcomes: list[Any] = []
    go_on = threading.Event()

    def program() -> int:
        go_on.wait(DEADLINE)
        return 3

    async with fieldstream.stream(program) as run:

        def watch() -> None:
            while run.outcome is None:
                pass
            outcomes.append(run.result)

        watcher = asyncio.create_task(asyncio.to_thread(watch))
        go_on.set()
        await watcher
    assert outcomes == [3]


async def test_a_result_that_cannot_be_shown() -> None:
    class Odd:
        def __repr__(self) -> str:
            raise RuntimeError("no words")

        __str__ = __repr__

    odd = Odd()
    async with fieldstream.stream(lambda: odd) as run:
        async with asyncio.timeout(DEADLINE):
            assert await run.wait() is odd
    end = read_all(run._log)[-1]
    assert isinstance(end, RunEnded)
    assert end.outcome == "completed"
