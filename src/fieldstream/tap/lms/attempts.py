"""The attempts of an LM's call (DSPy 3.4 and later): in a run, each has an engine that streams inside.

Retries, candidates, caching, usage and history around them stay DSPy's own.

Touches of DSPy: ``dspy.clients.execution._attempt`` and ``_aattempt`` (wrapped; one call is one attempt, by
``backend``, for a ``request`` that is ``None`` where the backend takes no canonical one; ``results`` holds one entry
for each earlier candidate, and an attempt adds what it used).
"""

# What DSPy's internals are has few types, and they are private.
# pyright: reportPrivateUsage=false, reportPrivateImportUsage=false
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

from dspy.clients import execution

from fieldstream.tap.current import current_tap
from fieldstream.tap.internals import known
from fieldstream.tap.lms.engine import AsyncStreamingEngine, StreamingEngine
from fieldstream.tap.lms.lm_call import LmCall
from fieldstream.tap.settings import overriding
from fieldstream.tap.tap import Tap


def _wrap(original: Callable[..., None]) -> Callable[..., None]:
    def attempt(lm: Any, call: Any, backend: Any, request: Any, provider: Any, state: Any, results: Any) -> None:
        tap = current_tap()
        if tap is None:
            return original(lm, call, backend, request, provider, state, results)
        with _attempting(tap, StreamingEngine, backend, request, provider, results) as engine:
            return original(lm, call, engine, request, provider, state, results)

    return attempt


def _wrap_async(original: Callable[..., Any]) -> Callable[..., Any]:
    async def attempt(lm: Any, call: Any, backend: Any, request: Any, provider: Any, state: Any, results: Any) -> None:
        tap = current_tap()
        if tap is None:
            return await original(lm, call, backend, request, provider, state, results)
        with _attempting(tap, AsyncStreamingEngine, backend, request, provider, results) as engine:
            return await original(lm, call, engine, request, provider, state, results)

    return attempt


@contextmanager
def _attempting(
    tap: Tap,
    streaming: Callable[[Any, LmCall, int, str | None], Any],
    backend: Any,
    request: Any,
    provider: str | None,
    results: list[Any],
) -> Generator[Any]:
    """One attempt, in this block, by the engine that comes; what it used is accounted for."""
    lm = tap.opened.active_lm()
    engine = backend
    before = len(results)
    within = lm is not None and lm.attempting  # An LM whose `forward` is another one's `forward`.
    if lm is not None:
        lm.attempted = lm.attempting = True
        if request is not None and callable(getattr(backend, "stream", None)):
            lm.begin(before)
            engine = streaming(backend, lm, before, provider)
    # An engine of DSPy's own gives up its retries where it sees a stream and has sent something there. Code of the LM's
    # user, which gets no canonical request, may want to send.
    settings = {} if request is None else {"send_stream": None}
    try:
        with overriding(**settings):
            yield engine
    finally:
        if lm is not None and not within:
            lm.attempting = False
            for result in results[before:]:
                lm.spent(result.usage)


def install() -> None:
    """Put the tap in place, once in a process. Outside of a run everything is as before."""
    parameters = ("lm", "call", "backend", "request", "provider", "state", "results")
    attempt = known(execution._attempt, *parameters)
    aattempt = known(execution._aattempt, *parameters)
    execution._attempt = _wrap(attempt)
    execution._aattempt = _wrap_async(aattempt)
