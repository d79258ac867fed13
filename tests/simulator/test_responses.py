"""The shapes of the OpenAI Responses API, over real HTTP, read by OpenAI's own client, too."""

import json
from typing import Any

import httpx
import openai
import pytest

from fieldstream.simulator import Answer, Provider, ToolCall, simulate
from tests.simulator.client import post

CALL = ToolCall("weather", {"city": "Zürich"}, id="call_7")
RICH = Answer("Hello there", reasoning="Think first", tool_calls=[CALL])


def asked(given: Any = "Hi", **more: Any) -> dict[str, Any]:
    return {"model": "sim", "input": given, **more}


def ask(provider: Provider, body: dict[str, Any]) -> httpx.Response:
    return post(provider, "/responses", json=body)


def events(response: httpx.Response) -> list[dict[str, Any]]:
    """The events of a stream; each is named as it says itself."""
    found: list[dict[str, Any]] = []
    for text in response.read().decode().split("\n\n")[:-1]:
        name, data = text.split("\n")
        found.append(json.loads(data.removeprefix("data: ")))
        assert name == f"event: {found[-1]['type']}"
    return found


def test_a_whole_answer() -> None:
    with simulate([RICH]) as provider:
        answer = ask(provider, asked(instructions="Be short.")).json()
    assert answer["object"] == "response"
    assert answer["status"] == "completed"
    assert answer["instructions"] == "Be short."
    assert [item["type"] for item in answer["output"]] == ["reasoning", "message", "function_call"]
    thought, message, call = answer["output"]
    assert thought["summary"] == [{"type": "summary_text", "text": "Think first"}]
    assert message["content"] == [{"type": "output_text", "annotations": [], "logprobs": [], "text": "Hello there"}]
    assert (call["call_id"], call["name"], json.loads(call["arguments"])) == ("call_7", "weather", {"city": "Zürich"})
    assert answer["usage"]["total_tokens"] == answer["usage"]["input_tokens"] + answer["usage"]["output_tokens"]
    assert answer["usage"]["output_tokens_details"]["reasoning_tokens"] == 2


@pytest.mark.parametrize("chunking", ["tokens", "chars", "whole"])
def test_a_stream_says_what_the_whole_says(chunking: str) -> None:
    with simulate([RICH, RICH]) as provider:
        whole = ask(provider, asked()).json()
        said = events(ask(provider, asked(stream=True, simulator={"chunking": chunking})))
    assert [event["sequence_number"] for event in said] == list(range(len(said)))
    assert [event["type"] for event in said[:2]] == ["response.created", "response.in_progress"]
    assert said[0]["response"]["output"] == []
    last = said[-1]
    assert last["type"] == "response.completed"
    assert last["response"]["output"] == [
        item | {"id": mine["id"]} for item, mine in zip(whole["output"], last["response"]["output"], strict=True)
    ]
    for index, item in enumerate(last["response"]["output"]):
        of_item = [event for event in said if event.get("output_index") == index]
        assert of_item[0]["type"] == "response.output_item.added"
        assert of_item[-1]["type"] == "response.output_item.done"
        assert of_item[-1]["item"] == item
        pieces = "".join(event["delta"] for event in of_item if event["type"].endswith(".delta"))
        assert pieces == {"reasoning": "Think first", "message": "Hello there"}.get(item["type"], item.get("arguments"))


def test_openais_client_reads_it() -> None:
    with simulate([RICH, RICH]) as provider, openai.OpenAI(base_url=provider.api_base, api_key="x") as client:
        whole = client.responses.create(model="sim", input="Hi")
        assert whole.output_text == "Hello there"
        with client.responses.stream(model="sim", input="Hi") as stream:
            texts = [event.delta for event in stream if event.type == "response.output_text.delta"]
            final = stream.get_final_response()
    assert texts == ["Hello", " there"]
    assert final.output_text == "Hello there"


def test_what_was_asked_is_read_as_messages() -> None:
    given = [
        {"role": "user", "content": [{"type": "input_text", "text": "What is it?"}]},
        {"type": "function_call", "call_id": "c", "name": "look", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": "nothing"},
    ]
    with simulate(["a", "b"]) as provider:
        ask(provider, asked(given, instructions="Be short."))
        ask(provider, asked("Hi"))
    listed, plain = provider.requests
    assert listed.text("system") == "Be short."
    assert listed.text("user") == "What is it?"
    assert listed.text("tool") == "nothing"
    assert plain.text("user") == "Hi"


@pytest.mark.parametrize("given", [None, [], ["text"], [{"content": "x"}]])
def test_a_request_without_anything_to_answer(given: Any) -> None:
    with simulate() as provider:
        response = ask(provider, asked(given))
    assert response.status_code == 400
    assert "input" in response.json()["error"]["message"]


def test_a_stream_that_is_cut_off_has_no_end() -> None:
    with simulate(["Hello there"], truncate=1) as provider:
        said = events(ask(provider, asked(stream=True)))
    assert said[-1]["type"] == "response.output_text.delta"


def test_it_writes_answers_of_its_own() -> None:
    with simulate() as provider:
        answer = ask(provider, asked("Why is the sky blue?")).json()
    assert answer["output"][0]["content"][0]["text"]
