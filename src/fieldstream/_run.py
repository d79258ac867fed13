"""A run: a program at work under the tap, with its log, its cancel and its end."""

import asyncio
import contextvars
import inspect
import secrets
import threading
from collections.abc import Callable, Coroutine, Mapping
from contextlib import closing
from typing import Any, Literal

import dspy

from fieldstream import tap
from fieldstream._errors import RunCancelledError, RunNotEndedError
from fieldstream._fields import FieldName, find_field, find_list
from fieldstream._latch import Latch
from fieldstream.events import Failure, Outcome
from fieldstream.tap.waits.cancel import cancel_task

Mode = Literal["auto", "async", "thread"]

_GRACE = 0.05
"""How long, in seconds, a leaver waits for a cancelled program to be gone, which it mostly is at once."""

_HEAD_START = 0.05
"""How long, in seconds, a program waits for a thread to say what it reads: a wrong name stops it before it starts."""

CANCELLED = Failure(kind="cancelled", message="the run was cancelled")
ENOUGH = Failure(kind="stopped", message="the run ended early: the field that it was to go on until is whole")


class Launch:
    """What to run: a program with its inputs, in the context of the one who asked."""

    def __init__(
        self, program: Callable[..., Any], args: tuple[Any, ...], inputs: Mapping[str, Any], mode: Mode
    ) -> None:
        self.program = program
        self.args = args
        self.inputs = dict(inputs)
        self.mode = mode
        self.context = contextvars.copy_context()

    @property
    def name(self) -> str:
        """The program's name, for people."""
        if isinstance(self.program, dspy.Module):
            return type(self.program).__name__
        return getattr(self.program, "__name__", type(self.program).__name__)

    @property
    def is_async(self) -> bool:
        """Whether the program can be awaited in its reader's loop."""
        if self.mode == "auto":
            return self._is_coroutine_function() or hasattr(self.program, "aforward")
        return self.mode == "async"

    def awaitable(self) -> Any:
        """Call the program as ``acall`` does; what comes is to be awaited."""
        call = getattr(self.program, "acall", self.program)
        return call(*self.args, **self.inputs)

    def call(self) -> Any:
        """Call the program in a thread. A coroutine that comes is to be awaited, in a loop of that thread's own."""
        return self.awaitable() if self.mode == "async" else self.program(*self.args, **self.inputs)

    def _is_coroutine_function(self) -> bool:
        if isinstance(self.program, dspy.Module):
            return False
        return any(map(inspect.iscoroutinefunction, (self.program, type(self.program).__call__)))


