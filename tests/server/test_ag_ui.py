"""AG-UI with the real client, in Node, of a real server of real programs."""

# DSPy's signatures are made at run time.
# pyright: reportArgumentType=false, reportCallIssue=false, reportAttributeAccessIssue=false

import asyncio
import json
import threading
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import dspy
import pytest

from fieldstream.server import Expose, Limits, Mount
from fieldstream.server.auth import Client
from fieldstream.simulator import Answer, Provider, simulate
from fieldstream.wire.ag_ui import AgUiTurn
from tests.clients import node
from tests.server.serving import Served, on, served
from tests.support.leftovers import no_threads_left
from tests.support.reading import Gated, chat, cut
from tests.support.sameness import HAS_ENGINES, LITELLM_WARNS

pytestmark = LITELLM_WARNS

CLIENT = Client("address:127.0.0.1", has_token=False)
EVERYTHING = Expose.everything()
WHY = "Why is the sky blue?"
SOURCES = ["https://a.example/sky", "https://b.example/light", "https://c.example/" + "x" * 200]
SKY = chat(reasoning="It scatters.", answer="Because of the air.", sources=json.dumps(SOURCES))


@pytest.fixture
def provider() -> Iterator[Provider]:
    with simulate() as provider:
        yield provider


@pytest.fixture(autouse=True)
def _nothing_left() -> Iterator[None]:
    with no_threads_left():
        yield


class Seen:
    """What an app has when its turns are done."""

    def __init__(self, lines: list[Any]) -> None:
        end = lines[-1]
        self.turns = [line for line in lines if "events" in line]
        self.messages: list[Any] = end["messages"]
        self.state: Any = end["state"]
        assert end["complaints"] == []

    def types(self, turn: int = 0) -> list[str]:
        return [event["type"] for event in self.turns[turn]["events"]]


class App:
    """An app at work."""

    def __init__(self, script: node.Script) -> None:
        self.script = script
        self.lines: list[Any] = []

    async def until(self, **line: Any) -> None:
        """Wait until it says so much."""
        async for each in self.script:
            self.lines.append(each)
            if line.items() <= each.items():
                return
        raise AssertionError(f"it never said {line}")

    async def done(self) -> Seen:
        self.lines += [line async for line in self.script]
        return Seen(self.lines)


@asynccontextmanager
async def taking(server: Served, *turns: Any, program: str = "qa", **given: Any) -> AsyncGenerator[App]:
    """An app that takes these turns."""
    asked = [{"say": each} if isinstance(each, str) else each for each in turns]
    url = f"{server.url}/programs/{program}/ag-ui"
    async with node.script("ag_ui.mjs", {"url": url, "turns": asked, **given}) as script:
        yield App(script)


async def run(server: Served, *turns: Any, **given: Any) -> Seen:
    """What comes of these turns."""
    async with taking(server, *turns, **given) as app:
        return await app.done()


def qa(provider: Provider, signature: str = "question -> answer, sources: list[str]") -> Any:
    return on(provider, dspy.ChainOfThought(signature))


def said(messages: list[Any], role: str = "assistant") -> list[str]:
    return [message["content"] for message in messages if message["role"] == role and message.get("content")]


# What comes of a program


async def test_a_client_ends_with_what_the_plain_call_returns(provider: Provider) -> None:
    program = qa(provider)
    provider.script(SKY, Answer(chunks=cut(SKY, 3)))
    plain = await program.acall(question=WHY)
    with served({"qa": program}, expose=EVERYTHING) as server:
        seen = await run(server, {"say": WHY, "runId": "run-1"}, state={"theme": "dark"})
    (turn,) = seen.turns
    assert (turn["outcome"], turn["pendingToolCallIds"]) == ("success", [])
    assert turn["result"] == dict(plain)
    assert [message["role"] for message in seen.messages] == ["user", "reasoning", "assistant"]
    assert said(seen.messages) == [plain.answer]
    assert said(seen.messages, "reasoning") == [plain.reasoning]
    assert seen.state == {"theme": "dark", "sources": plain.sources}

    first, last = turn["events"][0], turn["events"][-1]
    assert first == {"type": "RUN_STARTED", "threadId": "thread-1", "runId": "run-1", "protocolVersion": "1.0"}
    assert (last["type"], last["runId"], last["outcome"]) == ("RUN_FINISHED", "run-1", {"type": "success"})
    assert last["usage"][0]["totalTokens"] > 0
    assert {"STEP_STARTED", "STEP_FINISHED"} <= set(seen.types())


