"""What we rely on inside of DSPy, AnyIO, httpcore and LiteLLM, one test for each private touch.

Where one fails, the place in `src/fieldstream/tap/` that its message names must be looked at, and so must what DSPy has
there now. The rest of the tests then says what it means for a run.
"""

# DSPy's signatures are made at run time, and its keyword arguments are many.
# pyright: reportArgumentType=false, reportCallIssue=false, reportAttributeAccessIssue=false
# pyright: reportIncompatibleMethodOverride=false, reportReturnType=false, reportUnnecessaryComparison=false

import asyncio
import inspect
import threading
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import anyio.from_thread
import dspy
import pytest
from dspy.dsp.utils.settings import Settings, dotdict, thread_local_overrides
from dspy.utils import callback as callback_module
from dspy.utils.callback import ACTIVE_CALL_ID, BaseCallback

from fieldstream.simulator import simulate
from fieldstream.tap import as_anyio_worker

HAS_ENGINES = find_spec("dspy.clients.execution") is not None


def engines(test: Callable[[], None]) -> Callable[[], None] | None:
    """A test of what DSPy 3.4 brought."""
    return test if HAS_ENGINES else None


def no_engines(test: Callable[[], None]) -> Callable[[], None] | None:
    """A test of what DSPy 3.4 took away."""
    return None if HAS_ENGINES else test


def check_parameters(function: Callable[..., Any], *expected: str, at: str) -> None:
    names = tuple(inspect.signature(inspect.unwrap(function)).parameters)
    assert names == expected, f"{function.__qualname__} takes {names} now, not {expected}: look at {at}"


class Noting(BaseCallback):
    def __init__(self) -> None:
        self.notes: list[tuple[str, str, str | None, Any]] = []

    def note(self, kind: str, call_id: str, what: Any) -> None:
        self.notes.append((kind, call_id, ACTIVE_CALL_ID.get(), what))

    def on_module_start(self, call_id: str, instance: Any, inputs: dict[str, Any]) -> None:
        self.note("module", call_id, instance)

    def on_adapter_format_start(self, call_id: str, instance: Any, inputs: dict[str, Any]) -> None:
        self.note("format", call_id, inputs)

    def on_lm_start(self, call_id: str, instance: Any, inputs: dict[str, Any]) -> None:
        self.note("lm", call_id, dspy.settings.send_stream)


# Settings (tap/settings.py, tap/current.py)


def test_overrides_are_a_context_variable_with_a_mapping() -> None:
    with dspy.context(fieldstream_contract=1):
        found = thread_local_overrides.get()
        assert found.get("fieldstream_contract") == 1, (
            "dspy.context keeps its settings elsewhere: look at tap/settings.py"
        )
    token = thread_local_overrides.set(dotdict({"fieldstream_contract": 2}))
    try:
        assert dspy.settings["fieldstream_contract"] == 2, "settings are read elsewhere: look at tap/settings.py"
    finally:
        thread_local_overrides.reset(token)


def test_overrides_reach_the_threads_of_parallel_and_of_asyncify() -> None:
    class Looking(dspy.Module):
        def forward(self, question: str) -> Any:
            return dspy.settings.get("fieldstream_contract")

    examples = [dspy.Example(question="?").with_inputs("question")] * 3
    with dspy.context(fieldstream_contract=3):
        found = dspy.Parallel(num_threads=2, disable_progress_bar=True)([(Looking(), each) for each in examples])
        found.append(asyncio.run(dspy.asyncify(Looking())(question="?")))
    assert found == [3] * 4, "keys of our own no longer travel with DSPy's settings: look at tap/current.py"


# Callbacks (tap/install.py, tap/opened.py, tap/observer.py)


