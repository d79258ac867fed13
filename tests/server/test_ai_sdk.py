"""AI SDK chats with the real clients, in Node, of a real server of real programs."""

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

import fieldstream
from fieldstream.server import Expose
from fieldstream.simulator import Answer, Provider, simulate
from tests.clients import node
from tests.server.serving import Served, on, served
from tests.support.leftovers import no_threads_left
from tests.support.reading import chat, cut
from tests.support.sameness import HAS_ENGINES, LITELLM_WARNS
from tests.wire.test_ai_sdk import chunks

pytestmark = LITELLM_WARNS

VERSIONS = pytest.mark.parametrize("version", [7, 6])
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


class Chat:
    """A chat of the AI SDK at work."""

    def __init__(self, script: node.Script) -> None:
        self.script = script

    async def does(self, **command: Any) -> Any:
        """What the app has when the command is done."""
        await self.script.send(command)
        return await self.done()

    async def done(self) -> Any:
        async for line in self.script:
            if "done" in line:
                assert line["invalid"] is None
                return line
        raise AssertionError("the client is gone")

    async def shows(self, text: str) -> None:
        """Wait until the message that is received says so much."""
        async for line in self.script:
            if said(line) == text:
                return


@asynccontextmanager
async def chatting(server: Served, program: str = "qa", *, version: int = 7, **given: Any) -> AsyncGenerator[Chat]:
    api = f"{server.url}/programs/{program}/ai-sdk" + ("?ai=6" if version == 6 else "")
    async with node.script("ai_sdk.mjs", {"api": api, "version": version, "id": "chat-1", **given}) as script:
        yield Chat(script)


def hidden(message: Any) -> list[str]:
    """What an app with client 6 hides: the ids of what is withdrawn."""
    return [id for part in message["parts"] if part["type"] == "data-withdrawn" for id in part["data"]["ids"]]


def said(message: Any, kind: str = "text") -> str:
    """A message's text as an app shows it."""
    return "".join(
        part["text"]
        for part in message["parts"]
        if part["type"] == kind
        and part.get("providerMetadata", {}).get("fieldstream", {}).get("id") not in hidden(message)
    )


def data(message: Any, name: str) -> list[Any]:
    """A message's data of this name as an app shows it."""
    return [
        part["data"]
        for part in message["parts"]
        if part["type"] == f"data-{name}" and part.get("id") not in hidden(message)
    ]


def qa(provider: Provider, signature: str = "question -> answer, sources: list[str]") -> Any:
    return on(provider, dspy.ChainOfThought(signature))


# What comes of a program


@VERSIONS
async def test_a_client_ends_with_what_the_plain_call_returns(provider: Provider, version: int) -> None:
    program = qa(provider)
    provider.script(SKY, Answer(chunks=cut(SKY, 3)))
    plain = await program.acall(question=WHY)
    with served({"qa": program}, expose=EVERYTHING) as server:
        async with chatting(server, version=version) as chat:
            end = await chat.does(send=WHY)
    assert (end["status"], end["error"]) == ("ready", None)
    assert [message["role"] for message in end["messages"]] == ["user", "assistant"]
    message = end["messages"][1]
    assert said(message) == plain.answer
    assert said(message, "reasoning") == plain.reasoning
    assert data(message, "sources") == [plain.sources]
    assert all(part["state"] == "done" for part in message["parts"] if part["type"] in ("text", "reasoning"))
    run = server.run(message["id"])
    assert run.outcome == "completed"
    assert message["metadata"]["run"] == run.id
    assert message["metadata"]["usage"]["totalTokens"] > 0
    assert end["finish"] == {"isAbort": False, "isDisconnect": False, "isError": False, "finishReason": "stop"}


@VERSIONS
async def test_text_comes_as_it_is_written(provider: Provider, version: int) -> None:
    gate = threading.Event()
    pieces = ["[[ ## answer ## ]]\n", "Because", " of the", " air.\n\n[[ ## completed ## ]]"]
    provider.script(Answer(chunks=pieces, gates={3: gate}))
    with served({"qa": on(provider, dspy.Predict("question -> answer"))}) as server:
        async with chatting(server, version=version, updates=True) as chat:
            await chat.script.send({"send": WHY})
            await chat.shows("Because of the")
            gate.set()
            end = await chat.done()
    assert said(end["messages"][-1]) == "Because of the air."


