"""The server as a whole: its thread, its scripts, what it notices, how it ends."""

import asyncio
import itertools
import socket
import threading

import httpx
import pytest

from fieldstream.simulator import Answer, ChatRequest, serve_forever, simulate
from fieldstream.simulator.provider import Provider
from tests.simulator.client import body, contents, deltas, post


def text(response: httpx.Response) -> str:
    return response.json()["choices"][0]["message"]["content"]


def test_scripts_come_before_answers_and_those_before_its_own_words() -> None:
    with simulate(answers=["one", Answer("two")]) as provider:
        assert text(post(provider)) == "one"
        provider.script("first", Answer("second"))
        said = [text(post(provider)) for _ in range(4)]
    assert said[:3] == ["first", "second", "two"]
    assert "sky" in said[3]


def test_answers_may_never_end() -> None:
    with simulate(answers=itertools.cycle(["a", "b"])) as provider:
        assert [text(post(provider)) for _ in range(3)] == ["a", "b", "a"]


def test_a_function_answers() -> None:
    def answer(request: ChatRequest) -> Answer | str:
        return f"{request.model}: {request.text('user')}, {request.choices}" if request.number < 1 else str(1 // 0)

    with simulate(answer) as provider:
        assert text(post(provider, json=body("Hi", model="m"))) == "m: Hi, 1"
        failed = post(provider)
    assert failed.status_code == 500
    assert "ZeroDivisionError" in failed.json()["error"]["message"]


@pytest.mark.parametrize(
    "answer",
    [
        Answer(chunks=["a", "b"], gates={1: threading.Event()}),
        Answer(chunks=["a", "b"], options={"stall": 1}),
        Answer(chunks=["a", "b"], options={"rate": 0.001}),
        Answer(chunks=["a", "b" * (1 << 26)]),
    ],
    ids=["gate", "stall", "rate", "full socket"],
)
def test_it_notices_at_once_when_a_client_leaves_a_stream(answer: Answer) -> None:
    with simulate(answers=[answer]) as provider:
        with httpx.stream("POST", provider.api_base + "/chat/completions", json=body(stream=True)) as response:
            assert list(contents(response, 1)) == ["a"]
        request = provider.requests[0]
        assert request.disconnected.wait(10)
        provider.wait_for(lambda: provider.connections == 0)
        assert not request.finished.is_set()
        assert request.ended is not None


@pytest.mark.parametrize("stream", [True, False])
def test_it_notices_when_a_client_leaves_before_the_first_chunk(stream: bool) -> None:
    with simulate(first=1000) as provider:
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(provider.api_base + "/chat/completions", json=body(stream=stream), timeout=0.1)
        assert provider.requests[0].disconnected.wait(10)


def test_waiting_says_what_was_seen_instead() -> None:
    with simulate() as provider:
        post(provider)
        with pytest.raises(TimeoutError, match=r"1 requests, the last: /v1/chat/completions 200"):
            provider.wait_for(lambda: provider.connections > 5, timeout=0.01)


async def test_two_hundred_streams_at_once() -> None:
    gate = threading.Event()
    answers = [Answer(chunks=[str(number), "-", "end"], gates={2: gate}) for number in range(200)]
    async with simulate(lambda request: answers[int(request.text("user"))]) as provider:
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(limits=limits, timeout=60) as client:

            async def ask(number: int) -> httpx.Response:
                return await client.post(provider.api_base + "/chat/completions", json=body(str(number), stream=True))

            tasks = [asyncio.create_task(ask(number)) for number in range(200)]
            await asyncio.to_thread(provider.wait_for, lambda: sum(r.chunks_sent for r in provider.requests) == 400)
            assert provider.connections == 200
            gate.set()
            for number, response in enumerate(await asyncio.gather(*tasks)):
                assert "".join(deltas(response)) == f"{number}-end"


def test_closing_ends_streams_connections_and_the_thread() -> None:
    provider = simulate(answers=[Answer("x", gates={0: threading.Event()})])
    failed: list[BaseException] = []

    def ask() -> None:
        try:
            post(provider, json=body(stream=True))
        except httpx.TransportError as error:
            failed.append(error)

    client = threading.Thread(target=ask)
    client.start()
    provider.wait_for(lambda: provider.requests and provider.requests[0].status)
    provider.close()
    provider.close()
    client.join()
    assert len(failed) == 1
    assert provider.connections == 0
    assert not any(thread.name.startswith("simulator:") for thread in threading.enumerate())
    with pytest.raises(httpx.ConnectError):
        post(provider)


async def test_an_async_block_and_several_at_once() -> None:
    async with simulate(answers=["one"]) as one, simulate(answers=["two"]) as two:
        assert one.url != two.url
        async with httpx.AsyncClient() as client:
            said = [text(await client.post(p.api_base + "/chat/completions", json=body())) for p in (one, two)]
    assert said == ["one", "two"]


def test_a_port_that_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="in use"):
        simulate(port=taken.getsockname()[1])


def test_a_provider_on_ipv6() -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:  # A machine without IPv6: it is said at once, and not by a provider that nobody reaches.
        with pytest.raises(OSError, match=r"::1|address|not supported|[Ff]amily"):
            simulate(answers=["six"], host="::1")
        return
    with simulate(answers=["six"], host="::1") as provider:
        assert provider.url.startswith("http://[::1]:")
        assert text(post(provider)) == "six"


def test_serving_until_interrupted() -> None:
    seen: list[str] = []

    def ready(provider: Provider) -> None:
        seen.append(text(post(provider)))
        raise KeyboardInterrupt

    serve_forever(answers=["hi"], ready=ready)
    assert seen == ["hi"]
    assert not any(thread.name.startswith("simulator:") for thread in threading.enumerate())
