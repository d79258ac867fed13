"""Requests that the API refuses, and options that come with a request."""

import json
from typing import Any

import httpx
import pytest

from fieldstream.simulator import simulate
from tests.simulator.client import body, deltas, post


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"{nope", "could not parse the JSON body"),
        (b"[]", "must be a JSON object"),
        (b"{}", "Missing required parameter: 'messages'"),
        (b'{"messages": []}', "Missing required parameter: 'messages'"),
        (b'{"messages": ["hi"]}', "an object with a role"),
        (json.dumps(body(n=0)).encode(), "Invalid 'n'"),
        (json.dumps(body(simulator={"speed": 1})).encode(), "no option speed"),
        (json.dumps(body(simulator=[])).encode(), "must be a JSON object"),
    ],
)
def test_a_bad_request_is_told_why(content: bytes, said: str) -> None:
    with simulate() as provider:
        response = post(provider, content=content, json=None)
        assert response.status_code == 400
        error: dict[str, Any] = response.json()["error"]
        assert said in error["message"]
        assert error["type"] == "invalid_request_error"
        assert "code" in error
        assert provider.requests[0].status == 400


def test_unknown_paths_and_methods() -> None:
    with simulate() as provider:
        missing = httpx.get(provider.url + "/v1/engines")
        wrong = httpx.get(provider.api_base + "/chat/completions")
        head = httpx.head(provider.api_base + "/models")
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "not_found")
    assert (wrong.status_code, wrong.headers["allow"]) == (405, "POST")
    assert (head.status_code, head.content) == (405, b"")


def test_the_path_may_go_without_its_version() -> None:
    with simulate(answers=["hi"]) as provider:
        response = httpx.post(provider.url + "/chat/completions", json=body())
    assert response.json()["choices"][0]["message"]["content"] == "hi"


def test_options_come_in_the_header_or_the_body_which_wins() -> None:
    with simulate(answers=["ab"] * 3, chunking="whole") as provider:
        headers = {"x-simulator": '{"chunking": "chars", "seed": 3}'}
        asked = body(stream=True)
        assert deltas(post(provider, json=asked)) == ["ab"]
        assert deltas(post(provider, json=asked, headers=headers)) == ["a", "b"]
        assert deltas(post(provider, json=asked | {"simulator": {"chunking": "whole"}}, headers=headers)) == ["ab"]
        assert provider.requests[2].options.seed == 3
        refused = post(provider, headers={"x-simulator": "fast"})
    assert "header x-simulator must be a JSON object" in refused.json()["error"]["message"]


def test_what_a_request_says_is_recorded() -> None:
    with simulate() as provider:
        post(provider, json=body("Hi", stream=True), headers={"X-Trace": "7"})
        request = provider.requests[0]
        provider.wait_for(request.finished.is_set)
    assert (request.number, request.method, request.path) == (0, "POST", "/v1/chat/completions")
    assert request.headers["x-trace"] == "7"
    assert request.body["messages"] == request.messages
    assert request.text("user") == "Hi"
    assert request.text("system") == ""
    assert request.ended is not None
    assert request.started <= request.ended
    assert request.chunks_sent > 3
    assert not request.disconnected.is_set()


def test_the_text_of_a_message_in_parts() -> None:
    with simulate() as provider:
        parts = [{"type": "text", "text": "one"}, {"type": "image_url", "image_url": {}}, {"type": "text", "text": "2"}]
        post(provider, json={"messages": [{"role": "user", "content": parts}]})
        assert provider.requests[0].text("user") == "one\n2"
        assert provider.requests[0].model == "sim"