def test_callbacks_are_looked_up_by_settings_get_in_the_callback_module(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    seen: list[bool] = []
    original = Settings.get

    def get(self: Any, key: str, default: Any = None) -> Any:
        if key == "callbacks":
            seen.append(sys._getframe(1).f_globals is vars(callback_module))
        return original(self, key, default)

    monkeypatch.setattr(Settings, "get", get)

    class Nothing(dspy.Module):
        def forward(self) -> None: ...

    Nothing()()
    assert any(seen), "with_callbacks finds its callbacks in another way: look at tap/install.py"
    check_parameters(original, "self", "key", "default", at="tap/install.py")


def test_during_a_start_handler_the_active_call_is_the_parent() -> None:
    noting = Noting()
    program = dspy.ChainOfThought("question -> answer")
    with simulate(["[[ ## reasoning ## ]]\na\n[[ ## answer ## ]]\nb"]) as provider:
        lm = dspy.LM(provider.model, **provider.lm_kwargs, cache=False)
        with dspy.context(lm=lm, callbacks=[noting]):
            program(question="?")
    (outer, inner), message = noting.notes[:2], "calls have no parents any more: look at tap/opened.py"
    assert outer[2] is None, message
    assert inner[2] == outer[1], message
    lm_note = next(note for note in noting.notes if note[0] == "lm")
    assert lm_note[2] == inner[1], message
    formatted = next(note for note in noting.notes if note[0] == "format")
    assert formatted[2] == inner[1], message
    assert "signature" in formatted[3], "an adapter's format is told other arguments: look at tap/observer.py"


def test_of_a_subclass_of_an_adapter_the_arguments_come_as_args_and_kwargs() -> None:
    class Mine(dspy.ChatAdapter):
        pass

    noting = Noting()
    with dspy.context(callbacks=[noting]):
        Mine().format(dspy.Signature("question -> answer"), [], {"question": "?"})
    for note in noting.notes:
        assert "signature" in note[3] or "args" in note[3], "other arguments: look at argument in tap/values.py"


def test_predict_hides_the_stream_from_its_lm_where_listeners_are_for_others() -> None:
    class Listener:
        predict = object()

    noting = Noting()
    with simulate(["[[ ## answer ## ]]\nb"]) as provider:
        lm = dspy.LM(provider.model, **provider.lm_kwargs, cache=False)
        with dspy.context(lm=lm, callbacks=[noting], send_stream=object(), stream_listeners=[Listener()]):
            dspy.Predict("question -> answer")(question="?")
    assert noting.notes[-1][3] is None, "Predict hands the stream to its LM: look at Execution._settings in _run.py"


@pytest.mark.parametrize("name", ["evaluate", "compile", "interpreter_execute", "interpreter_tool_call"])
def test_callers_that_are_no_calls_of_their_own(name: str) -> None:
    for moment in ("start", "end"):
        if not hasattr(BaseCallback, f"on_{name}_{moment}") and not HAS_ENGINES:
            continue  # An older DSPy has fewer.
        assert hasattr(BaseCallback, f"on_{name}_{moment}"), f"on_{name}_{moment} is gone: look at tap/observer.py"


# Adapters (tap/adapters.py)


def test_adapters_keep_their_parse_under_a_wrapper() -> None:
    class Inheriting(dspy.ChatAdapter):
        pass

    class Own(dspy.ChatAdapter):
        def parse(self, signature: Any, completion: str) -> dict[str, Any]:
            return {}

    message = "inspect.unwrap finds another parse: look at tap/adapters.py"
    assert inspect.unwrap(Inheriting.parse) is inspect.unwrap(dspy.ChatAdapter.parse), message
    assert inspect.unwrap(Own.parse) is not inspect.unwrap(dspy.ChatAdapter.parse), message
    parses = {inspect.unwrap(adapter.parse) for adapter in (dspy.ChatAdapter, dspy.JSONAdapter, dspy.XMLAdapter)}
    assert len(parses) == 3, message


@engines
def test_xml_is_read_as_xml() -> None:
    assert hasattr(dspy.XMLAdapter, "_elements_to_value"), "XMLAdapter reads otherwise: look at tap/adapters.py"
    parsed = dspy.XMLAdapter().parse(dspy.Signature("question -> answer"), "<answer>a &lt; b</answer>")
    assert parsed == {"answer": "a < b"}, "XMLAdapter reads otherwise: look at tap/adapters.py and fields/xml.py"


# Engines (tap/attempts.py, tap/engine.py)


@engines
def test_attempts() -> None:
    from dspy.clients import execution

    for attempt in (execution._attempt, execution._aattempt):
        inner = inspect.getclosurevars(attempt).nonlocals.get("original", attempt)  # where a run has wrapped it
        check_parameters(
            inner, "lm", "call", "backend", "request", "provider", "state", "results", at="tap/attempts.py"
        )
    assert hasattr(execution.time, "sleep"), "retries of LMs sleep in another way: look at tap/sleep.py"
    source = inspect.getsource(execution.execute)
    assert "time.sleep(" in source, "retries of LMs sleep in another way: look at tap/sleep.py"
    assert "_attempt(" in source, "LMs are asked in another way: look at tap/attempts.py"
    assert "_aattempt(" in inspect.getsource(execution.aexecute), (
        "LMs are asked in another way: look at tap/attempts.py"
    )


@engines
def test_an_attempt_adds_what_it_used() -> None:
    from dspy.clients import execution

    seen: list[Any] = []
    original = execution._attempt

    def attempt(lm: Any, call: Any, backend: Any, request: Any, provider: Any, state: Any, results: list[Any]) -> None:
        assert results == []
        assert callable(backend.stream)
        assert request is not None
        original(lm, call, backend, request, provider, state, results)
        seen.extend(results)

    with pytest.MonkeyPatch.context() as patch, simulate(["Blue."]) as provider:
        patch.setattr(execution, "_attempt", attempt)
        dspy.LM(provider.model, **provider.lm_kwargs, cache=False)("Why?")
    message = "what an attempt used is kept elsewhere: look at tap/attempts.py"
    assert [result.usage["completion_tokens"] > 0 for result in seen] == [True], message


@engines
def test_events_of_an_engine() -> None:
    from dspy import lm15
    from dspy._vendor.lm15.result import StreamAccumulator
    from dspy.clients.engines.lm15_engine import LM15Engine

    with simulate(["Blue, as ever."]) as provider:
        config = lm15.RouterConfig(api_keys={"openai-chat": "x"}, base_urls={"openai-chat": provider.api_base})
        engine = LM15Engine(config)
        request = lm15.Request(model="openai-chat:sim", messages=(lm15.Message.user("Why?"),))
        events = list(engine.stream(request))
        engine.close()
    message = "an engine's events are others: look at _Report in tap/engine.py"
    assert events[0].type == "start", message
    assert events[-1].type == "end", message
    assert events[-1].finish_reason == "stop", message
    assert {event.delta.type for event in events[1:-1]} == {"text"}, message
    accumulator = StreamAccumulator(request)
    for event in events:
        accumulator.push(event)
    assert accumulator.response().text == "Blue, as ever.", message


@engines
def test_fragments_of_a_tool_call_may_be_joined_before_they_are_accumulated() -> None:
    from dspy import lm15
    from dspy._vendor.lm15.result import StreamAccumulator

    def built(*fragments: str) -> Any:
        accumulator = StreamAccumulator(lm15.Request(model="m", messages=(lm15.Message.user("?"),)))
        for at, fragment in enumerate(fragments):
            names = {"id": "a", "name": "f"} if at == 0 else {}
            delta = lm15.ToolCallDelta(input=fragment, part_index=0, **names)
            accumulator.push(lm15.StreamDeltaEvent(delta=delta))
        return accumulator.response().tool_calls

    assert built('{"k"', ': "v"', "}") == built('{"k": "v"}'), (
        "tool calls are put together otherwise: look at tap/engine.py"
    )


@engines
def test_guards_of_streams() -> None:
    from dspy import lm15
    from dspy.clients.engines.lifecycle import aclosing_stream, closing_stream
    from dspy.clients.engines.stream_guard import achecked_stream, checked_stream
    from dspy.clients.engines.streaming import ListenerBridge

    check_parameters(closing_stream, "source", at="tap/engine.py")
    check_parameters(aclosing_stream, "source", at="tap/engine.py")
    check_parameters(checked_stream, "source", "provider", at="tap/engine.py")
    check_parameters(achecked_stream, "source", "provider", at="tap/engine.py")
    check_parameters(ListenerBridge.__init__, "self", "model", "predict_id", at="tap/engine.py")
    with pytest.raises(lm15.StreamAssemblyError, match="without a completion event"):
        list(checked_stream(iter([lm15.StreamStartEvent()])))


@engines
def test_providers_read_their_streams_by_names_that_can_be_replaced() -> None:
    from dspy._vendor.lm15.providers import async_base, base

    at = "tap/engine.py and tap/sse.py"
    for module, name, user in (
        (base, "parse_sse", base.BaseProviderLM._stream_raw),
        (async_base, "aparse_sse", None),
    ):
        parse = getattr(module, name, None)
        assert parse is not None, f"{name} is gone: look at {at}"
        inner = inspect.getclosurevars(parse).nonlocals.get("original", parse)
        check_parameters(inner, "lines", "max_line_bytes", "max_event_bytes", at=at)
        source = inspect.getsource(user if user is not None else module)
        assert f"{name}(" in source, f"{name} is not what reads a stream any more: look at {at}"


@engines
def test_errors_that_may_be_retried() -> None:
    from dspy import lm15
    from dspy.clients.errors import wrap_error
    from dspy.utils.exceptions import is_retryable_lm_error

    message = "errors have other meanings: look at tap/engine.py"
    assert is_retryable_lm_error(wrap_error(lm15.TransportError("cut off"), model="m")), message
    malformed = wrap_error(lm15.ProviderError("no JSON", provider="p", status=200), model="m")
    assert isinstance(malformed, dspy.LMProviderError), message
    assert not is_retryable_lm_error(malformed), message


@engines
def test_the_socket_of_a_connection() -> None:
    from dspy._vendor.lm15.transports._sync import StdlibTransport

    seen: list[Any] = []
    original = StdlibTransport._send_request

    def send_request(self: Any, conn: Any, *args: Any, **kwargs: Any) -> Any:
        seen.append(conn.sock)
        return original(self, conn, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch, simulate(["Blue."]) as provider:
        patch.setattr(StdlibTransport, "_send_request", send_request)
        dspy.LM(provider.model, **provider.lm_kwargs, cache=False)("Why?")
    assert [hasattr(sock, "shutdown") for sock in seen] == [True], "look at install_native in tap/sockets.py"


# LiteLLM (tap/litellm.py, tap/sockets.py)


def test_the_places_of_litellm_in_dspy() -> None:
    from dspy.clients import lm

    for name in ("litellm_completion", "alitellm_completion"):
        check_parameters(getattr(lm, name), "request", "num_retries", "cache", at="tap/litellm.py")
        assert getattr(lm, name).__qualname__ == name, "a cache's keys have another name: look at tap/litellm.py"
        assert getattr(lm, name).__module__ == "dspy.clients.lm", (
            "a cache's keys have another name: look at tap/litellm.py"
        )
    check_parameters(lm._add_dspy_identifier_to_headers, "headers", at="tap/litellm.py")
    assert callable(lm._get_litellm), "_get_litellm is gone: look at tap/litellm.py"


@pytest.mark.filterwarnings("ignore:Accessing the 'model:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:Item .* on TypedDict:UserWarning")
@pytest.mark.parametrize("cut", [False, True])
def test_a_stream_of_litellm(cut: bool) -> None:
    from dspy.clients import lm

    litellm = lm._get_litellm()
    with simulate(["Blue, as ever."], truncate=2 if cut else None) as provider:
        stream = litellm.completion(
            model=provider.model,
            messages=[{"role": "user", "content": "Why?"}],
            stream=True,
            stream_options={"include_usage": True},
            **provider.lm_kwargs,
        )
        chunks = list(stream)
    at = "look at _Report in tap/litellm.py"
    assert (stream.received_finish_reason is None) == cut, f"a stream that is cut off looks otherwise: {at}"
    assert callable(litellm.completion_with_retries), f"it is gone: {at}"
    assert callable(litellm.acompletion_with_retries), f"it is gone: {at}"
    if not cut:
        reported = [usage for chunk in stream.chunks if (usage := getattr(chunk, "usage", None)) is not None]
        assert len(reported) == 1, f"what the provider reports is elsewhere: {at}"
        response = litellm.stream_chunk_builder(chunks, messages=[])
        assert response.choices[0].message.content == "Blue, as ever.", f"a response is put together otherwise: {at}"


def test_httpcores_streams_know_their_socket() -> None:
    from httpcore._backends.sync import SyncStream

    write = inspect.getclosurevars(SyncStream.write).nonlocals.get("original", SyncStream.write)
    check_parameters(write, "self", "buffer", "timeout", at="install_httpcore in tap/sockets.py")
    assert "self._sock" in inspect.getsource(SyncStream.__init__), "look at install_httpcore in tap/sockets.py"


@no_engines
def test_responses_before_engines() -> None:
    check_parameters(
        dspy.BaseLM._process_lm_response, "self", "response", "prompt", "messages", "kwargs", at="tap/responses.py"
    )
    check_parameters(dspy.BaseLM._finalize_lm_response, "self", "request", "response", at="tap/responses.py")


# AnyIO (tap/threads.py)


async def test_a_thread_of_ours_can_be_one_of_anyios() -> None:
    loop = asyncio.get_running_loop()
    found: list[Any] = []

    async def here() -> str:
        return threading.current_thread().name

    def work() -> None:
        with as_anyio_worker(loop):
            found.append(anyio.from_thread.run(here))

    await asyncio.to_thread(work)
    assert found == [threading.current_thread().name], "look at as_anyio_worker in tap/threads.py"


# Usage (tap/state.py, tap/lm_call.py)


def test_the_usage_tracker_sums_what_can_be_summed() -> None:
    from dspy.utils.usage_tracker import UsageTracker

    tracker = UsageTracker()
    tracker.add_usage("m", {"prompt_tokens": 1, "details": {"cached": 2}})
    tracker.add_usage("m", {"prompt_tokens": 3, "details": {"cached": 4}})
    assert tracker.get_total_tokens() == {"m": {"prompt_tokens": 4, "details": {"cached": 6}}}, (
        "look at tap/state.py and tap/lm_call.py"
    )
