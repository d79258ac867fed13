"""The tap on DSPy's native engines (3.4 and later): one attempt of an LM's call streams inside, and reports as it goes.

DSPy asks its engine to ``complete`` a request. In a run it is handed an engine whose ``complete`` iterates the real
one's ``stream``, so that retries, fallbacks, candidates, caching, usage and history stay DSPy's own.

Touches of DSPy: ``dspy.clients.execution._attempt`` and ``_aattempt`` (wrapped; one call is one attempt, ``results``
holds one entry for each earlier candidate, ``state.result`` the outcome) and the module's ``time`` (its retries sleep);
``StreamAccumulator``, ``checked_stream``, ``closing_stream`` and their async twins; ``ListenerBridge`` for the chunks that
``streamify`` hands on; ``parse_sse`` and ``aparse_sse`` as the providers' modules name them (their size limits do not hold
for the plain call, so they do not hold here, and they show whether the end mark came).
"""

import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from typing import Any

from dspy import lm15
from dspy._vendor.lm15.providers import async_base, base
from dspy._vendor.lm15.result import StreamAccumulator
from dspy.clients import execution
from dspy.clients.engines.lifecycle import aclosing_stream, closing_stream
from dspy.clients.engines.lm15_engine import AsyncLM15Engine, LM15Engine
from dspy.clients.engines.stream_guard import achecked_stream, checked_stream
from dspy.clients.engines.streaming import ListenerBridge
from dspy.utils.exceptions import LMUnsupportedFeatureError

from fieldstream.tap.current import current_tap
from fieldstream.tap.sockets import interruptible_socket
from fieldstream.tap.tap import LmCall

_UNSUPPORTED = (lm15.UnsupportedFeatureError, LMUnsupportedFeatureError)
_NO_LIMIT = 1 << 62


class _Marks:
    """What the wire said besides events."""

    __slots__ = ("done",)

    def __init__(self) -> None:
        self.done = False


_marks: ContextVar[_Marks | None] = ContextVar("fieldstream_marks", default=None)


class _Report:
    """Takes the events of one attempt: text to the fields, the rest where it belongs; and builds the response."""

    __slots__ = ("_accumulator", "_bridge", "_calls", "_index", "_lm", "_marks", "_names")

    def __init__(self, lm: LmCall, index: int, model: str, request: Any, marks: _Marks) -> None:
        self._lm = lm
        self._index = index
        self._accumulator = StreamAccumulator(request)
        self._marks = marks
        self._bridge = ListenerBridge(model, id(lm.predictor)) if lm.tap.recorder.sink.wants_chunks else None
        # Fragments of tool calls by part: DSPy's accumulator, given them singly, parses all of them again at each.
        self._calls: dict[int, list[Any]] = {}

    def push(self, event: Any) -> None:
        kind = event.type
        if kind == "delta":
            delta = event.delta
            if delta.type == "text":
                if delta.text:
                    self._lm.text(self._index, delta.text)
                self._accumulator.push(event)
            elif delta.type == "tool_call":
                self._calls.setdefault(delta.part_index, []).append(delta)
                if delta.input:
                    self._lm.other(self._index, "tool_call", delta.input)
            else:
                if delta.type == "thinking" and delta.text:
                    self._lm.other(self._index, "reasoning", delta.text)
                self._accumulator.push(event)
        elif kind == "end":
            self._check_end(event)
            self._accumulator.push(event)
        else:
            self._accumulator.push(event)
        if self._bridge is not None and (chunk := self._bridge.chunk(event)):
            self._lm.tap.recorder.chunk(self._lm.call, chunk)

    def response(self) -> Any:
        for part, deltas in self._calls.items():
            self._accumulator.push(
                lm15.StreamDeltaEvent(
                    delta=lm15.ToolCallDelta(
                        input="".join(delta.input for delta in deltas),
                        part_index=part,
                        id=next((delta.id for delta in reversed(deltas) if delta.id is not None), None),
                        name=next((delta.name for delta in reversed(deltas) if delta.name is not None), None),
                    )
                )
            )
        self._lm.finish(self._index)
        return self._accumulator.response()

    def _check_end(self, event: Any) -> None:
        # A chunk with nothing but usage is taken for an end by DSPy. The stream was cut off all the same.
        if event.finish_reason is None and not self._marks.done and "choices" in (event.provider_data or {}):
            raise _cut_off()


def _cut_off() -> Exception:
    return lm15.TransportError("the provider's stream ended without a finish reason and without its end mark")


class _StreamingEngine:
    """An engine for one attempt, in place of a synchronous one."""

    def __init__(self, engine: Any, lm: LmCall, index: int, provider: str | None) -> None:
        self._engine = engine
        self._lm = lm
        self._index = index
        self._provider = provider

    def complete(self, request: Any) -> Any:
        cancellation = self._lm.tap.cancellation
        with ExitStack() as stack:
            socket = stack.enter_context(interruptible_socket(cancellation))
            stack.enter_context(cancellation.interrupting(socket.shut_down))
            marks = stack.enter_context(_watching_marks())
            report = _Report(self._lm, self._index, request.model, request, marks)
            try:
                with closing_stream(self._events(request)) as events:
                    for event in events:
                        report.push(event)
            except _UNSUPPORTED:
                return self._engine.complete(request)
            except lm15.StreamAssemblyError as error:
                raise _retryable(error) from error
            return report.response()

    def _events(self, request: Any) -> Iterator[Any]:
        stream = self._engine.stream(request)
        return stream if isinstance(self._engine, LM15Engine) else checked_stream(stream, provider=self._provider)