async def test_text_and_state_grow_as_they_are_written(provider: Provider) -> None:
    answer = Gated("[[ ## answer ## ]]\nBecause ", "of ", "\n\n[[ ## sources ## ]]\n", '["a"', ', "b', 'c"]')
    provider.script(answer.answer)
    with served({"qa": on(provider, dspy.Predict("question -> answer, sources: list[str]"))}) as server:
        async with taking(server, WHY) as app:
            answer.let()
            await app.until(shows="Because")
            answer.let(3)
            await app.until(shows="Because of")
            await app.until(holds={"sources": ["a"]})
            answer.let()
            await app.until(holds={"sources": ["a", "b"]})
            answer.finish()
            seen = await app.done()
    assert seen.turns[0]["outcome"] == "success"
    assert said(seen.messages) == ["Because of"]
    assert seen.state == {"sources": ["a", "bc"]}


async def test_what_is_not_exposed_does_not_come(provider: Provider) -> None:
    provider.script(SKY)
    with served({"qa": qa(provider)}) as server:
        seen = await run(server, WHY)
    assert "It scatters." not in json.dumps(seen.turns)
    assert said(seen.messages) == ["Because of the air."]


async def test_tools_are_answered(provider: Provider) -> None:
    def search(query: str) -> list[str]:
        if query == "broken":
            raise ValueError("no such luck")
        return [f"All about {query}"]

    steps = [
        chat(next_thought="Look it up", next_tool_name="search", next_tool_args='{"query": "air"}'),
        chat(next_thought="Again", next_tool_name="search", next_tool_args='{"query": "broken"}'),
        chat(next_thought="That is it", next_tool_name="finish", next_tool_args="{}"),
        chat(reasoning="So it is.", answer="Because of the air."),
    ]
    program = on(provider, dspy.ReAct("question -> answer", tools=[search]))
    provider.script(*steps)
    plain = await program.acall(question=WHY)
    provider.script(*steps)
    with served({"qa": program}, expose=EVERYTHING, debug=True) as server:
        seen = await run(server, WHY)
    calls = [call for message in seen.messages for call in message.get("toolCalls", [])]
    asked = [json.loads(call["function"]["arguments"]) for call in calls if call["function"]["name"] == "search"]
    assert asked == [{"query": "air"}, {"query": "broken"}]
    results = {message["toolCallId"]: message for message in seen.messages if message["role"] == "tool"}
    assert set(results) == {call["id"] for call in calls}
    contents = [results[call["id"]] for call in calls if call["function"]["name"] == "search"]
    assert contents[0]["content"] == '["All about air"]'
    assert contents[1]["metadata"] == {"error": contents[1]["content"]}
    assert "no such luck" in contents[1]["content"]
    assert seen.turns[0]["pendingToolCallIds"] == []
    assert said(seen.messages)[-1] == plain.answer
    assert seen.turns[0]["result"]["answer"] == plain.answer


async def test_hidden_tools_are_answered_too(provider: Provider) -> None:
    def search(query: str) -> str:
        return "secret result"

    program = on(provider, dspy.ReAct("question -> answer", tools=[search]))
    provider.script(
        chat(next_thought="Look", next_tool_name="search", next_tool_args='{"query": "secret query"}'),
        chat(next_thought="That is it", next_tool_name="finish", next_tool_args="{}"),
        chat(reasoning="So.", answer="Because."),
    )
    with served({"qa": program}) as server:
        seen = await run(server, WHY)
    assert "secret" not in json.dumps(seen.turns)
    assert seen.turns[0]["pendingToolCallIds"] == []
    assert [message["content"] for message in seen.messages if message["role"] == "tool"] == ["", ""]


