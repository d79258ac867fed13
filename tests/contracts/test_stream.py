"""What ``tap/lms/stream/`` relies on."""

# pyright: reportPrivateImportUsage=false

import inspect
from typing import Any

from tests.contracts.contract import check_parameters, engines, theirs


@engines
def test_a_response_gives_its_body_in_the_blocks_of_its_decoder() -> None:
    from dspy._vendor.lm15.providers import async_base
    from dspy._vendor.lm15.transports import _async, _http11, _sync
    from dspy._vendor.lm15.transports._types import AsyncTransportResponse, TransportResponse

    at = "tap/lms/stream/body.py"
    check_parameters(TransportResponse.iter_lines, "self", at=at)
    check_parameters(AsyncTransportResponse.aiter_lines, "self", at=at)
    assert "aiter_lines()" in inspect.getsource(async_base._aiter_lines), f"lines come otherwise: look at {at}"
    for reads in (_sync.StdlibTransport._iter_body, _async.StdlibAsyncTransport._do_stream):
        source = inspect.getsource(theirs(reads))
        for used in ("decoder.feed(data)", "decoder.complete", "decoder.eof()", "decoder.drain()"):
            assert used in source, f"{reads.__qualname__} decodes a body otherwise: look at ChunkedBody in {at}"
    made = inspect.getsource(_http11.ResponseHeadParser._framing_decoder)
    assert "return ChunkedDecoder()" in made, f"the decoder is made otherwise: look at install in {at}"
    (answer,) = theirs(_http11.ChunkedDecoder)().feed(b"3\r\nabc\r\n")
    assert answer == b"abc", f"a decoder gives something else: look at {at}"
    assert issubclass(_http11.ProtocolError, Exception), f"look at {at}"


@engines
def test_a_transport_waits_by_a_name_that_can_be_replaced() -> None:
    from dspy._vendor.lm15.transports import _async

    check_parameters(
        _async.wait_for, "awaitable", "timeout", "cancel_result", at="_wrap_wait in tap/lms/stream/body.py"
    )
    assert "await wait_for(" in inspect.getsource(_async.StdlibAsyncTransport._do_stream)


@engines
def test_chunks_are_read_by_the_provider_that_the_text_is_taken_for() -> None:
    from dspy import lm15
    from dspy._vendor.lm15.providers.async_base import AsyncOpenAIChatLM
    from dspy._vendor.lm15.providers.openai_chat import OpenAIChatLM
    from dspy._vendor.lm15.sse import SSEEvent

    at = "tap/lms/stream/text.py"
    check_parameters(OpenAIChatLM.parse_stream_events, "self", "request", "raw_event", at=at)
    assert isinstance(AsyncOpenAIChatLM(api_key="x")._inner, OpenAIChatLM), f"look at is_read_alike in {at}"
    # How its chunks are read is compared in tests/tap/lms/stream/test_text.py.
    reader, request = OpenAIChatLM(api_key="x"), lm15.Request(model="m", messages=(lm15.Message.user("?"),))
    events: Any = reader.parse_stream_events(request, SSEEvent(None, '{"choices": [{"delta": {"content": "a"}}]}'))
    (event,) = events
    assert (event.delta.type, event.delta.text, event.delta.part_index) == ("text", "a", 0), f"look at {at}"
    assert event.delta.logprobs_complete, f"look at {at}"
