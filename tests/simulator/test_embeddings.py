"""The shapes of OpenAI's embeddings, over real HTTP, read by OpenAI's own client, too."""

import base64
import math
import struct
from typing import Any

import httpx
import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldstream.simulator import Provider, simulate
from fieldstream.simulator.embeddings import vector
from tests.simulator.client import post


def ask(provider: Provider, given: Any, **more: Any) -> httpx.Response:
    return post(provider, "/embeddings", json={"model": "sim", "input": given, **more})


def unpacked(packed: bytes) -> list[float]:
    return list(struct.unpack(f"<{len(packed) // 4}f", packed))


def nearness(one: str, other: str) -> float:
    """The cosine of their angle."""
    pairs = zip(*(unpacked(vector(text, 512)) for text in (one, other)), strict=True)
    return sum(mine * theirs for mine, theirs in pairs)


def test_its_shape() -> None:
    with simulate() as provider:
        answer = ask(provider, ["The sky is blue.", "Grass is green."]).json()
    assert answer["object"] == "list"
    assert answer["model"] == "sim"
    assert [(each["object"], each["index"]) for each in answer["data"]] == [("embedding", 0), ("embedding", 1)]
    assert [len(each["embedding"]) for each in answer["data"]] == [1536, 1536]
    assert answer["usage"] == {"prompt_tokens": 9, "total_tokens": 9}


def test_one_text_is_a_list_of_one() -> None:
    with simulate() as provider:
        alone, listed = (ask(provider, given).json()["data"] for given in ("Why?", ["Why?"]))
    assert alone == listed


def test_both_encodings_say_the_same() -> None:
    with simulate() as provider:
        plain = ask(provider, "Why?", encoding_format="float", dimensions=5).json()["data"][0]["embedding"]
        packed = ask(provider, "Why?", encoding_format="base64", dimensions=5).json()["data"][0]["embedding"]
    assert unpacked(base64.b64decode(packed)) == plain
    assert len(plain) == 5


@given(st.text(min_size=1) | st.lists(st.integers(0, 200_000), min_size=1), st.integers(1, 64))
def test_a_vector_has_its_dimensions_and_the_length_one(given: str | list[int], dimensions: int) -> None:
    numbers = unpacked(vector(given, dimensions))
    assert len(numbers) == dimensions
    assert math.hypot(*numbers) == pytest.approx(1, abs=1e-5)
    assert vector(given, dimensions) == vector(given, dimensions)


def test_texts_that_share_words_are_near() -> None:
    assert nearness("the sky is blue", "The sky is BLUE!") == pytest.approx(1, abs=1e-5)
    assert nearness("why is the sky blue", "the sky is blue") > 0.7 > 0.3 > nearness("why is it so", "roses are red")


def test_tokens_are_taken_too() -> None:
    with simulate() as provider:
        one = ask(provider, [1, 2, 3], dimensions=8).json()
        two = ask(provider, [[1, 2, 3], [4]], dimensions=8).json()
    assert len(one["data"]) == 1
    assert one["usage"]["prompt_tokens"] == 3
    assert two["data"][0] == one["data"][0]
    assert two["usage"]["prompt_tokens"] == 4


@pytest.mark.parametrize("encoding", [openai.omit, "float"])
def test_openais_client_reads_it(encoding: Any) -> None:
    """It asks for base64, unless it is told what to ask for."""
    with simulate() as provider, openai.OpenAI(base_url=provider.api_base, api_key="x") as client:
        found = client.embeddings.create(model="sim", input="Why?", dimensions=16, encoding_format=encoding)
    assert provider.requests[0].body["encoding_format"] == ("float" if encoding == "float" else "base64")
    assert found.data[0].embedding == unpacked(vector("Why?", 16))


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({}, "input"),
        ({"input": []}, "input"),
        ({"input": ""}, "input"),
        ({"input": ["a", ""]}, "input"),
        ({"input": ["a", 1]}, "input"),
        ({"input": [[]]}, "input"),
        ({"input": ["a"] * 2049}, "input"),
        ({"input": "a", "dimensions": 0}, "dimensions"),
        ({"input": "a", "dimensions": "8"}, "dimensions"),
        ({"input": "a", "encoding_format": "hex"}, "encoding_format"),
    ],
)
def test_a_request_that_is_none(body: dict[str, Any], named: str) -> None:
    with simulate() as provider:
        response = post(provider, "/embeddings", json=body)
    assert response.status_code == 400
    assert named in response.json()["error"]["message"]


def test_it_takes_no_answer_and_fails_as_it_is_told_to() -> None:
    with simulate(["Hello."], error=503, fault_times=1) as provider:
        failed, made = ask(provider, "Why?"), ask(provider, "Why?")
        answer = post(provider).json()
    assert failed.status_code == 503
    assert made.status_code == 200
    assert answer["choices"][0]["message"]["content"] == "Hello."
    assert provider.requests[1].messages == []


@pytest.mark.parametrize(
    ("options", "error"), [({"drop": 0}, httpx.RemoteProtocolError), ({"malformed": 0}, ValueError)]
)
def test_answers_that_break_off(options: Any, error: type[Exception]) -> None:
    with simulate(**options) as provider, pytest.raises(error):
        ask(provider, "Why?").json()


def test_only_by_post() -> None:
    with simulate() as provider:
        assert httpx.get(provider.api_base + "/embeddings").status_code == 405
