"""When chunks are sent, and how sending goes wrong."""

import json
import threading
import time
from typing import Any

import httpx
import pytest

from fieldstream.simulator import Answer, Provider, simulate
from tests.simulator.client import body, chunks, contents, data, deltas, post

ABCDE = Answer(chunks=["a", "b", "c", "d", "e"])


def _broken(provider: Provider, **options: Any) -> tuple[list[str], httpx.TransportError | None]:
    """The texts that arrive, and the error after them."""
    texts: list[str] = []
    try:
        asked = body(stream=True, simulator=options)
        with httpx.stream("POST", provider.api_base + "/chat/completions", json=asked, timeout=20) as response:
            texts.extend(contents(response, 1 << 20))
    except httpx.TransportError as error:
        return texts, error
    return texts, None


def test_the_rate() -> None:
    with simulate(answers=[Answer(chunks=["x"] * 21)], rate=200) as provider:
        begun = time.monotonic()
        assert len(deltas(post(provider, json=body(stream=True)))) == 21
    assert time.monotonic() - begun >= 0.1


@pytest.mark.parametrize("stream", [True, False])
def test_the_time_to_the_first_chunk(stream: bool) -> None:
    with simulate(answers=["x"], first=0.1) as provider:
        begun = time.monotonic()
        post(provider, json=body(stream=stream))
    assert time.monotonic() - begun >= 0.1


def test_a_gate_holds_its_chunk_back() -> None:
    gates = {2: threading.Event(), 5: threading.Event()}
    with simulate(answers=[Answer(chunks=ABCDE.chunks, gates=gates)]) as provider:
        asked = httpx.stream("POST", provider.api_base + "/chat/completions", json=body(stream=True))
        with asked as response:
            texts = contents(response, 5)
            for gate, expected in ((2, "ab"), (5, "cde")):
                assert [next(texts) for _ in expected] == list(expected)
                provider.wait_for(lambda gate=gate: provider.requests[0].chunks_sent == gate)
                assert not provider.requests[0].finished.is_set()
                gates[gate].set()
            provider.wait_for(provider.requests[0].finished.is_set)


def test_a_fault_waits_for_the_gate_at_its_place() -> None:
    gate = threading.Event()
    answer = Answer(chunks=ABCDE.chunks, gates={99: gate}, options={"drop": 5})
    with simulate(answers=[answer]) as provider:
        asked = httpx.stream("POST", provider.api_base + "/chat/completions", json=body(stream=True))
        with asked as response:
            texts = contents(response, 6)
            assert [next(texts) for _ in "abcde"] == list("abcde")
            provider.wait_for(lambda: provider.requests[0].chunks_sent == 5)
            assert not provider.requests[0].finished.is_set()
            gate.set()
            with pytest.raises(httpx.RemoteProtocolError):
                next(texts)


def test_many_streams_behind_one_gate() -> None:
    gate = threading.Event()
    with simulate(lambda _: Answer("done", gates={0: gate})) as provider:
        threads = [threading.Thread(target=post, args=(provider,)) for _ in range(20)]
        for thread in threads:
            thread.start()
        provider.wait_for(lambda: len(provider.requests) == 20)
        assert not any(request.finished.is_set() for request in provider.requests)
        gate.set()
        for thread in threads:
            thread.join()
        provider.wait_for(lambda: all(request.finished.is_set() for request in provider.requests))


@pytest.mark.parametrize("after", [0, 2, 5, 99])
@pytest.mark.parametrize("reset", [False, True])
def test_a_dropped_connection(after: int, reset: bool) -> None:
    with simulate(answers=[ABCDE]) as provider:
        texts, error = _broken(provider, drop=after, reset=reset)
    assert "".join(texts) == "abcde"[:after]
    assert isinstance(error, httpx.ReadError if reset else httpx.RemoteProtocolError)


@pytest.mark.parametrize("after", [0, 3, 99])
def test_a_stream_without_its_end(after: int) -> None:
    with simulate(answers=[ABCDE]) as provider:
        response = post(provider, json=body(stream=True, simulator={"truncate": after}))
    events = [json.loads(event) for event in data(response)]
    assert {choice["finish_reason"] for event in events for choice in event["choices"]} == {None}
    assert len(events) == 1 + min(after, 5)


@pytest.mark.parametrize("after", [0, 3, 99])
def test_a_malformed_event(after: int) -> None:
    with simulate(answers=[ABCDE]) as provider:
        response = post(provider, json=body(stream=True, simulator={"malformed": after}))
    events = data(response)
    place = 1 + min(after, 5)
    with pytest.raises(json.JSONDecodeError):
        json.loads(events.pop(place))
    assert events[-1] == "[DONE]"
    assert len(events) == 8


def test_a_stall_lasts_until_the_client_leaves() -> None:
    with simulate(answers=[ABCDE], stall=2) as provider:
        with httpx.stream("POST", provider.api_base + "/chat/completions", json=body(stream=True)) as response:
            texts = contents(response, 3)
            assert [next(texts), next(texts)] == ["a", "b"]
            request = provider.requests[0]
            provider.wait_for(lambda: request.chunks_sent == 2)
            assert not request.disconnected.is_set()
        assert request.disconnected.wait(10)


def test_faults_of_a_whole_answer() -> None:
    with simulate(answers=["hello"] * 3) as provider:
        with pytest.raises(json.JSONDecodeError):
            post(provider, json=body(simulator={"malformed": 0})).json()
        with pytest.raises(httpx.RemoteProtocolError):
            post(provider, json=body(simulator={"drop": 1}))
        with pytest.raises(httpx.ReadError):
            post(provider, json=body(simulator={"drop": 1, "reset": True}))
        truncated = post(provider, json=body(simulator={"truncate": 1})).json()
        assert truncated["choices"][0]["finish_reason"] is None
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(provider.api_base + "/chat/completions", json=body(simulator={"stall": 0}), timeout=0.1)
        assert provider.requests[-1].disconnected.wait(10)


def test_an_error_with_a_time_to_retry() -> None:
    with simulate(error=429, retry_after=0.5) as provider:
        response = post(provider, json=body(stream=True))
    assert response.status_code == 429
    assert response.headers["retry-after"] == "0.5"
    assert response.json()["error"]["type"] == "rate_limit_error"
    assert response.json()["error"]["code"] == "rate_limit_exceeded"


def test_a_fault_of_the_server_hits_the_first_requests_and_keeps_their_answers() -> None:
    with simulate(answers=["one", "two"], error=503, fault_times=2) as provider:
        statuses = [post(provider, json=body(str(number))).status_code for number in range(2)]
        texts = [post(provider).json()["choices"][0]["message"]["content"] for _ in range(2)]
    assert statuses == [503, 503]
    assert texts == ["one", "two"]


def test_a_fault_of_a_request_hits_its_first_repetitions() -> None:
    with simulate() as provider:
        asked = [body(text, simulator={"error": 500, "fault_times": 1}) for text in ("a", "b", "a", "b")]
        assert [post(provider, json=each).status_code for each in asked] == [500, 500, 200, 200]


def test_a_fault_of_an_answer_is_used_up_with_it() -> None:
    with simulate(answers=[Answer(options={"error": 500}), "fine", Answer("x", options={"speed": 1})]) as provider:
        assert post(provider).status_code == 500
        assert chunks(post(provider, json=body(stream=True)))
        assert "no option speed" in post(provider).json()["error"]["message"]