class Execution:
    """A program at work: in a task of the reader's loop, or in a thread. What it says goes to the sink."""

    def __init__(
        self,
        launch: Launch,
        sink: tap.Sink,
        status: object,
        *,
        lm_text: bool = False,
        names: Mapping[str, dspy.Module] | None = None,
        until: FieldName | None = None,
    ) -> None:
        tap.install()
        self.id = secrets.token_urlsafe(12)
        self.outcome: Outcome | None = None
        self.launch = launch
        self._tap = tap.Tap(sink, tap.Names(launch.program, names or {}), status, lm_text=lm_text)
        self._until = until
        if until is not None:
            self._tap.recorder.on_field_end = self._field_ended
        self._task: asyncio.Task[None] | None = None
        self._work: Callable[[], None] | None = None
        # Reentrant: a consumer that is collected while its own run ends cancels it from wherever that happens.
        self._lock = threading.RLock()
        self._result: Any = None
        self._error: BaseException | None = None
        # Why it was cancelled, if that was said.
        self._reason: Failure | None = None
        # Set when the closing event is in; and when the program's task or thread is gone, which may be later.
        self._ended = Latch()
        self._gone = Latch()
        self._head_start: threading.Event | None = None
        self._detach: Callable[[], None] = _nothing

    # Starting

    def start_in_loop(self) -> None:
        """Start from a task of a running loop. The program begins when that task next suspends."""
        loop = asyncio.get_running_loop()
        self._attach()
        self._tap.recorder.start(self.id, self.launch.name)
        if self.launch.is_async:
            self._task = loop.create_task(self._in_task(), context=self.launch.context)
            self._task.add_done_callback(self._task_done)
        else:
            loop.call_soon(self._start_thread, lambda: self._in_thread(loop))

    def start_in_thread(self) -> None:
        """Start from a thread. The program begins with ``release``, or shortly after."""
        self._attach()
        self._tap.recorder.start(self.id, self.launch.name)

        head_start = self._head_start = threading.Event()

        def work() -> None:
            head_start.wait(_HEAD_START)
            self._in_thread(tap.background_loop())

        self._start_thread(work)

    def release(self) -> None:
        """The reader has said what it reads."""
        if self._head_start is not None:
            self._head_start.set()

    def _attach(self) -> None:
        """A run that another run's program starts is cancelled with that one."""
        if (outer := tap.current_tap()) is not None:
            self._detach = outer.cancellation.add(self.cancel)

    def _start_thread(self, work: Callable[[], None]) -> None:
        if self._tap.cancellation.requested:
            self._go()
            return
        self._work = work
        try:
            tap.threads.start(work)
        except RuntimeError as error:  # The system has no room for another thread.
            self._end("failed", error=error)
            self._go()

    # At work, in a task

    async def _in_task(self) -> None:
        loop = asyncio.get_running_loop()
        task = self._tap.state.root_task = asyncio.current_task()
        try:
            await asyncio.sleep(0)  # An eager task, too, leaves its reader the time to say what it reads.
            with self._settings():
                result = await self.launch.awaitable()
            await self._status_messages(loop)
        except asyncio.CancelledError as error:
            if self._tap.cancellation.requested or (task is not None and task.cancelling()):
                self._end("cancelled")
            else:
                self._end("failed", error=error)
        except BaseException as error:
            self._end("failed", error=error)
            if isinstance(error, KeyboardInterrupt | SystemExit):
                raise  # They end the loop, as they do where the program is awaited itself.
        else:
            self._end("completed", result)
        for message in self._pending(loop):
            message.cancel()

    async def _status_messages(self, loop: asyncio.AbstractEventLoop) -> None:
        """Wait for those that are still being worded."""
        if pending := self._pending(loop):
            await asyncio.wait(pending)

    def _pending(self, loop: asyncio.AbstractEventLoop) -> list[asyncio.Task[None]]:
        return [message for message in tuple(self._tap.observer.pending) if message.get_loop() is loop]

    def _task_done(self, task: asyncio.Task[None]) -> None:
        self._end("cancelled")  # If it has not ended: the task was cancelled before its first step.
        if not task.cancelled():
            task.exception()  # It is known, so that asyncio need not report it.
        self._go()

    # At work, in a thread

    def _in_thread(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            if not self._tap.cancellation.requested:
                self.launch.context.run(self._call, loop)
        finally:
            self._go()

    def _call(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            with self._settings(), tap.as_anyio_worker(loop):
                result = self.launch.call()
                if inspect.iscoroutine(result):
                    result = asyncio.run(self._awaited(result))
        except BaseException as error:
            if self._tap.cancellation.requested:
                self._end("cancelled")
            else:
                self._end("failed", error=error)
        else:
            self._end("completed", result)

    async def _awaited(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        with closing(coroutine), self._tap.cancellation.cancelling_task():
            self._tap.state.root_task = asyncio.current_task()
            result = await coroutine
            await self._status_messages(asyncio.get_running_loop())
            return result

    def _settings(self) -> Any:
        # A listener that listens to no predictor keeps `Predict` from handing the outlet to its LM.
        return tap.tapped(self._tap, send_stream=self._tap.outlet, stream_listeners=[_NoListener()])

    # Reading

    def find_field(self, name: str, *, typed: bool = False) -> FieldName:
        """The program's field of this name; its type is known."""
        return find_field(self.launch.program, name)

    def find_list(self, name: str) -> FieldName:
        """The program's field of this name, which is a list."""
        return find_list(self.launch.program, name)

    # Ending

    def cancel(self, reason: Failure | None = None) -> None:
        """End the run now, and what it does as soon as that can be. Any thread may; after the end it does nothing."""
        self._end("cancelled", reason=reason)
        if self.outcome == "cancelled":
            self._interrupt()

    def _field_ended(self, call: tap.Call, values: dict[str, Any]) -> None:
        """Some fields of a predictor's call are whole. If the one is among them that was waited for, that is all."""
        if self._until is None or self._until.field not in values or not self._until.fits(call.name):
            return
        answer = self.answers[call.id]
        prediction = answer.so_far(values)
        answer.prediction = prediction
        self._tap.recorder.close(call, unfinished=ENOUGH, fields=values)
        self._end("completed", prediction, unfinished=ENOUGH)
        self._interrupt()

    def _interrupt(self) -> None:
        """What the program still does is of no use any more."""
        if self._gone.is_set or not self._tap.cancellation.request():
            return
        self.release()
        if self._task is not None:
            cancel_task(self._task)
        elif self._work is not None and tap.threads.withdraw(self._work):
            self._go()

    def _end(
        self,
        outcome: Outcome,
        result: Any = None,
        error: BaseException | None = None,
        reason: Failure | None = None,
        unfinished: Failure | None = None,
    ) -> None:
        with self._lock:
            if self.outcome is not None:
                return
            self._result = result
            self._error = error
            self._reason = reason
            self.outcome = outcome  # last: whoever sees it finds the others
        self._detach()
        try:
            members: dict[str, Any] = {"usage": tap.to_json(self._tap.state.total_usage())}
            if outcome == "completed":
                members["result"] = tap.to_json(result)
            elif outcome == "failed" and error is not None:
                members["error"] = tap.failure(error)
            else:
                members["error"] = reason or CANCELLED
            self._tap.recorder.end(outcome, unfinished=unfinished, **members)
        finally:
            self._ended.set()

    def _go(self) -> None:
        """The program's task or thread is gone, or will never be."""
        self._gone.set()

    # What came of it

    @property
    def usage(self) -> dict[str, dict[str, Any]]:
        """What the LMs have used so far, by model, in the form of DSPy's usage tracker."""
        return self._tap.state.total_usage()

    @property
    def answers(self) -> Mapping[str, tap.Answer]:
        """The live objects of predictors' calls, by call id."""
        return self._tap.state.answers

    @property
    def error(self) -> BaseException | None:
        """The program's exception."""
        return self._error

    def result(self, wait: str) -> Any:
        """What the program returned; raises what it raised. ``wait`` is what an asker who came too early should do."""
        if self.outcome is None:
            raise RunNotEndedError(f"run {self.id} has not ended and has no result yet; call `{wait}` to wait for it")
        if self._error is not None:
            raise self._error
        if self.outcome == "cancelled":
            reason = "" if self._reason is None else f": {self._reason.message}"
            raise RunCancelledError(f"run {self.id} was cancelled before it ended, so that it has no result{reason}")
        return self._result

    async def wait(self) -> None:
        """Wait for the closing event."""
        await self._ended.wait()

    def wait_blocking(self) -> None:
        """As ``wait``, for a thread."""
        self.release()
        self._ended.wait_blocking()

    async def leave(self) -> None:
        """Cancel what goes on, and see it off if that takes no time."""
        self.cancel()
        await self._gone.wait(_GRACE)

    def leave_blocking(self) -> None:
        """As ``leave``, for a thread."""
        self.cancel()
        self._gone.wait_blocking(_GRACE)


class _NoListener:
    """Stands in ``settings.stream_listeners``: equal to no predictor's listener."""

    predict = object()


def _nothing() -> None: ...
