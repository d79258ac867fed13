"""The tap on LiteLLM, which DSPy uses where its native engines do not (and for everything before 3.4).

In a run the completion is asked for as a stream and put together again, as DSPy itself does when it streams; nobody up
the stack can tell.

Touches of DSPy: ``dspy.clients.lm.litellm_completion`` and ``alitellm_completion`` (wrapped; before 3.4 their names are
part of a cache's keys), ``litellm_text_completion`` and ``litellm_responses_completion`` (wrapped, so that a cancel
ends their wait), ``_get_litellm`` and ``_add_dspy_identifier_to_headers``. Touches of LiteLLM:
``stream_chunk_builder``; of its stream ``received_finish_reason``, which stays empty where the provider's stream was
cut off, and ``chunks``, of which one has the usage as the provider reports it; ``completion_with_retries`` and
``acompletion_with_retries``, by which it retries (before 3.4: since then DSPy does, and asks LiteLLM for no retries);
``_parse_content_for_reasoning`` of its ``prompt_templates.common_utils``, by which it parts thoughts from an answer;
the ``executor`` of its ``streaming_handler``, to which a stream that is read in a thread gives each chunk, for
``run_success_logging_and_cache_storage``.
Between retries it sleeps by the ``time`` of ``tenacity.nap``, and OpenAI's client by that of ``openai._base_client``.
"""

# pyright: reportPrivateUsage=false, reportPrivateImportUsage=false

from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from functools import cache, wraps
from importlib import import_module
from typing import Any
from weakref import WeakSet

from dspy.clients import lm as lm_module

from fieldstream.tap.current import current_tap
from fieldstream.tap.internals import UnknownInternalError, do_without, known, lacking, put
from fieldstream.tap.lms.lm_call import LmCall
from fieldstream.tap.settings import overriding
from fieldstream.tap.tap import Tap
from fieldstream.tap.waits.sleep import install_sleep
from fieldstream.tap.waits.sockets import interruptible_socket

_NO_CACHE = {"no-cache": True, "no-store": True}


def _active(tap: Tap, request: dict[str, Any]) -> LmCall | None:
    """The LM call to report to; none where the answer cannot be put together from chunks (several choices at once)."""
    _litellm()
    lm = tap.opened.active_lm()
    if lm is None or "litellm" in lacking or (request.get("n") or 1) != 1 or request.get("stream"):
        return None
    return lm


def _arguments(request: dict[str, Any], num_retries: int, cache: dict[str, Any] | None) -> dict[str, Any]:
    request = dict(request)
    request.pop("rollout_id", None)
    headers = lm_module._add_dspy_identifier_to_headers(request.pop("headers", None))
    return {
        **request,
        "headers": headers,
        "cache": cache or _NO_CACHE,
        "num_retries": num_retries,
        "retry_strategy": "exponential_backoff_retry",
        "stream": True,
        "stream_options": {"include_usage": True},
    }


@cache
def _litellm() -> Any:
    """LiteLLM itself, which takes seconds to import; in a run, the sleeps between its retries end with a cancel."""
    litellm = lm_module._get_litellm()
    for name in ("tenacity.nap", "openai._base_client"):
        put("waits", lambda name=name: install_sleep(import_module(name)))
    put("bodies", _install_quiet_streams)
    for name in ("stream_chunk_builder", "completion_with_retries", "acompletion_with_retries"):
        if not callable(getattr(litellm, name, None)):
            do_without("litellm", UnknownInternalError(f"`litellm.{name}` is gone"))
    return litellm


_quiet: WeakSet[Any] = WeakSet()
"""Streams of ours, of whose chunks LiteLLM's logs are not told: of a whole answer they are told once, when it is in."""


class _Executor:
    """In the place of the one to which LiteLLM gives each chunk that it logs, at the cost of a thread's turn."""

    def __init__(self, original: Any) -> None:
        self._original = original

    def submit(self, work: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        stream = getattr(work, "__self__", None)
        if getattr(work, "__name__", "") == "run_success_logging_and_cache_storage" and stream in _quiet:
            return None
        return self._original.submit(work, *arguments, **options)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._original, name)


def _install_quiet_streams() -> None:
    handler: Any = import_module("litellm.litellm_core_utils.streaming_handler")
    known(handler.CustomStreamWrapper.run_success_logging_and_cache_storage, "self", "processed_chunk", "cache_hit")
    known(handler.executor.submit, "fn", "args", "kwargs")
    handler.executor = _Executor(handler.executor)


def _take_thoughts_out(message: Any) -> None:
    """Make reasoning of what is in ``<think>``, as LiteLLM does with a whole answer, but not with a stream."""
    module = import_module("litellm.litellm_core_utils.prompt_templates.common_utils")
    split = getattr(module, "_parse_content_for_reasoning", None)
    if split is not None:
        reasoning, content = split(message.content)
        if reasoning is not None:
            message.reasoning_content, message.content = reasoning, content


@contextmanager
def _interruptible(tap: Tap) -> Generator[None]:
    """What this thread waits for in this block ends with a cancel."""
    _litellm()
    with interruptible_socket(tap.cancellation) as socket, tap.cancellation.interrupting(socket.shut_down):
        yield