async def test_the_transport_and_the_reader_alone(provider: Provider) -> None:
    provider.script(SKY)
    with served({"qa": qa(provider)}, expose=EVERYTHING) as server:
        async with chatting(server) as chat:
            end = await chat.does(read=WHY)
    assert end["errors"] == []
    assert said(end["message"]) == "Because of the air."
    assert data(end["message"], "sources") == [SOURCES]
    assert [end["chunks"][0]["type"], end["chunks"][-1]["type"]] == ["start", "finish"]


def weather(city: str) -> str:
    """The weather in a city."""
    if city == "Atlantis":
        raise ValueError("no such city")
    return f"sunny in {city}"


def step(tool: str, arguments: str = "{}") -> str:
    return chat(next_thought="Look.", next_tool_name=tool, next_tool_args=arguments)


@VERSIONS
async def test_tools_are_the_servers_to_run(provider: Provider, version: int) -> None:
    program = on(provider, dspy.ReAct("question -> answer", tools=[weather]))
    provider.script(
        *(step("weather", '{"city": "Paris"}'), step("weather", '{"city": "Atlantis"}'), step("finish")),
        chat(reasoning="I looked.", answer="Sunny."),
    )
    with served({"agent": program}, expose=EVERYTHING, debug=True) as server:
        async with chatting(server, "agent", version=version) as talk:
            end = await talk.does(send="Where is it sunny?")
    message = end["messages"][-1]
    tools = [part for part in message["parts"] if part["type"] == "dynamic-tool" and part["toolName"] == "weather"]
    assert [part["state"] for part in tools] == ["output-available", "output-error"]
    assert tools[0]["input"] == {"city": "Paris"}
    assert tools[0]["output"] == "sunny in Paris"
    assert "no such city" in tools[1]["errorText"]
    assert all(part["providerExecuted"] for part in tools)
    assert said(message) == "Sunny."
    assert end["toolCalls"] == [], "none of them is the app's to run"
    assert [message["role"] for message in end["messages"]] == ["user", "assistant"], "nothing was sent again"
    assert len(provider.requests) == 4


async def test_what_may_not_be_seen_is_not_there(provider: Provider) -> None:
    program = on(provider, dspy.ReAct("question -> answer", tools=[weather]))
    provider.script(step("weather", '{"city": "Paris"}'), step("finish"), chat(reasoning="I looked.", answer="Sunny."))
    with served({"agent": program}) as server:
        async with chatting(server, "agent") as talk:
            end = await talk.does(send="Where is it sunny?")
    parts = end["messages"][-1]["parts"]
    assert "Paris" not in json.dumps(parts)
    assert "I looked." not in json.dumps(parts)
    assert next(part["output"] for part in parts if part["type"] == "dynamic-tool") is None
    assert said(end["messages"][-1]) == "Sunny."


async def test_what_the_program_says_itself(provider: Provider) -> None:
    class Talking(dspy.Module):
        def __init__(self) -> None:
            super().__init__()
            self.answer = dspy.Predict("question -> answer")

        def forward(self, question: str) -> Any:
            fieldstream.emit({"done": 1}, name="progress")
            prediction = self.answer(question=question)
            return dspy.Prediction(answer=prediction.answer.upper(), length=len(prediction.answer))

    provider.script(chat(answer="quiet"))
    with served({"qa": on(provider, Talking())}) as server:
        async with chatting(server) as talk:
            end = await talk.does(send=WHY)
    message = end["messages"][-1]
    assert data(message, "custom") == [{"name": "progress", "value": {"done": 1}}]
    assert said(message) == "QUIET", "what the program made of it has the last word"
    assert data(message, "length") == [5]


# What is withdrawn

FALLBACK = (
    chat(reasoning="Hm.", answer="It is not blue."),  # Without its sources, which has the adapter ask again, as JSON.
    json.dumps({"reasoning": "It scatters.", "answer": "Because of the air.", "sources": SOURCES}),
)