async def test_turns_have_a_history(provider: Provider) -> None:
    class Chat(dspy.Signature):
        """Answer."""

        history: dspy.History = dspy.InputField()
        tone: str = dspy.InputField()
        question: str = dspy.InputField()
        answer: str = dspy.OutputField()
        topics: list[str] = dspy.OutputField()

    provider.script(chat(answer="Air.", topics='["air"]'), chat(answer="Water.", topics='["sea", "sun"]'))
    program = Mount(on(provider, dspy.Predict(Chat)), input="question")
    with served({"qa": program}) as server:
        turns = [{"say": WHY, "inputs": {"tone": "dry"}}, {"say": "And the sea?", "inputs": {"tone": "wet"}}]
        seen = await run(server, *turns)
    assert [turn["outcome"] for turn in seen.turns] == ["success", "success"]
    assert [message["role"] for message in seen.messages] == ["user", "assistant", "user", "assistant"]
    assert said(seen.messages) == ["Air.", "Water."]
    assert seen.state == {"topics": ["sea", "sun"]}
    sent = [message["content"] for message in provider.requests[1].body["messages"]]
    assert WHY in sent[1]
    assert "Air." in sent[2]
    assert "And the sea?" in sent[3]
    assert "wet" in sent[3]


# Withdrawn