class _AsyncStreamingEngine:
    """As ``_StreamingEngine``, in place of an asynchronous engine."""

    def __init__(self, engine: Any, lm: LmCall, index: int, provider: str | None) -> None:
        self._engine = engine
        self._lm = lm
        self._index = index
        self._provider = provider

    async def complete(self, request: Any) -> Any:
        with _watching_marks() as marks:
            report = _Report(self._lm, self._index, request.model, request, marks)
            try:
                async with aclosing_stream(self._events(request)) as events:
                    async for event in events:
                        report.push(event)
            except _UNSUPPORTED:
                return await self._engine.complete(request)
            except lm15.StreamAssemblyError as error:
                raise _retryable(error) from error
            return report.response()

    def _events(self, request: Any) -> AsyncIterator[Any]:
        stream = self._engine.stream(request)
        return stream if isinstance(self._engine, AsyncLM15Engine) else achecked_stream(stream, provider=self._provider)


def _retryable(error: Exception) -> Exception:
    """A stream without its end is a broken connection, which DSPy may retry; anything else about it is as it was."""
    return _cut_off() if "without a completion event" in str(error) else error


@contextmanager
def _watching_marks() -> Iterator[_Marks]:
    token = _marks.set(marks := _Marks())
    try:
        yield marks
    finally:
        _marks.reset(token)


def _streams(backend: Any, request: Any) -> bool:
    return request is not None and callable(getattr(backend, "stream", None))


def _wrap_attempt(original: Callable[..., None]) -> Callable[..., None]:
    def attempt(lm: Any, call: Any, backend: Any, request: Any, provider: Any, state: Any, results: Any) -> None:
        active = _active()
        if active is None:
            return original(lm, call, backend, request, provider, state, results)
        index = len(results)
        active.attempted = True
        if _streams(backend, request):
            active.begin(index)
            backend = _StreamingEngine(backend, active, index, provider)
        try:
            return original(lm, call, backend, request, provider, state, results)
        finally:
            _account(active, state)

    return attempt


def _wrap_async_attempt(original: Callable[..., Any]) -> Callable[..., Any]:
    async def attempt(lm: Any, call: Any, backend: Any, request: Any, provider: Any, state: Any, results: Any) -> None:
        active = _active()
        if active is None:
            return await original(lm, call, backend, request, provider, state, results)
        index = len(results)
        active.attempted = True
        if _streams(backend, request):
            active.begin(index)
            backend = _AsyncStreamingEngine(backend, active, index, provider)
        try:
            return await original(lm, call, backend, request, provider, state, results)
        finally:
            _account(active, state)

    return attempt


def _active() -> LmCall | None:
    tap = current_tap()
    return tap.observer.active_lm() if tap is not None else None


def _account(active: LmCall, state: Any) -> None:
    if state.result is not None:
        active.spent(state.result.usage)


class _Time:
    """The ``time`` module, as the retries of DSPy's LMs use it: in a run, their sleep ends with a cancel."""

    def __getattr__(self, name: str) -> Any:
        return getattr(time, name)

    @staticmethod
    def sleep(seconds: float) -> None:
        tap = current_tap()
        if tap is None:
            time.sleep(seconds)
        else:
            tap.cancellation.sleep(seconds)


def _wrap_parse_sse(original: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
    def parse_sse(lines: Iterator[bytes], **limits: int) -> Iterator[Any]:
        marks = _marks.get()
        if marks is None:
            yield from original(lines, **limits)
            return
        for event in original(lines, max_line_bytes=_NO_LIMIT, max_event_bytes=_NO_LIMIT):
            if event.data == "[DONE]":
                marks.done = True
            yield event

    return parse_sse


def _wrap_aparse_sse(original: Callable[..., AsyncIterator[Any]]) -> Callable[..., AsyncIterator[Any]]:
    async def aparse_sse(lines: AsyncIterator[bytes], **limits: int) -> AsyncIterator[Any]:
        marks = _marks.get()
        if marks is None:
            async for event in original(lines, **limits):
                yield event
            return
        async for event in original(lines, max_line_bytes=_NO_LIMIT, max_event_bytes=_NO_LIMIT):
            if event.data == "[DONE]":
                marks.done = True
            yield event

    return aparse_sse


def install() -> None:
    """Put the tap in place, once in a process. Outside of a run everything is as before."""
    execution._attempt = _wrap_attempt(execution._attempt)
    execution._aattempt = _wrap_async_attempt(execution._aattempt)
    execution.time = _Time()
    base.parse_sse = _wrap_parse_sse(base.parse_sse)
    async_base.aparse_sse = _wrap_aparse_sse(async_base.aparse_sse)
