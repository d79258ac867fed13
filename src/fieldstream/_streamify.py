"""``streamify``: a program wrapped so that it yields its output as it comes."""

import inspect
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Any

import dspy

from fieldstream import _listener
from fieldstream._listener import Listening, StreamListener
from fieldstream._messages import StatusMessageProvider
from fieldstream._run import Execution, Launch, Mode
from fieldstream._values import ValueQueue
from fieldstream.log import ready, ready_blocking

_FLAG = "include_final_prediction_in_output_stream"


class _Output:
    """One run's output, for one consumer."""

    def __init__(self, launch: Launch, provider: Any, listening: Listening, *, include_final: bool) -> None:
        self._queue = ValueQueue(listening.fields)
        self._execution = Execution(launch, self._queue, provider, names=listening.names)
        self._include_final = include_final
        self._unread: deque[Any] = deque()
        self._started = False
        self._over = False
        self._raised = False

    def _take(self) -> bool:
        """Make the next values ready to be read; ``False``: wait for some."""
        if not self._unread and not self._over:
            self._unread.extend(self._queue.take())
            if not self._unread and self._queue.ended:
                self._over = True
                self._unread.extend(self._queue.take())
                if self._execution.outcome == "completed" and self._has_final():
                    self._unread.append(self._execution.result(""))
        return bool(self._unread) or self._over

    def _has_final(self) -> bool:
        return self._include_final or self._queue.cached or not self._queue.caught

    def _end(self) -> None:
        """Nothing is left to read: the program's exception comes now, once."""
        error, self._raised = (None if self._raised else self._execution.error), True
        if error is not None:
            raise error

    def _leave(self) -> None:
        """The consumer is gone. Without one the run has no purpose."""
        self._unread.clear()
        self._over = self._raised = True
        self._execution.cancel()

    def __del__(self) -> None:
        if "_execution" in vars(self) and self._started and not self._over:
            self._leave()


class AsyncOutput(_Output, AsyncIterator[Any]):
    """What a wrapped program yields. The run begins with the first value that is asked for.

    Leaving an ``async for`` early ends the run, and so does ``aclose()``.
    """

    def __aiter__(self) -> AsyncIterator[Any]:
        return _AsyncLoop(self)

    async def __anext__(self) -> Any:
        if not self._started:
            self._started = True
            self._execution.start_in_loop()
        while not self._take():
            await ready(self._queue.wait, self._queue.forget)
        if self._unread:
            return self._unread.popleft()
        self._end()
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """Leave: end the run, if it goes on."""
        if self._started:
            self._leave()
            await self._execution.leave()
        self._over = self._raised = True


class SyncOutput(_Output, Iterator[Any]):
    """As ``AsyncOutput``, for threads."""

    def __iter__(self) -> Iterator[Any]:
        return _Loop(self)

    def __next__(self) -> Any:
        if not self._started:
            self._started = True
            self._execution.start_in_thread()
            self._execution.release()
        while not self._take():
            ready_blocking(self._queue.wait, self._queue.forget)
        if self._unread:
            return self._unread.popleft()
        self._end()
        raise StopIteration

    def close(self) -> None:
        """Leave: end the run, if it goes on."""
        if self._started:
            self._leave()
            self._execution.leave_blocking()
        self._over = self._raised = True


class _AsyncLoop(AsyncIterator[Any]):
    """One ``async for`` over the output. A consumer that breaks off drops it, even where it keeps the output itself."""

    def __init__(self, output: AsyncOutput) -> None:
        self._output = output

    async def __anext__(self) -> Any:
        return await self._output.__anext__()

    async def aclose(self) -> None:
        """Leave: end the run, if it goes on."""
        await self._output.aclose()

    def __del__(self) -> None:
        _drop(self._output)


class _Loop(Iterator[Any]):
    """One ``for`` over the output."""

    def __init__(self, output: SyncOutput) -> None:
        self._output = output

    def __next__(self) -> Any:
        return next(self._output)

    def close(self) -> None:
        """Leave: end the run, if it goes on."""
        self._output.close()

    def __del__(self) -> None:
        _drop(self._output)


def _drop(output: _Output) -> None:
    if output._started and not output._over:
        output._leave()


def streamify(
    program: Callable[..., Any],
    status_message_provider: StatusMessageProvider | None = None,
    stream_listeners: Sequence[StreamListener] | None = None,
    include_final_prediction_in_output_stream: bool = True,
    is_async_program: bool = False,
    async_streaming: bool = True,
) -> Callable[..., Any]:
    """Wrap a DSPy program so that a call of it gives a stream: to ``async for``, or with ``async_streaming=False`` to ``for``.

    Without listeners, the stream yields the provider's chunks, as DSPy hands them over; with some, a ``StreamResponse``
    for each text of a field that one of them listens to. Also ``StatusMessage``, whatever the program sends to
    ``dspy.settings.send_stream``, and at the end what the program returned; with
    ``include_final_prediction_in_output_stream=False`` that comes only if an answer came from a cache, or no listener
    caught anything. ``is_async_program`` awaits the program's ``acall``; else it is called in a thread.

    Each call is a run of its own, in the DSPy settings of the call. An exception of the program reaches the consumer as
    itself. Raises ``ValueError`` for a listener that fits no field of the program, or several.
    """
    listening = _listener.resolve(program, stream_listeners or ())
    provider = status_message_provider if status_message_provider is not None else StatusMessageProvider()
    mode: Mode = "async" if is_async_program or inspect.iscoroutinefunction(program) else "thread"
    takes_flag = _takes(program, _FLAG)

    def wrapped(*args: Any, **inputs: Any) -> AsyncOutput | SyncOutput:
        include_final = include_final_prediction_in_output_stream
        if not takes_flag:
            include_final = inputs.pop(_FLAG, include_final)
        output = AsyncOutput if async_streaming else SyncOutput
        return output(Launch(program, args, inputs, mode), provider, listening, include_final=include_final)

    return wrapped


def _takes(program: Any, name: str) -> bool:
    """Whether the program has an argument of this name."""
    if isinstance(program, dspy.Module):
        if any(name in predictor.signature.input_fields for predictor in program.predictors()):
            return True
        program = type(program).forward if hasattr(type(program), "forward") else program.__call__
    try:
        parameters = inspect.signature(program).parameters
    except (TypeError, ValueError):
        return False
    return name in parameters
