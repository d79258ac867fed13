"""`fieldstream.Client`, as its users have it, with a real server."""

import asyncio
import gc
import json
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterable, Callable, Iterator
from typing import Any
from urllib.request import urlopen

import dspy
import pytest
from dspy.signatures import make_signature

import fieldstream
from fieldstream import (
    Client,
    ConnectionLostError,
    FieldstreamError,
    Guard,
    HttpError,
    RemoteError,
    RunCancelledError,
    RunNotEndedError,
    UnknownFieldError,
)
from fieldstream.events import RunEnded, RunStarted
from fieldstream.server import Expose, Limits
from fieldstream.simulator import Answer, ChatRequest, Provider, simulate
from tests.client.programs import Recipe, Step, Two
from tests.support.leftovers import DEADLINE, no_requests_left, no_tasks_left, no_threads_left
from tests.support.reading import Gated, chat
from tests.support.reading import cut as pieces_of
from tests.support.serving import Cuts, cut, on, served


def say(request: ChatRequest) -> Answer:
    """An answer that repeats the question."""
    asked = request.text("user").partition("[[ ## question ## ]]\n")[2].partition("\n")[0]
    return Answer(chunks=pieces_of(chat(answer=f"You ask: {asked}"), 8))


@pytest.fixture
def provider() -> Iterator[Provider]:
    with no_threads_left(), simulate(say) as provider:
        yield provider


@pytest.fixture
def url(provider: Provider) -> Iterator[str]:
    programs = {
        "qa": on(provider, dspy.Predict("question -> answer")),
        "recipe": on(provider, dspy.Predict(Recipe)),
        "two": on(provider, Two()),
    }
    with served(programs, limits=Limits(write_interval=0.0)) as url:
        yield url


@pytest.fixture
def client(url: str) -> Iterator[Client]:
    client = Client(url, backoff=0.001)
    yield client
    assert client._http._client is None, "connections are left"


def held(provider: Provider, text: str) -> Gated:
    """The next answer, of which the first words come; the rest has to be let through."""
    gated = Gated(*pieces_of(text, 8))
    provider.script(gated.answer)
    gated.let(6)
    return gated


# Reading


def test_a_run_under_with(client: Client) -> None:
    with client.stream("qa", question="Why?") as run:
        assert "".join(run.text("answer")) == "You ask: Why?"
        assert run.wait().answer == "You ask: Why?"
    assert run.result.answer == "You ask: Why?"
    assert run.outcome == "completed"
    assert run.usage


async def test_a_run_under_async_with(client: Client) -> None:
    async with client.stream("qa", question="Why?") as run:
        assert "".join([piece async for piece in run.text("answer")]) == "You ask: Why?"
        assert (await run.wait()).answer == "You ask: Why?"
    assert run.result.answer == "You ask: Why?"
    await no_tasks_left()


async def test_text_comes_while_it_is_written(provider: Provider, client: Client) -> None:
    gated = held(provider, chat(answer="One two three four five six seven."))
    async with client.stream("qa", question="?") as run:
        reader = run.text("answer")
        first = await anext(reader)
        assert run.outcome is None
        with pytest.raises(RunNotEndedError, match=r"await run\.wait"):
            _ = run.result
        gated.finish()
        assert first + "".join([piece async for piece in reader]) == "One two three four five six seven."


