"""What ``tap/lms/engine.py`` relies on."""

# pyright: reportAttributeAccessIssue=false

import inspect
from typing import Any

import dspy
import pytest

from fieldstream.simulator import simulate
from tests.contracts.contract import check_parameters, engines


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
    message = "an engine's events are others: look at _Report in tap/lms/engine.py"
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
        "tool calls are put together otherwise: look at tap/lms/engine.py"
    )


@engines
def test_guards_of_streams() -> None:
    from dspy import lm15
    from dspy.clients.engines.lifecycle import aclosing_stream, closing_stream
    from dspy.clients.engines.stream_guard import achecked_stream, checked_stream
    from dspy.clients.engines.streaming import ListenerBridge

    check_parameters(closing_stream, "source", at="tap/lms/engine.py")
    check_parameters(aclosing_stream, "source", at="tap/lms/engine.py")
    check_parameters(checked_stream, "source", "provider", at="tap/lms/engine.py")
    check_parameters(achecked_stream, "source", "provider", at="tap/lms/engine.py")
    check_parameters(ListenerBridge.__init__, "self", "model", "predict_id", at="tap/lms/engine.py")
    with pytest.raises(lm15.StreamAssemblyError, match="without a completion event"):
        list(checked_stream(iter([lm15.StreamStartEvent()])))


@engines
def test_providers_read_their_streams_by_names_that_can_be_replaced() -> None:
    from dspy._vendor.lm15.providers import async_base, base

    at = "tap/lms/engine.py and tap/sse.py"
    for module, name, user in (
        (base, "parse_sse", base.BaseProviderLM._stream_raw),
        (async_base, "aparse_sse", None),
    ):
        parse = getattr(module, name, None)
        assert parse is not None, f"{name} is gone: look at {at}"
        check_parameters(parse, "lines", "max_line_bytes", "max_event_bytes", at=at)
        source = inspect.getsource(user if user is not None else module)
        assert f"{name}(" in source, f"{name} is not what reads a stream any more: look at {at}"


@engines
def test_the_way_past_an_engines_layers() -> None:
    from dspy import lm15
    from dspy.clients.engines.lm15_engine import AsyncLM15Engine, LM15Engine

    for engine in (LM15Engine, AsyncLM15Engine):
        check_parameters(engine._target, "self", "request", "streaming", at="_has_target in tap/lms/engine.py")
        source = inspect.getsource(engine.stream)
        assert "_target(request, streaming=True)" in source.replace("self._target, request", "_target(request"), (
            f"{engine.__name__}.stream goes another way: look at _events in tap/lms/engine.py"
        )
    config = lm15.RouterConfig(api_keys={"openai-chat": "x"}, base_urls={"openai-chat": "http://127.0.0.1:9"})
    engine = LM15Engine(config)
    request = lm15.Request(model="openai-chat:sim", messages=(lm15.Message.user("Why?"),))
    provider, routed = engine._target(request, streaming=True)
    engine.close()
    assert callable(provider.stream), "look at _events in tap/lms/engine.py"
    assert routed.messages == request.messages, "look at _events in tap/lms/engine.py"


@engines
def test_an_event_that_is_an_error() -> None:
    from dspy import lm15
    from dspy.clients.engines.stream_guard import error_from_event

    event = lm15.StreamErrorEvent(error=lm15.ErrorDetail(code="rate_limit", message="later"))
    error = error_from_event(event, provider="p")
    assert isinstance(error, lm15.LM15Error), "look at push in tap/lms/engine.py"
    assert "later" in str(error), "look at push in tap/lms/engine.py"


@engines
def test_errors_that_may_be_retried() -> None:
    from dspy import lm15
    from dspy.clients.errors import wrap_error
    from dspy.utils.exceptions import is_retryable_lm_error

    message = "errors have other meanings: look at tap/lms/engine.py"
    assert is_retryable_lm_error(wrap_error(lm15.TransportError("cut off"), model="m")), message
    malformed = wrap_error(lm15.ProviderError("no JSON", provider="p", status=200), model="m")
    assert isinstance(malformed, dspy.LMProviderError), message
    assert not is_retryable_lm_error(malformed), message
