"""A program called plainly and the same one streamed, against providers that say the same: what was the difference?"""

# DSPy's signatures are made at run time, and its keyword arguments are many.
# pyright: reportArgumentType=false, reportCallIssue=false, reportAttributeAccessIssue=false
# pyright: reportIncompatibleMethodOverride=false, reportReturnType=false, reportUnnecessaryComparison=false

import asyncio
import re
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any, Literal
from urllib.request import urlopen

import dspy
import msgspec
import pytest
from dspy.utils.usage_tracker import track_usage

import fieldstream
from fieldstream.events import CallEnded, CallStarted, Event, FieldReset, RunEnded
from fieldstream.simulator import Answer, simulate
from fieldstream.tap import to_json
from tests.support.order import check_order
from tests.support.values import check_exact

Way = Literal["async", "sync", "thread"]
"""``acall`` and ``async with``; the plain call and ``with``; the plain call and ``async with``, in a thread."""

WAYS: tuple[Way, ...] = ("async", "sync", "thread")

HAS_ENGINES = find_spec("dspy.clients.execution") is not None
"""DSPy 3.4 brought engines of its own; before, LiteLLM asks for everything, and retries."""

LITELLM_WARNS = [
    pytest.mark.filterwarnings("ignore:Accessing the 'model_computed_fields':DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Accessing the 'model_fields':DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Item .* on TypedDict:UserWarning"),
]
if not HAS_ENGINES:
    # LiteLLM's clients of a loop stay open when the loop ends, in plain calls, too.
    LITELLM_WARNS.append(pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"))

_HISTORY = (
    "prompt",
    "messages",
    "kwargs",
    "outputs",
    "usage",
    "cost",
    "cost_details",
    "model",
    "response_model",
    "model_type",
)


@dataclass
class Seen:
    """What came of one call, and what it left behind."""

    result: Any = None
    error: BaseException | None = None
    requests: list[dict[str, Any]] = field(default_factory=list)
    history: list[dict[str, Any]] = field(default_factory=list)
    usage: dict[str, Any] = field(default_factory=dict)


@dataclass
class Streamed(Seen):
    """Of a streamed one, its events, too."""

    events: list[Event] = field(default_factory=list)
    run_usage: dict[str, Any] = field(default_factory=dict)

    def calls(self, kind: str) -> list[CallStarted]:
        return [event for event in self.events if isinstance(event, CallStarted) and event.kind == kind]

    def ended(self, call: str) -> CallEnded:
        return next(event for event in self.events if isinstance(event, CallEnded) and event.call == call)

    def of(self, kind: type[Event]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    def resets(self) -> list[tuple[str, str]]:
        return [(event.field, event.reason) for event in self.events if isinstance(event, FieldReset)]

    def texts(self, name: str) -> list[str]:
        return [event.text for event in self.events if getattr(event, "field", None) == name and hasattr(event, "text")]


def same(
    way: Way,
    program: Callable[..., Any],
    answers: Iterable[Answer | str] | Callable[[Any], Answer | str],
    *,
    provider: Mapping[str, Any] | None = None,
    lm: Mapping[str, Any] | None = None,
    kind: type[dspy.LM] = dspy.LM,
    model: str = "openai/sim",
    around: Callable[[], AbstractContextManager[Any]] = nullcontext,
    ordered: bool = True,
    tracked: bool = True,
    wording: bool = True,
    asked: bool = True,
    **inputs: Any,
) -> Streamed:
    """Call the program that ``program()`` makes plainly, and another one streamed; assert that both did the same.

    ``around`` makes the context for both. Without ``ordered``, requests may come in any order; without ``tracked``,
    DSPy's own usage tracker is not compared with the run's (it does not look into the threads of ``dspy.Parallel``).
    Without ``wording``, an exception may say it in other words, as transports have their own; without ``asked``, an LM
    may be asked more or less often.
    """
    said = answers if callable(answers) else list(answers)
    inputs = inputs or {"question": "Why is the sky blue?"}

    def see(call: Callable[[Any, Mapping[str, Any], Any], None], seen: Any) -> Any:
        with _not_waiting(), simulate(said if callable(said) else list(said), **(provider or {})) as server:
            language_model = kind(model, **server.lm_kwargs, **{"cache": False, **(lm or {})})
            with dspy.context(lm=language_model), track_usage() as tracker, around():
                call(program(), inputs, seen)
            seen.requests = [_asked(request.body) for request in server.requests]
            if not seen.requests:  # A provider cannot be closed before it listens.
                assert _listens(server.url)
            seen.history = _remembered(language_model)
            seen.usage = tracker.get_total_tokens()
        return seen

    plain = see(plainly(way), Seen())
    streamed = see(streaming(way), Streamed())

    assert type(streamed.error) is type(plain.error), f"{streamed.error!r} instead of {plain.error!r}"
    if wording:
        assert _without_port(streamed.error) == _without_port(plain.error)
    assert type(streamed.result) is type(plain.result)
    assert to_json(streamed.result) == to_json(plain.result)
    if not asked:
        assert streamed.requests[0] == plain.requests[0]
    elif ordered:
        assert streamed.requests == plain.requests
        assert streamed.history == plain.history
    else:
        assert sorted(map(_key, streamed.requests)) == sorted(map(_key, plain.requests))
        assert sorted(map(_key, streamed.history)) == sorted(map(_key, plain.history))
    assert streamed.usage == plain.usage
    if tracked:
        assert streamed.run_usage == plain.usage
    check_run(streamed)
    return streamed


def stream(way: Way, program: Any, lm: Any, **inputs: Any) -> Streamed:
    """Stream the program, and check what holds for every run."""
    streamed = Streamed()
    with _not_waiting(), dspy.context(lm=lm), track_usage() as tracker:
        streaming(way)(program, inputs or {"question": "Why is the sky blue?"}, streamed)
    streamed.usage = tracker.get_total_tokens()
    streamed.history = _remembered(lm)
    check_run(streamed)
    return streamed


def check_run(streamed: Streamed) -> None:
    """What holds for the events of every run that went to its end."""
    check_order(streamed.events)
    check_exact(streamed.events)
    end = streamed.events[-1]
    assert isinstance(end, RunEnded)
    assert msgspec.json.decode(msgspec.json.encode(end.usage)) == to_json(streamed.run_usage)
    if streamed.error is None:
        assert end.outcome == "completed"
        assert end.result == to_json(streamed.result)
    else:
        assert end.outcome == "failed"
        assert end.error is not None
        assert end.error.kind == type(streamed.error).__name__


def plainly(way: Way) -> Callable[[Any, Mapping[str, Any], Seen], None]:
    async def awaited(program: Any, inputs: Mapping[str, Any], seen: Seen) -> None:
        try:
            seen.result = await getattr(program, "acall", program)(**inputs)
        except BaseException as error:
            seen.error = error

    def called(program: Any, inputs: Mapping[str, Any], seen: Seen) -> None:
        try:
            seen.result = program(**inputs)
        except BaseException as error:
            seen.error = error

    if way == "async":
        return lambda program, inputs, seen: asyncio.run(awaited(program, inputs, seen))
    return called


def streaming(way: Way) -> Callable[[Any, Mapping[str, Any], Streamed], None]:
    async def awaited(program: Any, inputs: Mapping[str, Any], seen: Streamed) -> None:
        watch = fieldstream.Streamer(program, mode="async" if way == "async" else "thread")
        async with watch(**inputs) as run:
            seen.events = [event async for event in run]
            try:
                seen.result = run.result
            except BaseException as error:
                seen.error = error
            seen.run_usage = run.usage

    def called(program: Any, inputs: Mapping[str, Any], seen: Streamed) -> None:
        with fieldstream.stream(program, **inputs) as run:
            seen.events = list(run)
            try:
                seen.result = run.result
            except BaseException as error:
                seen.error = error
            seen.run_usage = run.usage

    if way == "sync":
        return called
    return lambda program, inputs, seen: asyncio.run(awaited(program, inputs, seen))


def chat(**fields: str) -> str:
    """An answer as the chat adapter asks for it."""
    return "".join(f"[[ ## {name} ## ]]\n{value}\n\n" for name, value in fields.items()) + "[[ ## completed ## ]]"


@contextmanager
def _not_waiting() -> Generator[None]:
    """Retries wait for a second and more."""
    with pytest.MonkeyPatch.context() as patch:
        if HAS_ENGINES:
            patch.setattr("dspy.clients.execution._delay", lambda error, attempt: 0.0)
        else:
            patch.setattr("tenacity.wait_exponential", lambda **_: None)
            patch.setattr("openai._base_client.INITIAL_RETRY_DELAY", 0.0)
        yield


def _remembered(lm: dspy.BaseLM) -> list[dict[str, Any]]:
    return [{key: entry[key] for key in _HISTORY if key in entry} for entry in lm.history]


def _listens(url: str) -> bool:
    with urlopen(f"{url}/v1/models") as response:
        return response.status == 200


def _asked(body: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in body.items() if key not in ("stream", "stream_options")}


def _key(value: Any) -> str:
    return msgspec.json.encode(to_json(value), order="deterministic").decode()


def _without_port(error: BaseException | None) -> str:
    """What the exception says, without its provider's port."""
    return re.sub(r"127\.0\.0\.1:\d+", "provider", str(error))
