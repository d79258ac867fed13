"""Engines that stream inside and report as they go, in place of DSPy's native ones (3.4 and later).

An LM asks its engine to ``complete`` a request. In a run it asks one of these, whose ``complete`` iterates the real
one's ``stream``, and gives what that one's ``complete`` would.

Touches of DSPy: ``StreamAccumulator``, ``checked_stream``, ``closing_stream``, ``achecked_stream`` and
``aclosing_stream``; of its native engines, ``LM15Engine`` and ``AsyncLM15Engine``, the ``_target`` (the provider that
their ``stream`` goes to, without the layers between: those cost as much as all of ours; where it is not as we know it,
their ``stream`` is taken); ``error_from_event``; ``ListenerBridge`` for the chunks that ``streamify`` hands on; and
``parse_sse`` and ``aparse_sse`` as the providers' modules ``base`` and ``async_base`` name them (replaced in a stream
of ours: their limits of size do not hold for a plain answer, and they do not tell whether the end mark came).
"""

# What DSPy's internals are has few types, and they are private.
# pyright: reportPrivateUsage=false, reportPrivateImportUsage=false
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from typing import Any
from weakref import WeakKeyDictionary

from dspy import lm15
from dspy._vendor.lm15.providers import async_base, base
from dspy._vendor.lm15.result import StreamAccumulator
from dspy.clients.engines.lifecycle import aclosing_stream, closing_stream
from dspy.clients.engines.lm15_engine import AsyncLM15Engine, LM15Engine
from dspy.clients.engines.stream_guard import achecked_stream, checked_stream, error_from_event
from dspy.clients.engines.streaming import ListenerBridge
from dspy.utils.exceptions import LMUnsupportedFeatureError

from fieldstream.tap.internals import UnknownInternalError, known, lacking
from fieldstream.tap.lms.lm_call import LmCall
from fieldstream.tap.lms.stream.sse import SseDecoder, adecode, current_decoder, decode
from fieldstream.tap.lms.stream.text import is_read_alike, text_of
from fieldstream.tap.waits.sockets import interruptible_socket

_known_models: WeakKeyDictionary[Any, set[str]] = WeakKeyDictionary()
"""The models for which an asynchronous engine has its provider."""

_UNSUPPORTED = (lm15.UnsupportedFeatureError, LMUnsupportedFeatureError)