def test_elements_come_when_the_next_begins(provider: Provider, url: str) -> None:
    steps: list[dict[str, Any]] = [
        {"text": f"Step {number}.", "minutes": number, "tools": ["spoon"]} for number in range(4)
    ]
    text = chat(name="Soup", steps=json.dumps(steps), stars="1.5", notes="{}")
    gated = Gated(*pieces_of(text, 8))
    provider.script(gated.answer)
    gated.let((text.index("Step 2") + 8) // 8)
    client = Client(url, programs={"recipe": Recipe})
    with client.stream("recipe", dish="soup") as run:
        elements = run.elements("steps")
        assert [next(elements), next(elements)] == [Step(**steps[0]), Step(**steps[1])]
        assert run.outcome is None
        gated.finish()
        assert list(elements) == [Step(**steps[2]), Step(**steps[3])]
        assert list(run.values("steps", typed=True))[-1] == [Step(**step) for step in steps]


def test_without_its_types_elements_are_plain(provider: Provider, client: Client) -> None:
    steps = [{"text": "Stir.", "minutes": 1, "tools": []}] * 2
    provider.script(Answer(chunks=pieces_of(chat(name="Soup", steps=json.dumps(steps), stars="1.5", notes="{}"), 8)))
    with client.stream("recipe", dish="soup") as run:
        assert list(run.elements("steps")) == steps
        with pytest.raises(ValueError, match=r"typed=True.*Client\(url, programs=\{'recipe'"):
            run.values("steps", typed=True)


@pytest.mark.parametrize("known", ["name -> steps: list[str]", make_signature("name -> steps: list[str]"), None])
def test_only_fields_that_the_types_have_are_typed(provider: Provider, url: str, known: Any) -> None:
    provider.script(Answer(chunks=[chat(name="Soup", steps="[]", stars="1.5", notes="{}")]))
    with Client(url, programs={"recipe": known}).stream("recipe", dish="soup") as run:
        with pytest.raises(ValueError, match="'stars' is not known here"):
            run.values("stars", typed=True)
        assert list(run.values("stars"))[-1] == 1.5


def test_a_program_gives_its_types_by_predictor(provider: Provider, url: str) -> None:
    answers = chat(answer="A draft."), chat(reasoning="So it is.", answer="Because.", sources='["a", "b"]')
    provider.script(*(Answer(chunks=pieces_of(text, 8)) for text in answers))
    with Client(url, programs={"two": Two()}).stream("two", question="?") as run:
        assert list(run.elements("sources")) == ["a", "b"]
        assert list(run.values("final.predict/answer", typed=True))[-1] == "Because."
        with pytest.raises(UnknownFieldError):
            run.text("draft/answer")  # which the server does not show
        with pytest.raises(UnknownFieldError, match="which has no elements"):
            run.elements("answer")


def test_a_wrong_field_is_told_at_once(client: Client) -> None:
    with client.stream("qa", question="?") as run, pytest.raises(UnknownFieldError, match="it has: self/answer"):
        run.text("anwser")
    with client.follow(client.start("qa", question="?")) as run:
        with pytest.raises(UnknownFieldError, match="program 'qa' has no field 'anwser'"):
            run.values("anwser")
        run.wait()


def test_a_guard_stops_the_run_at_the_server(provider: Provider, client: Client) -> None:
    held(provider, chat(answer="One two three four five six seven."))
    with client.stream("qa", question="?") as run:
        guarded = run.through(Guard(lambda draft: "no numbers" if "two" in draft.text else None))
        list(guarded)
        with pytest.raises(RunCancelledError):
            run.wait()
    no_requests_left(provider)


# Ends


def test_a_cancel_leaves_the_provider(provider: Provider, client: Client) -> None:
    held(provider, chat(answer="One two three four five six seven."))
    with client.stream("qa", question="?") as run:
        assert next(run.text("answer"))
        run.cancel()
        with pytest.raises(RunCancelledError, match=run.id):
            run.wait()
        assert isinstance(list(run)[-1], RunEnded)
        run.cancel()
    assert run.outcome == "cancelled"
    provider.wait_for(lambda: provider.requests[0].disconnected, 10.0)


async def test_leaving_cancels(provider: Provider, client: Client) -> None:
    held(provider, chat(answer="One two three four five six seven."))
    async with client.stream("qa", question="?") as run:
        other = asyncio.create_task(_rest(run))
        async for _ in run.text("answer"):
            break
    assert run.outcome == "cancelled"
    assert isinstance((await other)[-1], RunEnded)
    with pytest.raises(RunCancelledError):
        _ = run.result
    provider.wait_for(lambda: provider.requests[0].disconnected, 10.0)
    await no_tasks_left()


async def _rest(items: AsyncIterable[Any]) -> list[Any]:
    return [item async for item in items]


def test_who_followed_and_leaves_cancels_nothing(provider: Provider, client: Client) -> None:
    gated = held(provider, chat(answer="One two three four five six seven."))
    id = client.start("qa", question="?")
    with client.follow(id) as run:
        assert next(run.text("answer"))
        assert run.id == id
    assert run.outcome is None
    with pytest.raises(FieldstreamError, match="no longer followed"):
        _ = run.result
    with pytest.raises(FieldstreamError, match="no longer followed"):
        list(run)
    assert client.state(id)["outcome"] is None
    gated.finish()
    with client.follow(id) as again:
        assert again.wait().answer == "One two three four five six seven."


def test_a_followed_run_may_be_cancelled(provider: Provider, client: Client) -> None:
    held(provider, chat(answer="One two three four five six seven."))
    id = client.start("qa", question="?")
    with client.follow(id) as run:
        run.cancel()
        with pytest.raises(RunCancelledError):
            run.wait()
    assert client.state(id)["outcome"] == "cancelled"


def test_a_failed_run_raises_what_the_server_tells() -> None:
    def fail(question: str) -> Any:
        raise LookupError(f"no {question}")

    for debug, kind, message in ((True, "LookupError", "no sky"), (False, "error", "error id")):
        with served({"fail": fail}, debug=debug) as url, Client(url).stream("fail", question="sky") as run:
            with pytest.raises(RemoteError, match=message) as raised:
                run.wait()
            assert raised.value.kind == kind
            assert run.outcome == "failed"
            assert list(run)[-1].type == "run.ended"
            with pytest.raises(RemoteError):
                list(run.text("answer"))


async def test_who_is_cancelled_while_a_run_begins_leaves_none(provider: Provider) -> None:
    gated = held(provider, chat(answer="One two three four five six seven."))
    held(provider, chat(answer="One two three four five six seven."))
    programs = {"qa": on(provider, dspy.Predict("question -> answer"))}
    with served(programs, limits=Limits(max_runs=1), list_runs=True) as url:
        client = Client(url)
        first = await client.astart("qa", question="?")
        task = asyncio.create_task(_enter(client))
        await asyncio.to_thread(_until, lambda: _queued(url) == 1)  # The server has been asked, and has no place.
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        gated.finish()
        async with client.follow(first) as run:
            await run.wait()
        await asyncio.to_thread(_until, lambda: client._http._client is None)
        outcomes = [run["outcome"] for run in json.loads(_text(f"{url}/runs"))["runs"]]
    assert sorted(outcomes) == ["cancelled", "completed"]


async def _enter(client: Client) -> None:
    async with client.stream("qa", question="second"):
        raise AssertionError("there was no place for it")


def _queued(url: str) -> int:
    lines = _text(f"{url}/metrics").splitlines()
    return next(int(float(line.split()[-1])) for line in lines if line.startswith("fieldstream_runs_queued"))


def _until(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.001)


def _text(url: str) -> str:
    with urlopen(url) as answer:
        return answer.read().decode()


def test_a_stream_is_entered_once(client: Client) -> None:
    stream = client.stream("qa", question="?")
    with stream as run:
        run.wait()
    with pytest.raises(RuntimeError, match="entered before"), stream:
        pass


# What is refused


@pytest.mark.parametrize(
    ("token", "program", "inputs", "status", "code"),
    [
        (None, "qa", {"question": "?"}, 401, None),
        ("wrong", "qa", {"question": "?"}, 401, None),
        ("secret", "nope", {"question": "?"}, 404, "unknown_program"),
        ("secret", "qa", {"quetsion": "?"}, 422, "invalid_inputs"),
    ],
)
async def test_what_is_refused_is_told(
    provider: Provider, token: str | None, program: str, inputs: dict[str, Any], status: int, code: str | None
) -> None:
    with served({"qa": on(provider, dspy.Predict("question -> answer"))}, tokens=["secret"]) as url:
        client = Client(url, token=token)
        with pytest.raises(HttpError) as raised, client.stream(program, **inputs):
            pass
        assert raised.value.status == status
        assert raised.value.code == code or code is None
        assert bool(raised.value.details) == (status == 422)
        with pytest.raises(HttpError):
            async with client.stream(program, **inputs):
                pass
        with pytest.raises(HttpError):
            client.start(program, **inputs)
        with pytest.raises(HttpError) as unknown, client.follow("nope"):
            pass
        assert unknown.value.status == (404 if token == "secret" else 401)
        assert provider.requests == []


def test_who_comes_too_early_is_told_when_to_come_again(provider: Provider) -> None:
    gated = held(provider, chat(answer="One two three four five six seven."))
    limits = Limits(max_runs=1, max_queued=0)
    with served({"qa": on(provider, dspy.Predict("question -> answer"))}, limits=limits) as url:
        client = Client(url)
        with client.stream("qa", question="?") as run:
            with pytest.raises(HttpError) as raised, client.stream("qa", question="?"):
                pass
            gated.finish()
            run.wait()
    assert raised.value.status == 429
    assert raised.value.retry_after is not None


def test_headers_are_sent(provider: Provider) -> None:
    with served({"qa": on(provider, dspy.Predict("question -> answer"))}, tokens=["secret"]) as url:
        client = Client(url, headers={"Authorization": "Bearer secret"})
        assert [program["name"] for program in client.programs()] == ["qa"]


# Connections


def test_a_server_that_cannot_be_reached_is_told(url: str) -> None:
    with cut(url, Cuts()) as gone:
        pass
    client = Client(gone, retries=1, backoff=0.001)
    with pytest.raises(ConnectionLostError, match=r"is the server running there\?$"), client.stream("qa", question="?"):
        pass
    with pytest.raises(ConnectionLostError, match="1 tries in a row failed"), client.follow("x"):
        pass
    with pytest.raises(ConnectionError):
        client.programs()


@pytest.mark.parametrize("limit", [1, 60])
def test_who_does_not_hear_of_the_run_does_not_start_another(url: str, limit: int) -> None:
    cuts = Cuts(started=[limit])
    with (
        cut(url, cuts) as broken,
        pytest.raises(ConnectionLostError, match="may have begun, and was not started again"),
        Client(broken, backoff=0.001).stream("qa", question="?"),
    ):
        pass
    assert cuts.starts == 1


async def test_it_gives_up_in_the_end(provider: Provider, url: str) -> None:
    held(provider, chat(answer="One two three four five six seven."))
    cuts = Cuts(started=[600], followed=[10] * 100)
    with cut(url, cuts) as broken:
        async with Client(broken, backoff=0.001, retries=3).stream("qa", question="?") as run:
            events = aiter(run)
            assert isinstance(await anext(events), RunStarted)
            with pytest.raises(ConnectionLostError, match="3 tries in a row failed"):
                await _rest(events)
            with pytest.raises(ConnectionLostError):
                await run.wait()
            with pytest.raises(ConnectionLostError):
                await _rest(run.text("answer"))
            with pytest.raises(ConnectionLostError):
                await _rest(run.through(fieldstream.Smooth()))
    assert cuts.broken == 1 + 3


def test_a_silent_connection_is_a_broken_one(provider: Provider) -> None:
    gated = held(provider, chat(answer="One two three four five six seven."))
    limits = Limits(heartbeat_seconds=60.0)
    with served({"qa": on(provider, dspy.Predict("question -> answer"))}, limits=limits) as url:
        client = Client(url, timeout=0.2, backoff=0.001, retries=1)
        with client.stream("qa", question="?") as run, pytest.raises(ConnectionLostError):
            run.wait()
        gated.finish()
        with Client(url, timeout=5.0).follow(run.id) as again, pytest.raises(RunCancelledError):
            again.wait()


# Beside runs


async def test_programs_and_runs_beside_streams(client: Client) -> None:
    (qa, *_) = client.programs()
    assert qa["name"] == "qa"
    assert qa["inputs"]["properties"]["question"]["type"] == "string"
    assert await client.aprograms() == client.programs()
    id = await client.astart("qa", question="Why?")
    async with client.follow(id) as run:
        await run.wait()
    state = await client.astate(id)
    assert state == {**client.state(id), "seconds": state["seconds"]}
    assert state["result"]["answer"] == "You ask: Why?"
    client.cancel(id)
    await client.acancel(id)
    assert client.state(id)["outcome"] == "completed"
    await no_tasks_left()


def test_inputs_are_sent_as_json() -> None:
    def echo(question: str, extra: Any = None) -> Any:
        return {"answer": question, "extra": extra}

    with served({"echo": echo}, expose=Expose.everything()) as url:
        client = Client(url)
        with client.stream("echo", question="a \ud83d b", extra={"step": Step(text="Stir.")}) as run:
            result = run.wait()
    assert result.answer == "a \ud83d b"
    assert result.extra == {"step": {"text": "Stir.", "minutes": 0, "tools": []}}


def test_a_result_that_is_no_object_is_itself() -> None:
    with served({"one": lambda: [1, "two"]}, expose=Expose.everything()) as url, Client(url).stream("one") as run:
        assert run.wait() == [1, "two"]


def test_half_of_a_surrogate_pair_comes_through() -> None:
    said = {"name": "a \ud83d b", "steps": [], "stars": 1.0, "notes": {"\ud83d": "\udc00"}}
    with simulate(lambda request: Answer(chunks=[json.dumps(said)])) as provider:
        programs = {"recipe": on(provider, dspy.Predict(Recipe))}
        with (
            dspy.context(adapter=dspy.JSONAdapter()),
            served(programs, expose=Expose.everything()) as url,
            Client(url, programs={"recipe": Recipe}).stream("recipe", dish="soup") as run,
        ):
            assert "".join(run.text("name")) == "a \ud83d b"
            assert list(run.values("notes"))[-1] == {"\ud83d": "\udc00"}
            assert dict(run.wait().items()) == said


async def test_many_runs_of_one_client_at_once(client: Client) -> None:
    async def one(number: int) -> str:
        async with client.stream("qa", question=f"number {number}") as run:
            text = "".join([piece async for piece in run.text("answer")])
            assert run.result.answer == text
            return text

    texts = await asyncio.gather(*(one(number) for number in range(50)))
    assert texts == [f"You ask: number {number}" for number in range(50)]
    await no_tasks_left()


def test_many_runs_of_one_client_in_threads(client: Client) -> None:
    texts: dict[int, str] = {}

    def one(number: int) -> None:
        with client.stream("qa", question=f"number {number}") as run:
            texts[number] = "".join(run.text("answer"))

    threads = [threading.Thread(target=one, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert texts == {number: f"You ask: number {number}" for number in range(20)}


def test_nothing_is_left_where_a_run_was_not_read(client: Client) -> None:
    with client.stream("qa", question="?"):
        pass
    client.stream("qa", question="never entered")
    gc.collect()


def test_it_needs_httpx() -> None:
    code = "import sys; sys.modules['httpx'] = None; import fieldstream; fieldstream.Client"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "MissingExtraError: fieldstream.Client needs packages that are not installed" in done.stderr
    assert "pip install 'fieldstream[client]'" in done.stderr