async def test_a_text_of_a_broken_stream_is_withdrawn(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    if HAS_ENGINES:  # Retries wait for a second and more.
        monkeypatch.setattr("dspy.clients.execution._delay", lambda error, attempt: 0.0)
    else:
        monkeypatch.setattr("tenacity.wait_exponential", lambda **_: None)
        monkeypatch.setattr("openai._base_client.INITIAL_RETRY_DELAY", 0.0)
    breaks = threading.Event()
    wrong = ["[[ ## answer ## ]]\nBecause of the sea", ", as it is said."]
    provider.script(Answer(chunks=wrong, options={"drop": 1, "fault_times": 1}, gates={1: breaks}), SKY)
    program = dspy.Predict("question -> answer, sources: list[str]")
    program.set_lm(dspy.LM(provider.model, **provider.lm_kwargs, cache=False, num_retries=2))
    with served({"qa": program}) as server:
        before = [{"id": "old", "role": "assistant", "content": "Hi!"}]
        async with taking(server, WHY, messages=before) as app:
            await app.until(shows="Because of the sea")
            breaks.set()
            seen = await app.done()
    assert seen.turns[0]["outcome"] == "success"
    assert "MESSAGES_SNAPSHOT" in seen.types()
    assert said(seen.messages) == ["Hi!", "Because of the air."]
    assert seen.state == {"sources": SOURCES}


@pytest.mark.parametrize("best", [0, 1])
async def test_a_discarded_attempt_is_withdrawn(provider: Provider, best: int) -> None:
    answers = ["Because of the air.", "Because of the sea."]

    def reward(inputs: Any, prediction: Any) -> float:
        return 0.5 if prediction.answer == answers[best] else 0.1

    program = on(provider, dspy.BestOfN(dspy.ChainOfThought("question -> answer"), 2, reward, 1.0))
    provider.script(*[chat(reasoning=f"Thought {at}.", answer=answer) for at, answer in enumerate(answers)])
    with served({"qa": program}, expose=EVERYTHING) as server:
        seen = await run(server, WHY)
    (turn,) = seen.turns
    assert set(answers) <= set(turn["shown"])
    assert said(seen.messages) == [answers[best]]
    assert said(seen.messages, "reasoning") == [f"Thought {best}."]
    assert turn["result"] == {"reasoning": f"Thought {best}.", "answer": answers[best]}


async def test_a_program_that_returns_something_else_has_the_last_word(provider: Provider) -> None:
    class Shout(dspy.Module):
        def __init__(self) -> None:
            super().__init__()
            self.qa = dspy.Predict("question -> answer, sources: list[str]")

        async def aforward(self, question: str) -> Any:
            prediction = await self.qa.acall(question=question)
            return dspy.Prediction(answer=prediction.answer.upper(), sources=prediction.sources[:1])

    provider.script(Answer(chunks=cut(SKY, 3)))
    with served({"qa": on(provider, Shout())}) as server:
        seen = await run(server, WHY)
    assert said(seen.messages) == ["BECAUSE OF THE AIR."]
    assert seen.state == {"sources": SOURCES[:1]}


# Ends


async def test_a_failure_is_told_without_what_it_was(provider: Provider) -> None:
    class Broken(dspy.Module):
        async def aforward(self, question: str) -> Any:
            raise ValueError("the password is 1234")

    with served({"qa": on(provider, Broken())}) as server:
        seen = await run(server, WHY, WHY)
    for turn in seen.turns:
        assert turn["error"]["code"] == "error"
        assert "1234" not in json.dumps(turn)
        assert turn["events"][-1]["type"] == "RUN_ERROR"


async def test_an_abort_closes_the_providers_connection(provider: Provider) -> None:
    answer = Gated(*cut(SKY, 3))
    provider.script(answer.answer, SKY)
    answer.let(len(cut(SKY, 3)) - 2)
    with served({"qa": qa(provider)}) as server:
        seen = await run(server, {"say": WHY, "abortAfter": "TEXT_MESSAGE_CONTENT"}, "Once more?")
        await asyncio.to_thread(provider.wait_for, provider.requests[0].disconnected.is_set)
        server.until(lambda: server.host.runs.places.taken == 0)
        assert server.figure("runs_ended_total", program="qa", outcome="cancelled") == 1
    aborted, after = seen.turns
    assert aborted["error"]["code"] == "abort"
    assert after["outcome"] == "success"
    assert said(after["newMessages"]) == ["Because of the air."]


async def test_a_cancelled_run_says_so(provider: Provider) -> None:
    answer = Gated(*cut(SKY, 3))
    provider.script(answer.answer)
    with served({"qa": qa(provider)}) as server:
        async with taking(server, WHY) as app:
            answer.let(len(cut(SKY, 3)) - 2)
            await app.until(shows="Because of the air.")
            (going,) = server.within(lambda: server.host.runs.of(CLIENT))
            await asyncio.to_thread(server.http.delete, f"/runs/{going.id}")
            seen = await app.done()
        answer.finish()
    assert seen.turns[0]["outcome"] == "cancelled"
    assert seen.types()[-1] == "RUN_FINISHED"


async def test_a_run_that_takes_too_long_is_an_error(provider: Provider) -> None:
    answer = Gated("")
    provider.script(answer.answer)
    with served({"qa": qa(provider)}, limits=Limits(max_run_seconds=0.05)) as server:
        seen = await run(server, WHY)
        answer.finish()
    assert seen.turns[0]["error"]["code"] == "timeout"


async def test_a_fault_of_the_server_is_no_success(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client takes a stream that ends without a last event for a finished one; one that breaks off it does not."""

    def broken(self: AgUiTurn, part: Any, text: str) -> None:
        raise RuntimeError("a fault")

    monkeypatch.setattr(AgUiTurn, "text", broken)
    provider.script(SKY)
    with served({"qa": qa(provider)}) as server:
        async with taking(server, WHY) as app:
            lines = [line async for line in app.script]
    assert lines[-2]["thrown"] == "TypeError: terminated"
    assert "outcome" not in lines[-2]


# Coming again


async def test_a_client_that_comes_again_goes_on_with_its_run(provider: Provider) -> None:
    answer = Gated(*cut(SKY, 3))
    provider.script(answer.answer)
    asked = {"say": WHY, "runId": "run-1", "abortAfter": "STATE_DELTA"}
    with served({"qa": qa(provider)}, expose=EVERYTHING, resume_chats=True) as server:
        async with taking(server, asked, {"runId": "run-1"}) as app:
            answer.let(len(cut(SKY, 3)) // 2)
            await app.until(shows="Because of the air.")
            answer.let(len(cut(SKY, 3)) // 4)
            await app.until(error={"message": "This operation was aborted", "code": "abort"})
            assert server.host.runs.places.taken == 1
            answer.finish()
            seen = await app.done()
        assert len(provider.requests) == 1
        with server.http.stream("GET", "/programs/qa/ag-ui/run-1/stream") as again:
            assert again.headers["content-type"].startswith("text/event-stream")
            assert "RUN_FINISHED" in again.read().decode()
    assert seen.turns[-1]["outcome"] == "success"
    assert said(seen.messages) == ["Because of the air."]
    assert said(seen.messages, "reasoning") == ["It scatters."]
    assert seen.state == {"sources": SOURCES}


def test_there_may_be_nothing_to_come_back_to(provider: Provider) -> None:
    provider.script(SKY)
    body = {"threadId": "t", "runId": "run-1", "messages": [{"id": "u", "role": "user", "content": WHY}]}
    with served({"qa": qa(provider)}) as server:
        assert server.http.get("/programs/qa/ag-ui/run-1/stream").status_code == 204
        assert server.http.post("/programs/qa/ag-ui", json=body).status_code == 200
        assert server.http.get("/programs/qa/ag-ui/run-1/stream").status_code == 204
        assert server.http.get("/programs/none/ag-ui/run-1/stream").status_code == 404


def test_a_run_can_be_stopped_by_its_clients_name(provider: Provider) -> None:
    answer = Gated("")
    provider.script(answer.answer)
    body = {"threadId": "t", "runId": "a/b", "messages": [{"id": "u", "role": "user", "content": WHY}]}
    with served({"qa": qa(provider)}, resume_chats=True) as server:
        with server.http.stream("POST", "/programs/qa/ag-ui", json=body) as going:
            assert server.http.delete("/programs/qa/ag-ui/a/b/stream").status_code == 204
            assert '"outcome":{"type":"cancelled"}' in going.read().decode()
        answer.finish()


# Requests


@pytest.mark.parametrize(
    ("program", "changes", "status"),
    [
        ("none", {}, 404),
        ("qa", {"messages": "no"}, 422),
        ("qa", {"messages": []}, 422),
        ("qa", {"forwardedProps": {"inputs": 1}}, 422),
        ("qa", {"forwardedProps": {"inputs": {"nothing": 1}}}, 422),
    ],
)
def test_what_cannot_be_run_is_told(provider: Provider, program: str, changes: Any, status: int) -> None:
    body = {"threadId": "t", "runId": "r", "messages": [{"id": "u", "role": "user", "content": WHY}], **changes}
    with served({"qa": qa(provider)}) as server:
        answer = server.http.post(f"/programs/{program}/ag-ui", json=body)
    assert answer.status_code == status
    assert answer.json()["error"]["code"]
    assert provider.requests == []


def test_texts_of_a_message_in_parts(provider: Provider) -> None:
    provider.script(SKY)
    parts = [{"type": "text", "text": "Why is"}, {"type": "text", "text": "the sky blue?"}]
    message = {"id": "u", "role": "user", "content": parts}
    body = {"threadId": "t", "runId": "r", "messages": [message], "state": None, "forwardedProps": None}
    with served({"qa": qa(provider)}) as server:
        answer = server.http.post("/programs/qa/ag-ui", json=body)
    assert "RUN_FINISHED" in answer.text
    assert "Why is\n\nthe sky blue?" in provider.requests[0].body["messages"][1]["content"]


def test_a_message_that_utf8_cannot_carry_is_the_programs_to_take(provider: Provider) -> None:
    class Echo(dspy.Module):
        async def aforward(self, question: str) -> str:
            return question

    message = {"id": "u", "role": "user", "content": "a\ud800"}
    body = json.dumps({"threadId": "t", "runId": "r", "messages": [message]})
    with served({"qa": on(provider, Echo())}) as server:
        answer = server.http.post("/programs/qa/ag-ui", content=body, headers={"content-type": "application/json"})
    assert 'RUN_FINISHED","threadId":"t","runId":"r","result":"a\\ud800"' in answer.text