class _Report:
    """Takes the events of one attempt: text to the fields, the rest where it belongs; and builds the response."""

    __slots__ = (
        "_accumulator",
        "_bridge",
        "_calls",
        "_came",
        "_ended",
        "_index",
        "_lm",
        "_provider",
        "_texts",
        "_thoughts",
        "decoder",
    )

    def __init__(self, lm: LmCall, index: int, request: Any, provider: str | None) -> None:
        self._lm = lm
        self._index = index
        self._provider = provider
        self._ended = False
        self._came: list[str] = []
        self.decoder = SseDecoder()
        self._accumulator = StreamAccumulator(request)
        wanted = lm.state.recorder.sink.wants_chunks or lm.wants_chunks(index)
        self._bridge = ListenerBridge(request.model, id(lm.predictor)) if wanted else None
        # By part, and given to DSPy's accumulator at the end: it takes its time over each piece of a text, and parses
        # the whole of a tool call anew at each.
        self._texts: dict[int, list[str]] = {}
        self._thoughts: list[str] = []
        self._calls: dict[int, list[Any]] = {}

    def allow_text(self, provider: Any, request: Any) -> None:
        """The stream is this provider's: its text may be taken from the wire, if nobody wants the chunks."""
        if self._bridge is None and is_read_alike(provider, request):
            self.decoder.take, self.decoder.taken = self._take, self._flush

    def _take(self, data: bytes) -> bool:
        delta = text_of(data)
        if delta is None:
            return False
        if thought := delta.reasoning_content or delta.reasoning:
            self._flush()
            self._thoughts.append(thought)
            self._lm.reasoning(self._index, thought)
        if delta.content:
            self._came.append(delta.content)
        return True

    def _flush(self) -> None:
        """Tell of the text that came with the last block of the stream."""
        if self._came:
            came, self._came = self._came, []
            self._texts.setdefault(0, []).extend(came)
            self._lm.text(self._index, *came)

    def push(self, event: Any) -> None:
        if event.type == "delta":
            self._delta(event.delta, event)
        else:
            if event.type == "end":
                self._check_end(event)
            elif event.type == "error":
                raise error_from_event(event, provider=self._provider)
            self._accumulator.push(event)
        if self._bridge is not None and (chunk := self._bridge.chunk(event)):
            self._lm.chunk(self._index, chunk)
            self._lm.state.recorder.chunk(self._lm.call, chunk)

    def _delta(self, delta: Any, event: Any) -> None:
        if delta.type == "text":
            if delta.logprobs or not delta.logprobs_complete:
                self._assemble_text(delta.part_index)  # what came before
                self._accumulator.push(event)
            else:
                self._texts.setdefault(delta.part_index, []).append(delta.text)
            if delta.text:
                self._lm.text(self._index, delta.text)
        elif delta.type == "tool_call":
            self._calls.setdefault(delta.part_index, []).append(delta)
            self._lm.tool_call(self._index, delta.part_index, delta.name, delta.input)
        else:
            self._assemble_thoughts()
            self._accumulator.push(event)
            if delta.type == "thinking" and delta.text:
                self._lm.reasoning(self._index, delta.text)

    def _check_end(self, event: Any) -> None:
        self._ended = True
        if "endings" in lacking:
            return  # Nobody knows whether the end mark came.
        # DSPy takes a chunk with nothing but usage for an end. The stream was cut off all the same.
        if event.finish_reason is None and not self.decoder.done and "choices" in (event.provider_data or {}):
            raise _cut_off()

    def response(self) -> Any:
        if not self._ended:
            raise _cut_off()
        self._assemble_thoughts()
        for part in tuple(self._texts):
            self._assemble_text(part)
        for part, fragments in self._calls.items():
            call = lm15.ToolCallDelta(
                input="".join(fragment.input for fragment in fragments),
                part_index=part,
                id=next((fragment.id for fragment in reversed(fragments) if fragment.id is not None), None),
                name=next((fragment.name for fragment in reversed(fragments) if fragment.name is not None), None),
            )
            self._accumulator.push(lm15.StreamDeltaEvent(delta=call))
        self._lm.finish(self._index)
        return self._accumulator.response()

    def _assemble_thoughts(self) -> None:
        if self._thoughts:
            thought = lm15.ThinkingDelta(text="".join(self._thoughts))
            self._thoughts = []
            self._accumulator.push(lm15.StreamDeltaEvent(delta=thought))

    def _assemble_text(self, part: int) -> None:
        if pieces := self._texts.pop(part, None):
            text = lm15.TextDelta(text="".join(pieces), part_index=part)
            self._accumulator.push(lm15.StreamDeltaEvent(delta=text))


def _cut_off() -> Exception:
    return lm15.TransportError("the provider's stream ended without a finish reason and without its end mark")


class _Attempt:
    """One attempt at one answer of an LM, by an engine that streams."""

    def __init__(self, engine: Any, lm: LmCall, index: int, provider: str | None) -> None:
        self._engine = engine
        self._lm = lm
        self._index = index
        self._provider = provider

    @contextmanager
    def _report(self, request: Any) -> Generator[_Report]:
        """Read a stream in this block. What is wrong with it is raised as what would be wrong with a whole answer."""
        report = _Report(self._lm, self._index, request, self._provider)
        token = current_decoder.set(report.decoder)
        try:
            yield report
        except lm15.StreamAssemblyError as error:
            # A stream without its end is a broken connection, which DSPy may retry.
            raise (_cut_off() if "without a completion event" in str(error) else error) from error
        except json.JSONDecodeError as error:
            message = f"an event of the provider's stream is not JSON: {error}"
            raise lm15.ProviderError(message, provider=self._provider, status=200) from error
        finally:
            current_decoder.reset(token)


