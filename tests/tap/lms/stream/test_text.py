"""Chunks that bring nothing but text: what is taken of them is what DSPy would make of them."""

import json
from typing import Any

from dspy import lm15
from dspy._vendor.lm15.providers.openai_chat import OpenAIChatLM
from dspy._vendor.lm15.sse import SSEEvent
from hypothesis import given
from hypothesis import strategies as st

from fieldstream.tap.lms.stream.text import is_read_alike, text_of

REQUEST = lm15.Request(model="m", messages=(lm15.Message.user("?"),))
READER = OpenAIChatLM(api_key="x")

_TEXT = st.text(st.sampled_from('ab"\\\n é😀\ud83d\u2028\x00'), max_size=6)
_ANY = st.one_of(st.none(), st.just(""), st.just([]), st.just({}), st.integers(), _TEXT)
_DELTA = st.fixed_dictionaries(
    {},
    optional={
        "role": st.just("assistant"),
        "content": st.one_of(_TEXT, _ANY),
        "reasoning_content": st.one_of(_TEXT, _ANY),
        "reasoning": st.one_of(_TEXT, _ANY),
        "tool_calls": st.one_of(_ANY, st.just([{"index": 0, "function": {"name": "f", "arguments": "{"}}])),
        "refusal": st.none(),
    },
)
_CHOICE = st.fixed_dictionaries(
    {},
    optional={
        "index": st.just(0),
        "delta": st.one_of(_DELTA, _DELTA, _DELTA, _ANY),
        "finish_reason": st.one_of(st.none(), st.none(), st.just("stop"), st.just("")),
        "logprobs": st.one_of(st.none(), st.none(), st.just({"content": []})),
    },
)
_CHUNK = st.fixed_dictionaries(
    {"id": st.just("chatcmpl-1")},
    optional={
        "choices": st.one_of(st.lists(_CHOICE, max_size=2), st.lists(_CHOICE, min_size=1, max_size=1), _ANY),
        "usage": st.one_of(st.none(), st.none(), st.just({"total_tokens": 3})),
        "error": st.one_of(st.none(), st.none(), st.just({"message": "no"}), _ANY),
        "created": st.sampled_from([1, 1.5, float("nan"), 10**30]),
    },
)


def plainly(data: bytes) -> list[tuple[str, str]]:
    """What DSPy reads in a chunk, of which it is sure that it is nothing but text."""
    said: list[tuple[str, str]] = []
    events: Any = READER.parse_stream_events(REQUEST, SSEEvent(None, data.decode("utf-8", "replace")))
    for event in events:
        assert event.type == "delta", "more than text"
        assert event.delta.type in ("text", "thinking"), "more than text"
        assert not getattr(event.delta, "logprobs", None), "more than text"
        said.append((event.delta.type, event.delta.text))
    return said


def check(data: bytes) -> bool:
    """Whether the chunk is taken; then it is read as DSPy reads it."""
    if (said := text_of(data)) is None:
        return False
    thought = said.reasoning_content or said.reasoning
    ours = [("thinking", thought)] * bool(thought) + [("text", said.content)] * bool(said.content)
    assert ours == plainly(data)
    return True


@given(_CHUNK, st.booleans())
def test_read_as_dspy_reads_it(chunk: dict[str, Any], escaped: bool) -> None:
    check(b" " + json.dumps(chunk, ensure_ascii=escaped).encode("utf-8", "surrogatepass"))


@given(
    st.binary(max_size=8), st.sampled_from([b'{"choices":[{"delta":{"content":"%s"}}]}', b'{"a":"%s","choices":[]}'])
)
def test_any_bytes(inside: bytes, chunk: bytes) -> None:
    check(chunk.replace(b"%s", inside))


def test_the_usual_chunks_are_taken() -> None:
    usual = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m", "system_fingerprint": "f"}
    for delta in ({"role": "assistant", "content": ""}, {"content": "Blue"}, {"content": None, "reasoning": "Hm"}):
        choice = {"index": 0, "delta": {**delta, "refusal": None}, "logprobs": None, "finish_reason": None}
        assert check(json.dumps({**usual, "choices": [choice], "usage": None}).encode())


def test_not_where_dspy_looks_for_a_stop_sequence() -> None:
    assert is_read_alike(READER, REQUEST)
    stopping = lm15.Request(model="m", messages=(lm15.Message.user("?"),), config=lm15.Config(stop=("END",)))
    assert not is_read_alike(READER, stopping)
    assert not is_read_alike(object(), REQUEST)