@VERSIONS
async def test_a_fallback(provider: Provider, version: int) -> None:
    provider.script(*FALLBACK)
    with served({"qa": qa(provider)}, expose=EVERYTHING) as server:
        async with chatting(server, version=version, updates=True) as chat:
            await chat.script.send({"send": WHY})
            await chat.shows("It is not blue.")
            end = await chat.done()
    message = end["messages"][-1]
    assert (end["status"], end["error"]) == ("ready", None)
    assert said(message) == "Because of the air."
    assert said(message, "reasoning") == "It scatters."
    assert data(message, "sources") == [SOURCES]
    if version == 7:
        assert "It is not blue." not in json.dumps(message)


@VERSIONS
async def test_a_provider_whose_stream_breaks(
    provider: Provider, version: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    if HAS_ENGINES:  # Retries wait for a second and more.
        monkeypatch.setattr("dspy.clients.execution._delay", lambda error, attempt: 0.0)
    else:
        monkeypatch.setattr("tenacity.wait_exponential", lambda **_: None)
        monkeypatch.setattr("openai._base_client.INITIAL_RETRY_DELAY", 0.0)
    pieces = cut(SKY, 6)
    half = sum("answer" in "".join(pieces[:at]) for at in range(len(pieces)))
    provider.script(Answer(chunks=pieces, options={"drop": len(pieces) - half // 2, "fault_times": 1}), SKY)
    program = dspy.ChainOfThought("question -> answer, sources: list[str]")
    program.set_lm(dspy.LM(provider.model, **provider.lm_kwargs, cache=False, num_retries=2))
    with served({"qa": program}, expose=EVERYTHING) as server:
        async with chatting(server, version=version) as chat:
            end = await chat.does(read=WHY)
    assert len(provider.requests) == 2
    kinds = [chunk["type"] for chunk in end["chunks"]]
    assert ("reset-step" if version == 7 else "data-withdrawn") in kinds
    assert end["errors"] == []
    assert said(end["message"]) == "Because of the air."
    assert said(end["message"], "reasoning") == "It scatters."
    assert data(end["message"], "sources") == [SOURCES]


RED = chat(reasoning="I guess.", answer="a red sky", shades="[1]")
BLUE = chat(reasoning="I look.", answer="a blue sky", shades="[2, 3]")


@VERSIONS
async def test_attempts(provider: Provider, version: int) -> None:
    def blue(arguments: Any, prediction: Any) -> float:
        return float(prediction.answer == "a blue sky")

    provider.script(RED, BLUE, RED)
    tried = dspy.ChainOfThought("question -> answer, shades: list[int]")
    program = dspy.BestOfN(tried, N=3, reward_fn=blue, threshold=2.0)
    with served({"qa": on(provider, program)}, expose=EVERYTHING) as server:
        async with chatting(server, version=version) as chat:
            end = await chat.does(send=WHY)
    message = end["messages"][-1]
    assert (end["status"], end["error"]) == ("ready", None)
    assert len(provider.requests) == 3
    assert said(message) == "a blue sky"
    assert said(message, "reasoning") == "I look."
    assert data(message, "shades") == [[2, 3]]
    if version == 7:
        assert [part["type"] for part in message["parts"]] == ["step-start", "reasoning", "text", "data-shades"]


# Other ends


@VERSIONS
async def test_a_failure_is_an_error(provider: Provider, version: int) -> None:
    pieces = ["[[ ## answer ## ]]\n", "Because", " of", " the"]
    provider.script(Answer(chunks=pieces, options={"drop": 3}))
    with served({"qa": on(provider, dspy.Predict("question -> answer"))}) as server:
        async with chatting(server, version=version) as chat:
            end = await chat.does(send=WHY)
            run = server.run(end["messages"][-1]["id"])
            provider.script(chat_of("Better."))
            again = await chat.does(regenerate=True)
    assert end["status"] == "error"
    assert "the program failed" in end["error"]
    assert end["finish"]["isError"]
    assert run.outcome == "failed"
    assert (again["status"], again["error"]) == ("ready", None)
    assert [said(message) for message in again["messages"]] == [WHY, "Better."]


def chat_of(answer: str) -> str:
    return chat(answer=answer)


async def test_a_run_that_takes_too_long_is_an_error(provider: Provider) -> None:
    provider.script(Answer(chunks=["[[ ## answer ## ]]\n", "Because", " of"], options={"stall": 2}))
    limits = fieldstream.server.Limits(max_run_seconds=0.5)
    with served({"qa": on(provider, dspy.Predict("question -> answer"))}, limits=limits) as server:
        async with chatting(server) as chat:
            end = await chat.does(send=WHY)
    assert end["status"] == "error"
    assert "longer than" in end["error"]


@VERSIONS
async def test_who_stops_ends_the_run(provider: Provider, version: int) -> None:
    provider.script(Answer(chunks=["[[ ## answer ## ]]\n", "Because", " of"], gates={2: threading.Event()}))
    with served({"qa": on(provider, dspy.Predict("question -> answer"))}) as server:
        async with chatting(server, version=version, updates=True) as chat:
            await chat.script.send({"send": WHY})
            await chat.shows("Because")
            await chat.script.send({"stop": True})
            end = await chat.done()
            run = server.run(end["messages"][-1]["id"])
            await asyncio.to_thread(server.until, lambda: run.outcome is not None)
        assert run.outcome == "cancelled"
        await asyncio.to_thread(provider.requests[0].disconnected.wait, 10)
    assert end["status"] == "ready"
    assert end["finish"]["isAbort"]


@VERSIONS
async def test_a_run_that_another_ends_is_aborted(provider: Provider, version: int) -> None:
    provider.script(Answer(chunks=["[[ ## answer ## ]]\n", "Because", " of"], gates={2: threading.Event()}))
    with served({"qa": on(provider, dspy.Predict("question -> answer"))}, list_runs=True) as server:
        async with chatting(server, version=version, updates=True) as chat:
            await chat.script.send({"read": WHY})
            await asyncio.to_thread(
                provider.wait_for, lambda: provider.requests and provider.requests[0].chunks_sent == 2
            )
            (run,) = server.http.get("/runs").json()["runs"]
            server.http.delete(f"/runs/{run['run']}").raise_for_status()
            end = await chat.done()
    assert end["chunks"][-1]["type"] == "abort"
    assert end["errors"] == []


# Turn after turn


@VERSIONS
async def test_a_second_turn_has_the_first_as_its_history(provider: Provider, version: int) -> None:
    program = on(provider, dspy.Predict("question, history: dspy.History -> answer"))
    provider.script(chat(answer="Because of the air."), chat(answer="It scatters light."))
    with served({"qa": program}) as server:
        async with chatting(server, version=version) as talk:
            await talk.does(send=WHY)
            end = await talk.does(send="How?")
    assert [said(message) for message in end["messages"]] == [
        *(WHY, "Because of the air.", "How?", "It scatters light."),
    ]
    assert len({message["id"] for message in end["messages"]}) == 4
    asked = [json.dumps(message["content"]) for message in provider.requests[1].body["messages"][1:]]
    assert [WHY in asked[0], "Because of the air." in asked[1], "How?" in asked[2]] == [True] * 3


async def test_history_is_without_what_was_withdrawn(provider: Provider) -> None:
    program = on(provider, dspy.Predict("question, history: dspy.History -> answer, sources: list[str]"))
    provider.script(
        *(chat(answer="Wrong."), json.dumps({"answer": "Right.", "sources": []})),
        chat(answer="Yes.", sources="[]"),
    )
    with served({"qa": program}) as server:
        async with chatting(server, version=6) as talk:
            await talk.does(send=WHY)
            end = await talk.does(send="Sure?")
    assert said(end["messages"][-1]) == "Yes."
    last = json.dumps(provider.requests[2].body["messages"])
    assert "Right." in last
    assert "Wrong." not in last


async def test_inputs_by_name(provider: Provider) -> None:
    program = on(provider, dspy.Predict("question, place, year: int -> answer"))
    provider.script(chat(answer="Sunny."), chat(answer="Rainy."))
    with served({"qa": fieldstream.server.Mount(program, input="question")}) as server:
        async with chatting(server, body={"inputs": {"place": "Paris", "year": 2020}}) as talk:
            await talk.does(send="How is it?")
            end = await talk.does(send="And here?", body={"inputs": {"place": "Oslo", "year": 2021}})
    assert said(end["messages"][-1]) == "Rainy."
    asked = [json.dumps(request.body["messages"]) for request in provider.requests]
    assert all(each in asked[0] for each in ("How is it?", "Paris", "2020"))
    assert all(each in asked[1] for each in ("And here?", "Oslo", "2021"))


# Resuming


@VERSIONS
async def test_a_chat_is_resumed(provider: Provider, version: int) -> None:
    gate = threading.Event()
    provider.script(Answer(chunks=cut(SKY, 4), gates={20: gate}))
    with served({"qa": qa(provider)}, expose=EVERYTHING, resume_chats=True) as server:
        async with chatting(server, version=version, updates=True) as chat:
            await chat.script.send({"send": WHY})
            async for line in chat.script:
                if said(line):
                    break
            await chat.script.send({"stop": True})
            left = await chat.done()
            run = server.run(left["messages"][-1]["id"])
            assert run.outcome is None, "who stops has only left"
            await chat.script.send({"resume": True})
            gate.set()
            end = await chat.done()
            again = await chat.does(resume=True)
        async with chatting(server, version=version) as other:
            nothing = await other.does(resume=True)
    assert len(provider.requests) == 1
    assert [message["role"] for message in end["messages"]] == ["user", "assistant"]
    message = end["messages"][-1]
    assert (said(message), said(message, "reasoning")) == ("Because of the air.", "It scatters.")
    assert data(message, "sources") == [SOURCES]
    marked = ["providerMetadata" in part for part in message["parts"] if part["type"] == "text"]
    assert marked == [version == 6], "the client's version is asked for again"
    assert (again["status"], again["messages"]) == ("ready", end["messages"]), "there is nothing to resume"
    assert (nothing["status"], nothing["messages"]) == ("ready", [])


async def test_an_answer_that_ended_unheard_can_be_had(provider: Provider) -> None:
    gate = threading.Event()
    provider.script(Answer(chunks=cut(SKY, 4), gates={20: gate}))
    with served({"qa": qa(provider)}, resume_chats=True) as server:
        async with chatting(server, updates=True) as chat:
            await chat.script.send({"send": WHY})
            async for line in chat.script:
                if said(line):
                    break
            await chat.script.send({"stop": True})
            left = await chat.done()
            gate.set()
            run = server.run(left["messages"][-1]["id"])
            await asyncio.to_thread(server.until, lambda: run.outcome is not None)
            end = await chat.does(resume=True)
    assert said(end["messages"][-1]) == "Because of the air."


async def test_the_next_message_ends_what_goes_on(provider: Provider) -> None:
    provider.script(
        Answer(chunks=["[[ ## answer ## ]]\n", "Because", " of"], gates={2: threading.Event()}), chat(answer="Well.")
    )
    with served({"qa": on(provider, dspy.Predict("question -> answer"))}, resume_chats=True) as server:
        async with chatting(server, updates=True) as talk:
            await talk.script.send({"send": WHY})
            await talk.shows("Because")
            await talk.script.send({"stop": True})
            run = server.run((await talk.done())["messages"][-1]["id"])
            end = await talk.does(send="Never mind.")
        assert run.outcome == "cancelled"
    assert said(end["messages"][-1]) == "Well."


def test_a_stop_where_chats_resume(provider: Provider) -> None:
    provider.script(Answer(chunks=["[[ ## answer ## ]]\n", "Because", " of"], gates={2: threading.Event()}))
    place = "/programs/qa/ai-sdk/chat%2F1/stream"
    with (
        served({"qa": on(provider, dspy.Predict("question -> answer"))}, resume_chats=True) as server,
        server.http.stream("POST", "/programs/qa/ai-sdk", json=asked(id="chat/1")) as answer,
    ):
        assert server.http.delete(place).status_code == 204
        answer.read()
    assert chunks(answer.content)[-2]["type"] == "abort"


# Over HTTP


def asked(text: str = WHY, **members: Any) -> dict[str, Any]:
    messages = [{"id": "u1", "role": "user", "parts": [{"type": "text", "text": text}]}]
    return {"id": "chat-1", "messages": messages, "trigger": "submit-message", **members}


def test_the_answers_head(provider: Provider) -> None:
    provider.script(chat(answer="Well."))
    with served({"qa": on(provider, dspy.Predict("question -> answer"))}) as server:
        answer = server.http.post("/programs/qa/ai-sdk", json=asked())
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["x-vercel-ai-ui-message-stream"] == "v1"
        assert chunks(answer.content)[0]["messageId"] == answer.headers["x-fieldstream-run"]
        assert server.http.get("/programs/qa/ai-sdk/chat-1/stream").status_code == 204


@VERSIONS
async def test_heartbeats_are_passed_over(provider: Provider, version: int) -> None:
    slow = Answer(SKY, options={"first": 0.2})
    provider.script(slow, slow)
    limits = fieldstream.server.Limits(heartbeat_seconds=0.01)
    with served({"qa": qa(provider)}, limits=limits) as server:
        async with chatting(server, version=version) as talk:
            end = await talk.does(send=WHY)
        raw = (await asyncio.to_thread(server.http.post, "/programs/qa/ai-sdk", json=asked())).content
    assert b"\n\n:\n:\n" in raw
    assert (end["status"], end["error"]) == ("ready", None)
    assert said(end["messages"][-1]) == "Because of the air."


@pytest.mark.parametrize("last", ["0", "999999"])
def test_from_its_beginning_where_an_id_is_not_known(provider: Provider, last: str) -> None:
    gate = threading.Event()
    provider.script(Answer(chunks=cut(SKY, 8), gates={3: gate}))
    with served({"qa": qa(provider)}, resume_chats=True) as server:
        with server.http.stream("POST", "/programs/qa/ai-sdk", json=asked()):
            pass
        gate.set()
        told = chunks(server.http.get("/programs/qa/ai-sdk/chat-1/stream", headers={"Last-Event-ID": last}).content)
    assert [part["type"] for part in told[:-1]].count("start") == (1 if last == "999999" else 0)
    assert "".join(part["delta"] for part in told[:-1] if part["type"] == "text-delta") == "Because of the air."


def test_an_id_gives_what_comes_after_it(provider: Provider) -> None:
    gate = threading.Event()
    provider.script(Answer(chunks=cut(SKY, 2), gates={30: gate}))
    place = "/programs/qa/ai-sdk/chat-1/stream"
    with served({"qa": qa(provider)}, expose=EVERYTHING, resume_chats=True) as server:
        head = b""
        with server.http.stream("POST", "/programs/qa/ai-sdk", json=asked()) as answer:
            for block in answer.iter_raw():
                head += block
                if b'"text-delta"' in head:
                    break
        head = head[: head.rindex(b"\n\n") + 2]
        last = head[head.rindex(b"\nid: ") + 5 :].split(b"\n")[0].decode()
        head = head[: head.index(b"\n\n", head.rindex(b"\nid: ")) + 2]
        gate.set()
        tail = server.http.get(place, headers={"Last-Event-ID": last}).content
    told = chunks(head + tail)
    assert [part["type"] for part in told[:-1]].count("start") == 1
    texts = {kind: "".join(part["delta"] for part in told[:-1] if part["type"] == f"{kind}-delta") for kind in KINDS}
    assert texts == {"text": "Because of the air.", "reasoning": "It scatters."}
    assert [part["data"] for part in told[:-1] if part["type"] == "data-sources"][-1] == SOURCES


KINDS = ("text", "reasoning")


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("/programs/nope/ai-sdk", asked(), 404, "unknown_program"),
        ("/programs/qa/ai-sdk?ai=5", asked(), 422, "invalid_request"),
        ("/programs/qa/ai-sdk", {"id": "c"}, 422, "invalid_inputs"),
        ("/programs/qa/ai-sdk", {"id": "c", "messages": [{"role": "user", "content": "Why?"}]}, 422, "invalid_inputs"),
        ("/programs/qa/ai-sdk", asked(inputs={"nope": 1}), 422, "invalid_inputs"),
        (
            "/programs/qa/ai-sdk",
            {"messages": [{"role": "user", "parts": [{"type": "file", "mediaType": "a/b", "url": "data:,x"}]}]},
            422,
            "no_files",
        ),
    ],
)
def test_what_is_not_served_is_told(provider: Provider, path: str, body: Any, status: int, code: str) -> None:
    with served({"qa": on(provider, dspy.Predict("question -> answer"))}) as server:
        answer = server.http.post(path, json=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


async def test_a_refusal_is_the_clients_error(provider: Provider) -> None:
    with served({"qa": on(provider, dspy.Predict("question -> answer"))}, tokens=["secret"]) as server:
        async with chatting(server) as talk:
            refused = await talk.does(send=WHY)
        provider.script(chat(answer="Well."))
        async with chatting(server, headers={"Authorization": "Bearer secret"}) as talk:
            taken = await talk.does(send=WHY)
    assert refused["status"] == "error"
    assert said(taken["messages"][-1]) == "Well."