class StreamingEngine(_Attempt):
    """An engine for one attempt, in place of a synchronous one."""

    def complete(self, request: Any) -> Any:
        try:
            return self._stream(request)
        except _UNSUPPORTED:
            return self._engine.complete(request)

    def _stream(self, request: Any) -> Any:
        cancellation = self._lm.state.cancellation
        with ExitStack() as stack:
            socket = stack.enter_context(interruptible_socket(cancellation))
            stack.enter_context(cancellation.interrupting(socket.shut_down))
            report = stack.enter_context(self._report(request))
            events = stack.enter_context(closing_stream(self._events(request, report)))
            for event in events:
                report.push(event)
            return report.response()

    def _events(self, request: Any, report: _Report) -> Iterator[Any]:
        if isinstance(self._engine, LM15Engine) and _has_target(type(self._engine)):
            provider, routed = self._engine._target(request, streaming=True)
            report.allow_text(provider, routed)
            return provider.stream(routed)
        return checked_stream(self._engine.stream(request), provider=self._provider)


class AsyncStreamingEngine(_Attempt):
    """As ``StreamingEngine``, in place of an asynchronous engine."""

    async def complete(self, request: Any) -> Any:
        try:
            return await self._stream(request)
        except _UNSUPPORTED:
            return await self._engine.complete(request)

    async def _stream(self, request: Any) -> Any:
        with self._report(request) as report:
            async with aclosing_stream(await self._events(request, report)) as events:
                async for event in events:
                    report.push(event)
            return report.response()

    async def _events(self, request: Any, report: _Report) -> AsyncIterator[Any]:
        if isinstance(self._engine, AsyncLM15Engine) and _has_target(type(self._engine)):
            known_models = _known_models.setdefault(self._engine, set())
            if request.model in known_models:
                provider, routed = self._engine._target(request, streaming=True)
            else:
                # In a thread, as the engine does it: credentials may be loaded where a provider is made.
                provider, routed = await asyncio.to_thread(self._engine._target, request, streaming=True)
                known_models.add(request.model)
            report.allow_text(provider, routed)
            return provider.stream(routed)
        return achecked_stream(self._engine.stream(request), provider=self._provider)


@cache
def _has_target(engine: Any) -> bool:
    """Whether the way past the engine's layers is the one we know; else its ``stream`` is taken."""
    try:
        known(engine._target, "self", "request", "streaming")
    except (UnknownInternalError, AttributeError):
        return False
    return True


def _wrap_parse_sse(original: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
    def parse_sse(lines: Iterator[bytes], **limits: int) -> Iterator[Any]:
        decoder = current_decoder.get()
        return original(lines, **limits) if decoder is None else decode(decoder, lines)

    return parse_sse


def _wrap_aparse_sse(original: Callable[..., AsyncIterator[Any]]) -> Callable[..., AsyncIterator[Any]]:
    def aparse_sse(lines: AsyncIterator[bytes], **limits: int) -> AsyncIterator[Any]:
        decoder = current_decoder.get()
        return original(lines, **limits) if decoder is None else adecode(decoder, lines)

    return aparse_sse


def install() -> None:
    """Put the decoder in place, once in a process. Outside of a stream of ours everything is as before."""
    limits = ("max_line_bytes", "max_event_bytes")
    parse_sse = known(base.parse_sse, "lines", *limits)
    aparse_sse = known(async_base.aparse_sse, "lines", *limits)
    base.parse_sse = _wrap_parse_sse(parse_sse)
    async_base.aparse_sse = _wrap_aparse_sse(aparse_sse)
