"""The shapes of the OpenAI API, over real HTTP."""

import json
from typing import Any

import pytest

from fieldstream.simulator import Answer, ToolCall, simulate
from tests.simulator.client import body, chunks, data, deltas, post

CALL = ToolCall("weather", {"city": "Zürich"}, id="call_7")


def test_a_whole_answer() -> None:
    with simulate(answers=["Hello there"]) as provider:
        response = post(provider, json=body("Hi", model="gpt-x"))
    answer = response.json()
    assert response.headers["content-type"] == "application/json"
    assert answer["object"] == "chat.completion"
    assert answer["model"] == "gpt-x"
    assert answer["choices"] == [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "Hello there"},
            "finish_reason": "stop",
            "logprobs": None,
        }
    ]
    assert answer["usage"] == {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}


def test_a_stream() -> None:
    with simulate(answers=["Hello there"]) as provider:
        response = post(provider, json=body("Hi", stream=True))
    assert response.headers["content-type"] == "text/event-stream"
    assert response.headers["transfer-encoding"] == "chunked"
    first, *middle, last = chunks(response)
    assert first["object"] == "chat.completion.chunk"
    assert first["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert [chunk["choices"][0]["delta"] for chunk in middle] == [{"content": "Hello"}, {"content": " there"}]
    assert {chunk["choices"][0]["finish_reason"] for chunk in (first, *middle)} == {None}
    assert last["choices"] == [{"index": 0, "delta": {}, "finish_reason": "stop"}]
    assert len({chunk["id"] for chunk in (first, *middle, last)}) == 1


def test_the_usage_comes_last_where_it_is_asked_for() -> None:
    with simulate(answers=["a b", Answer("c", usage={"total_tokens": 9})]) as provider:
        asked = body("Hi", stream=True, stream_options={"include_usage": True})
        counted, given = (chunks(post(provider, json=asked))[-1] for _ in range(2))
    assert counted["choices"] == []
    assert counted["usage"] == {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
    assert given["usage"] == {"total_tokens": 9}


def test_tool_calls_are_streamed_as_name_and_arguments() -> None:
    with simulate(answers=[Answer(tool_calls=[CALL, ToolCall("other")])] * 2) as provider:
        whole = post(provider).json()["choices"][0]
        streamed = post(provider, json=body(stream=True))
    said = [call for delta in deltas(streamed, "tool_calls") for call in delta]
    assert said[0] == {"index": 0, "id": "call_7", "type": "function", "function": {"name": "weather", "arguments": ""}}
    assert len(said) > 4
    arguments = "".join(call["function"]["arguments"] for call in said if call["index"] == 0)
    assert json.loads(arguments) == {"city": "Zürich"}
    assert whole["finish_reason"] == chunks(streamed)[-1]["choices"][0]["finish_reason"] == "tool_calls"
    assert whole["message"]["content"] is None
    assert whole["message"]["tool_calls"][0] == {
        "id": "call_7",
        "type": "function",
        "function": {"name": "weather", "arguments": '{"city": "Zürich"}'},
    }
    assert [call["function"]["name"] for call in whole["message"]["tool_calls"]] == ["weather", "other"]


def test_reasoning_comes_before_the_text() -> None:
    with simulate(answers=[Answer("so it is", reasoning="let me think")] * 2) as provider:
        whole = post(provider).json()
        streamed = post(provider, json=body(stream=True))
    assert whole["choices"][0]["message"]["reasoning_content"] == "let me think"
    assert whole["usage"]["completion_tokens_details"] == {"reasoning_tokens": 3}
    assert deltas(streamed, "reasoning_content") == ["let", " me", " think"]
    keys = [next(iter(chunk["choices"][0]["delta"]), "") for chunk in chunks(streamed)]
    assert keys == ["role", *["reasoning_content"] * 3, *["content"] * 3, ""]


def test_choices_take_turns() -> None:
    answer = Answer(choices=["a b c", Answer("x", finish_reason="length")])
    with simulate(answers=[answer] * 2) as provider:
        whole = post(provider, json=body(n=2)).json()
        streamed = post(provider, json=body(n=2, stream=True))
    assert [choice["message"]["content"] for choice in whole["choices"]] == ["a b c", "x"]
    assert deltas(streamed, index=0) == ["a", " b", " c"]
    assert deltas(streamed, index=1) == ["x"]
    order = [chunk["choices"][0]["index"] for chunk in chunks(streamed)]
    assert order == [0, 1, 0, 1, 0, 0, 0, 1]
    assert chunks(streamed)[-1]["choices"][0]["finish_reason"] == "length"


def test_given_chunks_are_exact_even_where_utf8_cannot_carry_them() -> None:
    exact = ["a\n", "", "\ud83d", '"', "🌊 é"]
    with simulate(answers=[Answer(chunks=exact)] * 2) as provider:
        streamed = post(provider, json=body(stream=True))
        whole = post(provider).content
    assert deltas(streamed) == exact
    assert json.loads(whole)["choices"][0]["message"]["content"] == "".join(exact)


def test_plain_completions() -> None:
    with simulate(answers=["a b", "a b"]) as provider:
        whole = post(provider, "/completions", json={"model": "sim", "prompt": "Hi"}).json()
        streamed = post(provider, "/completions", json={"model": "sim", "prompt": "Hi", "stream": True})
    assert whole["object"] == "text_completion"
    assert whole["choices"] == [{"index": 0, "text": "a b", "finish_reason": "stop", "logprobs": None}]
    assert [chunk["choices"][0]["text"] for chunk in chunks(streamed)] == ["a", " b", ""]
    assert chunks(streamed)[-1]["choices"][0]["finish_reason"] == "stop"


def test_the_list_of_models() -> None:
    with simulate() as provider:
        import httpx

        models: dict[str, Any] = httpx.get(provider.api_base + "/models").json()
    assert [model["id"] for model in models["data"]] == ["sim"]


@pytest.mark.parametrize("chunking", ["tokens", "chars", "whole", "random"])
def test_the_same_text_in_every_chunking(chunking: str) -> None:
    with simulate() as provider:
        whole = post(provider).json()["choices"][0]["message"]["content"]
        streamed = post(provider, json=body(stream=True, simulator={"chunking": chunking}))
        other = post(provider, json=body(stream=True, simulator={"chunking": chunking, "seed": 1}))
    assert "".join(deltas(streamed)) == whole != ""
    assert len(deltas(streamed)) == {"whole": 1, "chars": len(whole)}.get(chunking, len(deltas(streamed)))
    assert data(other)[-1] == "[DONE]"


def test_one_megabyte_in_one_chunk() -> None:
    with simulate(answers=[Answer("é" * (1 << 19))]) as provider:
        streamed = post(provider, json=body(stream=True, simulator={"chunking": "whole"}))
    assert deltas(streamed) == ["é" * (1 << 19)]