class _Report:
    """Takes the chunks of one attempt, and puts the response together."""

    def __init__(self, lm: LmCall) -> None:
        self._lm = lm
        self._chunks: list[Any] = []
        lm.begin(0)

    def push(self, chunk: Any) -> None:
        self._chunks.append(chunk)
        choices = getattr(chunk, "choices", None)
        delta = choices[0].delta if choices else None
        if delta is not None:
            self._lm.delta(0, delta)
            if self._lm.wants_chunks(0):
                self._lm.chunk(0, chunk)
        if self._lm.state.recorder.sink.wants_chunks:
            if self._lm.predictor is not None:
                chunk.predict_id = id(self._lm.predictor)
            self._lm.state.recorder.chunk(self._lm.call, chunk)

    def response(self, stream: Any, request: dict[str, Any]) -> Any:
        litellm = _litellm()
        if getattr(stream, "received_finish_reason", "unknown") is None:
            raise litellm.APIConnectionError(
                message="the provider's stream ended without a finish reason and without its end mark",
                llm_provider=str(getattr(stream, "custom_llm_provider", "")),
                model=str(request.get("model", "")),
            )
        self._lm.finish(0)
        response = litellm.stream_chunk_builder(self._chunks, messages=request.get("messages"))
        reported = [
            usage for chunk in getattr(stream, "chunks", ()) if (usage := getattr(chunk, "usage", None)) is not None
        ]
        if len(reported) == 1:
            response.usage = reported[0]  # The builder makes up details that the provider did not report.
        message = response.choices[0].message
        if message.tool_calls and not message.content:
            message.content = None
        if message.content and not getattr(message, "reasoning_content", None):
            _take_thoughts_out(message)
        return response


def _wrap(original: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(original)
    def litellm_completion(request: dict[str, Any], num_retries: int, cache: dict[str, Any] | None = None) -> Any:
        tap = current_tap()
        if tap is None:
            return original(request, num_retries, cache)
        lm = _active(tap, request)
        if lm is None:
            with overriding(send_stream=None), _interruptible(tap):
                return original(request, num_retries, cache)
        litellm = _litellm()
        begun = False

        def attempt(**arguments: Any) -> Any:
            nonlocal begun
            tap.cancellation.check()
            report = _Report(lm)
            begun = False
            stream = litellm.completion(**arguments)
            _quiet.add(stream)
            begun = True
            try:
                for chunk in stream:
                    report.push(chunk)
                return report.response(stream, request)
            finally:
                close = getattr(getattr(stream, "completion_stream", None), "close", None)
                if close is not None:
                    close()

        arguments = _arguments(request, num_retries, cache)
        with _interruptible(tap):
            try:
                return attempt(**arguments)
            except Exception:
                # LiteLLM itself retries what has not begun.
                if not begun or not num_retries:
                    raise
            return litellm.completion_with_retries(**arguments, original_function=attempt)

    return litellm_completion


def _wrap_async(original: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    @wraps(original)
    async def alitellm_completion(
        request: dict[str, Any], num_retries: int, cache: dict[str, Any] | None = None
    ) -> Any:
        tap = current_tap()
        if tap is None:
            return await original(request, num_retries, cache)
        lm = _active(tap, request)
        if lm is None:
            with overriding(send_stream=None):
                return await original(request, num_retries, cache)
        litellm = _litellm()
        begun = False

        async def attempt(**arguments: Any) -> Any:
            nonlocal begun
            report = _Report(lm)
            begun = False
            stream = await litellm.acompletion(**arguments)
            begun = True
            try:
                async for chunk in stream:
                    report.push(chunk)
                return report.response(stream, request)
            finally:
                await stream.aclose()

        arguments = _arguments(request, num_retries, cache)
        try:
            return await attempt(**arguments)
        except Exception:
            if not begun or not num_retries:
                raise
        return await litellm.acompletion_with_retries(**arguments, original_function=attempt)

    return alitellm_completion


def _wrap_whole(original: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(original)
    def completion(request: dict[str, Any], num_retries: int, cache: dict[str, Any] | None = None) -> Any:
        tap = current_tap()
        if tap is None:
            return original(request, num_retries, cache)
        with _interruptible(tap):
            return original(request, num_retries, cache)

    return completion


def install() -> None:
    """Put the tap in place, once in a process. Outside of a run everything is as before."""
    parameters = ("request", "num_retries", "cache")
    completion = known(lm_module.litellm_completion, *parameters)
    acompletion = known(lm_module.alitellm_completion, *parameters)
    text = known(lm_module.litellm_text_completion, *parameters)
    responses = known(lm_module.litellm_responses_completion, *parameters)
    known(lm_module._add_dspy_identifier_to_headers, "headers")
    known(lm_module._get_litellm)
    lm_module.litellm_completion = _wrap(completion)
    lm_module.alitellm_completion = _wrap_async(acompletion)
    lm_module.litellm_text_completion = _wrap_whole(text)
    lm_module.litellm_responses_completion = _wrap_whole(responses)
