"""Chat completions by OpenAI's official client, unchanged, against a real server of real programs."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import dspy
import httpx
import openai
import pytest

from fieldstream.server import Expose, Limits, Mount
from fieldstream.simulator import Answer, ChatRequest, Provider, simulate
from tests.server.openai_clients import async_client, client, on
from tests.support.leftovers import no_requests_left, no_threads_left
from tests.support.reading import Gated, chat, cut
from tests.support.serving import served

WHY: list[Any] = [{"role": "user", "content": "Why?"}]
THOUGHT = Answer(chunks=cut(chat(reasoning="It scatters.", answer="Because of the air."), 4))
EVERYTHING = Expose.everything()


@pytest.fixture
def provider() -> Iterator[Provider]:
    with simulate() as provider:
        yield provider


@pytest.fixture(autouse=True)
def _nothing_left() -> Iterator[None]:
    with no_threads_left():
        yield


def qa(provider: Provider) -> Any:
    return on(provider, dspy.ChainOfThought("question -> answer"))


def joined(stream: openai.Stream[Any]) -> str:
    """The text as one has it who joins the deltas."""
    return "".join([choice.delta.content or "" for chunk in stream for choice in chunk.choices])


# What it answers


def test_it_answers_as_the_program_does(provider: Provider) -> None:
    program = qa(provider)
    provider.script(*[THOUGHT] * 4)
    plain = program(question="Why?")
    with served({"qa": program}) as url, client(url) as ask:
        whole = ask.chat.completions.create(model="qa", messages=WHY)
        assert whole.choices[0].message.content == plain.answer
        assert whole.choices[0].finish_reason == "stop"
        assert joined(ask.chat.completions.create(model="qa", messages=WHY, stream=True)) == plain.answer
        with ask.chat.completions.stream(model="qa", messages=WHY) as stream:
            kinds = [event.type for event in stream]
            final = stream.get_final_completion()
    assert final.choices[0].message.content == plain.answer
    assert "content.delta" in kinds
    assert kinds[-1] == "content.done"
    requests = [request.body["messages"] for request in provider.requests]
    assert requests == requests[:1] * 4, "the same question each time"


def test_tasks_have_it_too(provider: Provider) -> None:
    provider.script(THOUGHT, THOUGHT)

    async def ask(url: str) -> tuple[str | None, str | None]:
        async with async_client(url) as asked:
            whole = await asked.chat.completions.create(model="qa", messages=WHY)
            async with asked.chat.completions.stream(model="qa", messages=WHY) as stream:
                final = await stream.get_final_completion()
        return whole.choices[0].message.content, final.choices[0].message.content

    with served({"qa": qa(provider)}) as url:
        assert asyncio.run(ask(url)) == ("Because of the air.", "Because of the air.")


def test_text_comes_while_it_is_written(provider: Provider) -> None:
    gated = Gated("[[ ## answer ## ]]\nBe", "cause ", "of it\n\n[[ ## completed ## ]]")
    provider.script(gated.answer)
    heartbeats = Limits(heartbeat_seconds=0.01)  # Many, while it waits.
    with served({"qa": on(provider, dspy.Predict("question -> answer"))}, limits=heartbeats) as url, client(url) as ask:
        stream = ask.chat.completions.create(model="qa", messages=WHY, stream=True)
        gated.let(2)
        text = ""
        while text != "Because":
            text += next(stream).choices[0].delta.content or ""
        gated.finish()
        assert text + joined(stream) == "Because of it"
        assert stream.response.headers["x-fieldstream-run"]


def test_reasoning_is_shown_where_it_may_be(provider: Provider) -> None:
    program = qa(provider)
    provider.script(*[THOUGHT] * 4)
    for expose, thoughts in ((EVERYTHING, "It scatters."), (None, None)):
        with served({"qa": program}, expose=expose) as url, client(url) as ask:
            whole = ask.chat.completions.create(model="qa", messages=WHY).choices[0].message
            assert getattr(whole, "reasoning_content", None) == thoughts
            deltas = [
                chunk.choices[0].delta for chunk in ask.chat.completions.create(model="qa", messages=WHY, stream=True)
            ]
            assert "".join([getattr(delta, "reasoning_content", "") for delta in deltas]) == (thoughts or "")


def look(word: str) -> str:
    """Look a word up."""
    return f"{word} is blue"


def step(request: ChatRequest) -> Answer:
    """What the model says to a ReAct program that looks one word up."""
    if "next_tool_name" not in request.text("system"):
        return Answer(chunks=cut(chat(reasoning="It is.", answer="Blue."), 7))
    if "observation_0" not in request.text("user"):
        return Answer(chat(next_thought="Look.", next_tool_name="look", next_tool_args='{"word": "sky"}'))
    return Answer(chat(next_thought="Done.", next_tool_name="finish", next_tool_args="{}"))


def test_tools_that_the_program_runs_are_not_the_clients() -> None:
    with simulate(step) as provider:
        signature: Any = "question -> answer"
        agent: Any = on(provider, dspy.ReAct(signature, tools=[look]))
        for expose, arguments in ((EVERYTHING, ['{"word": "sky"}', "{}"]), (None, [])):
            with served({"agent": agent}, expose=expose) as url, client(url) as ask:
                with ask.chat.completions.stream(model="agent", messages=WHY) as stream:
                    streamed = stream.get_final_completion().choices[0]
                whole = ask.chat.completions.create(model="agent", messages=WHY).choices[0]
            for choice in (streamed, whole):
                assert choice.finish_reason == "stop"
                assert choice.message.content == "Blue."
                calls = choice.message.tool_calls or []
                assert [call.function.arguments for call in calls if call.type == "function"] == arguments


class Asking(dspy.Signature):
    """Ask for what you need."""

    question: str = dspy.InputField()
    answer: str = dspy.OutputField()
    calls: dspy.ToolCalls = dspy.OutputField()


@pytest.mark.parametrize("name", ["asking", "asking/calls"])
def test_calls_that_the_program_gives_are_the_clients(provider: Provider, name: str) -> None:
    asked = json.dumps({"tool_calls": [{"name": "look", "args": {"word": "sky"}}]})
    provider.script(*[chat(answer="A moment.", calls=asked)] * 2)
    with served({"asking": on(provider, dspy.Predict(Asking))}) as url, client(url) as ask:
        whole = ask.chat.completions.create(model=name, messages=WHY).choices[0]
        with ask.chat.completions.stream(model=name, messages=WHY) as stream:
            streamed = stream.get_final_completion().choices[0]
    for choice in (whole, streamed):
        assert choice.finish_reason == "tool_calls"
        assert (choice.message.content or "") == ("A moment." if name == "asking" else "")
        (call,) = choice.message.tool_calls or []
        assert call.type == "function"
        assert (call.function.name, call.function.arguments) == ("look", '{"word": "sky"}')


def test_usage_is_the_runs(provider: Provider) -> None:
    used = {"prompt_tokens": 30, "completion_tokens": 12, "total_tokens": 42}
    provider.script(*[Answer(THOUGHT.text, usage=used)] * 3)
    with served({"qa": qa(provider)}) as url, client(url) as ask:
        whole = ask.chat.completions.create(model="qa", messages=WHY).usage
        options: Any = {"include_usage": True}
        *chunks, last = ask.chat.completions.create(model="qa", messages=WHY, stream=True, stream_options=options)
        without = list(ask.chat.completions.create(model="qa", messages=WHY, stream=True))
    assert whole is not None
    assert (whole.prompt_tokens, whole.completion_tokens, whole.total_tokens) == (30, 12, 42)
    assert (last.choices, last.usage) == ([], whole)
    assert all(chunk.usage is None for chunk in [*chunks, *without])


def test_earlier_turns_are_the_programs_history(provider: Provider) -> None:
    program: Any = on(provider, dspy.Predict("history: dspy.History, question -> answer"))
    provider.script(*[chat(answer="So.")] * 2)
    history = dspy.History(messages=[{"question": "Why?", "answer": "Because."}])
    program(history=history, question="And then?")
    parts = [{"type": "text", "text": "And "}, {"type": "text", "text": "then?"}]
    turns: list[Any] = [
        {"role": "system", "content": "Be brief."},
        *WHY,
        {"role": "assistant", "content": "Because."},
        {"role": "user", "content": parts},
    ]
    with served({"qa": program}) as url, client(url) as ask:
        assert joined(ask.chat.completions.create(model="qa", messages=turns, stream=True)) == "So."
    plain, asked = [request.body["messages"] for request in provider.requests]
    assert asked == plain


def test_other_inputs_come_by_name(provider: Provider) -> None:
    program: Any = on(provider, dspy.Predict("question, context: list[str] -> answer"))
    provider.script(*[chat(answer="So.")] * 3)
    program(question="Why?", context=["a", "b"])
    with served({"qa": program, "either": Mount(program, input="question")}) as url, client(url) as ask:
        for name in ("qa", "either"):
            ask.chat.completions.create(model=name, messages=WHY, extra_body={"inputs": {"context": ["a", "b"]}})
        with pytest.raises(openai.BadRequestError) as missing:
            ask.chat.completions.create(model="qa", messages=WHY)
    assert "context" in str(missing.value)
    assert missing.value.param == "context"
    plain, *asked = [request.body["messages"] for request in provider.requests]
    assert asked == [plain, plain]


def test_a_model_is_a_program_with_a_field(provider: Provider) -> None:
    program: Any = on(provider, dspy.Predict("question -> answer, sources: list[str]"))
    answer = chat(answer="So.", sources='["a", "b"]')
    provider.script(*[answer] * 4)
    with served({"qa": program}) as url, client(url) as ask:
        assert [model.id for model in ask.models.list()] == ["qa"]
        for name, text in (("qa/sources", '["a", "b"]'), ("qa/self/answer", "So.")):
            assert ask.models.retrieve(name).id == name
            assert ask.chat.completions.create(model=name, messages=WHY).choices[0].message.content == text
            assert joined(ask.chat.completions.create(model=name, messages=WHY, stream=True)) == text


# What it does not serve

IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}


@pytest.mark.parametrize("name", ["other", "qa/other", "qa/reasoning", ""])
def test_a_model_that_is_not_there(provider: Provider, name: str) -> None:
    with served({"qa": qa(provider)}) as url, client(url) as ask:
        with pytest.raises(openai.NotFoundError) as error:
            ask.chat.completions.create(model=name, messages=WHY, stream=True)
        assert error.value.code == "model_not_found"
        assert error.value.param == "model"
        assert error.value.type == "invalid_request_error"
    assert not provider.requests


@pytest.mark.parametrize(
    ("asked", "param"),
    [
        ({"n": 2}, "n"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "user", "content": [IMAGE]}]}, "messages[0].content"),
        ({"messages": [*WHY, {"role": "assistant", "content": "So."}]}, "messages"),
        ({"messages": [*WHY, {"role": "tool", "tool_call_id": "1", "content": "So."}]}, "messages"),
        ({"messages": "Why?"}, "messages"),
        ({"extra_body": {"inputs": {"other": 1}}}, "other"),
        ({"extra_body": {"inputs": [1]}}, "inputs"),
    ],
)
def test_a_request_that_does_not_fit(provider: Provider, asked: dict[str, Any], param: str) -> None:
    with served({"qa": qa(provider)}) as url, client(url) as ask:
        create: Any = ask.chat.completions.create
        with pytest.raises(openai.BadRequestError) as error:
            create(**{"model": "qa", "messages": WHY, **asked})
        assert error.value.type == "invalid_request_error"
        assert error.value.param == param
        assert error.value.message
    assert not provider.requests


def test_who_may_not(provider: Provider) -> None:
    provider.script(THOUGHT)
    with served({"qa": qa(provider)}, tokens=["secret"]) as url:
        with client(url) as stranger, pytest.raises(openai.AuthenticationError) as error:
            stranger.chat.completions.create(model="qa", messages=WHY)
        assert error.value.type == "authentication_error"
        with client(url, api_key="secret") as friend:
            friend.chat.completions.create(model="qa", messages=WHY)


def test_too_many_at_once(provider: Provider) -> None:
    gated = Gated(THOUGHT.text)
    provider.script(gated.answer)
    with served({"qa": qa(provider)}, limits=Limits(max_runs=1, max_queued=0)) as url, client(url) as ask:
        first = ask.chat.completions.create(model="qa", messages=WHY, stream=True)
        with pytest.raises(openai.RateLimitError) as error:
            ask.chat.completions.create(model="qa", messages=WHY)
        assert int(error.value.response.headers["retry-after"]) > 0
        assert error.value.type == "rate_limit_error"
        gated.finish()
        assert joined(first) == "Because of the air."


def test_openapi_tells_of_it(provider: Provider) -> None:
    with served({"qa": qa(provider)}) as url:
        paths = httpx.get(f"{url}/openapi.json").json()["paths"]
    for path in ("/v1/chat/completions", "/v1/responses"):
        answers = paths[path]["post"]["responses"]
        assert sorted(answers) == ["200", "4XX", "5XX"]
        assert sorted(answers["200"]["content"]) == ["application/json", "text/event-stream"]
        assert answers["4XX"]["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/Errors"}


# How it ends


def fails(question: str) -> str:
    """A program that does not like its question."""
    raise RuntimeError("the secret of the program")


@pytest.mark.parametrize("debug", [False, True])
def test_a_program_that_fails(debug: bool) -> None:
    runs = 0

    def failing(question: str) -> str:
        nonlocal runs
        runs += 1
        return fails(question)

    with served({"p": failing}, debug=debug) as url, client(url, max_retries=2) as ask:
        with pytest.raises(openai.InternalServerError) as whole:
            ask.chat.completions.create(model="p", messages=WHY)
        assert runs == 1, "the client does not run it once more"
        assert whole.value.response.headers["x-fieldstream-run"]
        with pytest.raises(openai.APIError) as streamed:
            joined(ask.chat.completions.create(model="p", messages=WHY, stream=True))
    for error in (whole.value, streamed.value):
        assert error.code == "program_failed"
        assert ("the secret" in error.message) == debug
        assert ("error id" in error.message) != debug


def test_a_retry_that_says_the_same_goes_unseen(provider: Provider) -> None:
    text = chat(answer="Because of the air.")
    provider.script(Answer(chunks=cut(text, 9), options={"truncate": 4}), Answer(text))
    with served({"qa": on(provider, dspy.Predict("question -> answer"))}) as url, client(url) as ask:
        assert joined(ask.chat.completions.create(model="qa", messages=WHY, stream=True)) == "Because of the air."
    assert len(provider.requests) == 2


def test_text_that_was_withdrawn_is_an_error_unless_it_is_held(provider: Provider) -> None:
    broken = Answer(chunks=cut(chat(answer="Never by the sea."), 9), options={"truncate": 4})
    provider.script(*[broken, Answer(chat(answer="Because."))] * 4)
    with served({"qa": on(provider, dspy.Predict("question -> answer"))}) as url, client(url) as ask:
        with pytest.raises(openai.APIError, match="hold") as error:
            joined(ask.chat.completions.create(model="qa", messages=WHY, stream=True))
        assert error.value.code == "text_withdrawn"
        create: Any = ask.chat.completions.create
        for how in ({"extra_body": {"hold": True}}, {"extra_query": {"hold": "1"}}):
            assert joined(create(model="qa", messages=WHY, stream=True, **how)) == "Because."
        assert create(model="qa", messages=WHY).choices[0].message.content == "Because."


def test_a_run_ends_with_the_error_that_ends_its_stream(provider: Provider) -> None:
    broken = Answer(chunks=cut(chat(answer="Never by the sea."), 9), options={"truncate": 4})
    gated = Gated("[[ ## answer ## ]]\nBecause", "of it")
    provider.script(broken, gated.answer)
    gated.let()
    with served({"qa": on(provider, dspy.Predict("question -> answer"))}) as url:
        body = {"model": "qa", "messages": WHY, "stream": True}
        said = httpx.post(f"{url}/v1/chat/completions", json=body).text  # One who does not mind the error.
        assert '"text_withdrawn"' in said
        assert said.endswith("data: [DONE]\n\n")
        assert provider.requests[1].disconnected.wait(10)


def best(provider: Provider) -> Any:
    def reward(_: object, prediction: Any) -> float:
        return float(len(prediction.answer) < 5)

    return on(provider, dspy.BestOfN(dspy.Predict("question -> answer"), N=3, reward_fn=reward, threshold=1.0))


def test_attempts_are_no_withdrawals(provider: Provider) -> None:
    provider.script(chat(answer="Because of it."), chat(answer="So."))
    with served({"best": best(provider)}) as url, client(url) as ask:
        assert joined(ask.chat.completions.create(model="best", messages=WHY, stream=True)) == "So."


def test_who_closes_the_stream_ends_the_run(provider: Provider) -> None:
    gated = Gated("[[ ## answer ## ]]\nBe", "cause", "\n\n[[ ## completed ## ]]")
    provider.script(gated.answer)
    with served({"qa": on(provider, dspy.Predict("question -> answer"))}) as url, client(url) as ask:
        stream = ask.chat.completions.create(model="qa", messages=WHY, stream=True)
        gated.let()
        while not next(stream).choices[0].delta.content:
            pass
        stream.close()
        assert provider.requests[0].disconnected.wait(10)
        no_requests_left(provider)


def test_who_does_not_wait_ends_the_run(provider: Provider) -> None:
    gated = Gated(THOUGHT.text)
    provider.script(gated.answer)

    async def leave(url: str) -> None:
        async with async_client(url) as ask:
            waiting = asyncio.create_task(ask.chat.completions.create(model="qa", messages=WHY))
            await asyncio.to_thread(provider.wait_for, lambda: provider.requests)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            assert await asyncio.to_thread(provider.requests[0].disconnected.wait, 10)

    with served({"qa": qa(provider)}) as url:
        asyncio.run(leave(url))


def test_a_run_goes_on_where_chats_can_be_resumed(provider: Provider) -> None:
    gated = Gated("[[ ## answer ## ]]\nBe", "cause", "\n\n[[ ## completed ## ]]")
    provider.script(gated.answer)
    program: Any = on(provider, dspy.Predict("question -> answer"))
    with served({"qa": program}, resume_chats=True) as url, client(url) as ask:
        stream = ask.chat.completions.create(model="qa", messages=WHY, stream=True)
        run = stream.response.headers["x-fieldstream-run"]
        stream.close()
        gated.finish()
        state = httpx.get(f"{url}/runs/{run}", headers={"Accept": "application/json"}).json()
        events = httpx.get(f"{url}/runs/{run}/events").text
    assert state["program"] == "qa"
    assert '"answer":"Because"' in events
    assert '"completed"' in events


def test_a_run_that_someone_cancels(provider: Provider) -> None:
    gated = Gated(THOUGHT.text)
    provider.script(gated.answer, gated.answer)
    with served({"qa": qa(provider)}, limits=Limits(max_run_seconds=0.2)) as url, client(url) as ask:
        with pytest.raises(openai.APIError, match="longer than") as streamed:
            joined(ask.chat.completions.create(model="qa", messages=WHY, stream=True))
        with pytest.raises(openai.InternalServerError, match="longer than") as whole:
            ask.chat.completions.create(model="qa", messages=WHY)
    assert streamed.value.code == whole.value.code == "cancelled"
