"""A stream that is read past DSPy's layers is put together as DSPy does it, whatever its chunks bring."""

import json
from types import SimpleNamespace
from typing import Any

from dspy import lm15
from dspy._vendor.lm15.providers.openai_chat import OpenAIChatLM
from dspy._vendor.lm15.result import StreamAccumulator, coalesce_stream
from dspy._vendor.lm15.sse import SSEEvent
from hypothesis import example, given
from hypothesis import strategies as st

from fieldstream.tap.lms.engine import _Report
from fieldstream.tap.lms.stream.sse import decode

REQUEST = lm15.Request(model="m", messages=(lm15.Message.user("?"),))
READER = OpenAIChatLM(api_key="x")

_LOGPROBS = {"content": [{"token": "a", "logprob": -0.5, "bytes": None, "top_logprobs": []}]}
_TOLD = {"logprobs": _LOGPROBS}
_USAGE = {"usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}}
_CALL = {"index": 0, "id": "c", "function": {"name": "f", "arguments": "{}"}}
_CHUNKS = st.lists(
    st.builds(
        lambda delta, more, usage: {
            "choices": [{"delta": delta, **more}],
            **(_USAGE if usage else {}),
        },
        st.fixed_dictionaries(
            {},
            optional={
                "content": st.sampled_from(["a", "b", "cd", "", "\ud83d"]),
                "reasoning_content": st.sampled_from(["x", "y", ""]),
                "reasoning": st.sampled_from(["u", ""]),
            },
        ),
        st.sampled_from([{}, {}, {}, _TOLD, {"logprobs": None}]),
        st.sampled_from([False, False, False, True]),
    ),
    max_size=8,
)


def _ended(chunks: list[dict[str, Any]], call: bool) -> list[dict[str, Any]]:
    last: dict[str, Any] = {"tool_calls": [_CALL]} if call else {}
    return [*chunks, {"choices": [{"delta": last, "finish_reason": "stop"}]}]


@given(_CHUNKS, st.booleans(), st.integers(1, 400))
@example(
    [{"choices": [{"delta": {"reasoning": "x"}}]}, {"choices": [{"delta": {"reasoning": "y"}}], "usage": {}}], False, 9
)
def test_put_together_as_dspy_does_it(chunks: list[dict[str, Any]], call: bool, size: int) -> None:
    texts = [json.dumps(chunk) for chunk in _ended(chunks, call)]

    def parsed(raw: Any) -> Any:
        return READER.parse_stream_events(REQUEST, SSEEvent(None, raw.data))

    plain = StreamAccumulator(REQUEST)
    for event in coalesce_stream((each for text in texts for each in parsed(SSEEvent(None, text))), model="m"):
        plain.push(event)

    told: list[str] = []
    state = SimpleNamespace(recorder=SimpleNamespace(sink=SimpleNamespace(wants_chunks=False)))
    lm: Any = SimpleNamespace(
        state=state,
        wants_chunks=lambda index: False,
        text=lambda index, *pieces: told.extend(pieces),
        reasoning=lambda index, piece: told.append(f"({piece})"),
        tool_call=lambda index, part, name, arguments: None,
        finish=lambda index: None,
    )
    report = _Report(lm, 0, REQUEST, "openai")
    report.allow_text(READER, REQUEST)
    body = "".join(f"data: {text}\n\n" for text in texts).encode()
    blocks = [body[start : start + size] for start in range(0, len(body), size)]
    events = (each for raw in decode(report.decoder, iter(blocks)) for each in parsed(raw))
    for event in coalesce_stream(events, model="m"):
        report.push(event)
    ours, theirs = report.response(), plain.response()
    assert ours.message == theirs.message
    assert (ours.finish_reason, ours.usage) == (theirs.finish_reason, theirs.usage)
    expected: list[str] = []
    for chunk in chunks:
        delta = chunk["choices"][0]["delta"]
        if thought := delta.get("reasoning_content") or delta.get("reasoning"):
            expected.append(f"({thought})")
        if text := delta.get("content"):
            expected.append(text)
    assert told == expected
