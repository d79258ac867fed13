"""Responses by OpenAI's official client, unchanged, against a real server of real programs."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import dspy
import openai
import pytest
from openai.types.responses import Response, ResponseFunctionToolCall, ResponseReasoningItem
from openai.types.responses.response_output_item import McpCall

from fieldstream.server import Expose, Limits
from fieldstream.simulator import Answer, ChatRequest, Provider, simulate
from tests.server.openai_clients import async_client, client, on
from tests.support.leftovers import no_requests_left, no_threads_left
from tests.support.reading import Gated, chat, cut
from tests.support.serving import served

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


def last(stream: openai.Stream[Any]) -> Any:
    """A stream's last event; the text that its deltas make is the one that it says when it is done."""
    text, done, event = "", [], None
    for event in stream:
        if event.type == "response.output_text.delta":
            text += event.delta
        elif event.type == "response.output_text.done":
            done.append(event.text)
    assert done in ([], [text])
    return event


def asked(ask: openai.OpenAI, **request: Any) -> list[Response]:
    """The same request in all the client's ways: not streamed, streamed, and with its accumulator."""
    create: Any = ask.responses.create
    with ask.responses.stream(**request) as stream:
        accumulated: Any = stream.get_final_response()
    return [create(**request), last(create(**request, stream=True)).response, accumulated]


def test_it_answers_as_the_program_does(provider: Provider) -> None:
    program = qa(provider)
    used = {"prompt_tokens": 30, "completion_tokens": 12, "total_tokens": 42}
    provider.script(*[Answer(THOUGHT.text, usage=used)] * 4)
    plain = program(question="Why?")
    with served({"qa": program}) as url, client(url) as ask:
        for response in asked(ask, model="qa", input="Why?"):
            assert response.status == "completed"
            assert response.output_text == plain.answer
            assert [item.type for item in response.output] == ["message"], "reasoning is not exposed"
            assert response.usage is not None
            assert (response.usage.input_tokens, response.usage.output_tokens) == (30, 12)
    requests = [request.body["messages"] for request in provider.requests]
    assert requests == requests[:1] * 4, "the same question each time"


def test_tasks_have_it_too(provider: Provider) -> None:
    provider.script(THOUGHT, THOUGHT)

    async def ask(url: str) -> tuple[str, str]:
        async with async_client(url) as asked:
            whole = await asked.responses.create(model="qa", input="Why?")
            async with asked.responses.stream(model="qa", input="Why?") as stream:
                final = await stream.get_final_response()
        return whole.output_text, final.output_text

    with served({"qa": qa(provider)}) as url:
        assert asyncio.run(ask(url)) == ("Because of the air.", "Because of the air.")


def test_text_comes_while_it_is_written(provider: Provider) -> None:
    gated = Gated("[[ ## answer ## ]]\nBe", "cause ", "of it\n\n[[ ## completed ## ]]")
    provider.script(gated.answer)
    heartbeats = Limits(heartbeat_seconds=0.01)  # Many, while it waits.
    with served({"qa": on(provider, dspy.Predict("question -> answer"))}, limits=heartbeats) as url, client(url) as ask:
        stream = ask.responses.create(model="qa", input="Why?", stream=True)
        gated.let(2)
        text = ""
        while text != "Because":
            event = next(stream)
            text += event.delta if event.type == "response.output_text.delta" else ""
        gated.finish()
        rest = list(stream)
    assert rest[-1].type == "response.completed"
    assert rest[-1].response.output_text == "Because of it"


def test_reasoning_is_a_summary(provider: Provider) -> None:
    provider.script(*[THOUGHT] * 3)
    with served({"qa": qa(provider)}, expose=EVERYTHING) as url, client(url) as ask:
        for response in asked(ask, model="qa", input="Why?"):
            reasoning, _ = response.output
            assert isinstance(reasoning, ResponseReasoningItem)
            assert [part.text for part in reasoning.summary] == ["It scatters."]
            assert response.output_text == "Because of the air."


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
    signature: Any = "question -> answer"
    with simulate(step) as provider:
        agent: Any = on(provider, dspy.ReAct(signature, tools=[look]))
        for expose, arguments, output in ((EVERYTHING, '{"word": "sky"}', "sky is blue"), (None, "{}", None)):
            with served({"agent": agent}, expose=expose) as url, client(url) as ask:
                for response in asked(ask, model="agent", input="Why?"):
                    tool = next(item for item in response.output if isinstance(item, McpCall))
                    assert (tool.name, tool.server_label, tool.status) == ("look", "agent", "completed")
                    assert (tool.arguments, tool.output) == (arguments, output)
                    assert response.output_text == "Blue."
                    assert "function_call" not in [item.type for item in response.output]


class Asking(dspy.Signature):
    """Ask for what you need."""

    question: str = dspy.InputField()
    calls: dspy.ToolCalls = dspy.OutputField()


def test_calls_that_the_program_gives_are_the_clients(provider: Provider) -> None:
    provider.script(*[chat(calls=json.dumps({"tool_calls": [{"name": "look", "args": {"word": "sky"}}]}))] * 3)
    with served({"asking": on(provider, dspy.Predict(Asking))}) as url, client(url) as ask:
        for response in asked(ask, model="asking", input="Why?"):
            (call,) = response.output
            assert isinstance(call, ResponseFunctionToolCall)
            assert (call.name, call.arguments) == ("look", '{"word": "sky"}')


def test_earlier_turns_are_the_programs_history(provider: Provider) -> None:
    program: Any = on(provider, dspy.Predict("history: dspy.History, question -> answer"))
    provider.script(chat(answer="So."), chat(answer="Because."), chat(answer="So."))
    history = dspy.History(messages=[{"question": "Why?", "answer": "Because."}])
    program(history=history, question="And then?")
    with served({"qa": program}) as url, client(url) as ask:
        turns: list[Any] = [{"role": "developer", "content": "Be brief."}, {"role": "user", "content": "Why?"}]
        first = ask.responses.create(model="qa", input=turns, instructions="Be brief.")
        assert first.instructions == "Be brief."
        turns += [item.model_dump() for item in first.output]  # As the documentation of OpenAI has it.
        turns += [{"role": "user", "content": [{"type": "input_text", "text": "And then?"}]}]
        assert ask.responses.create(model="qa", input=turns).output_text == "So."
    plain, _, second = [request.body["messages"] for request in provider.requests]
    assert second == plain


def test_what_was_said_beside_messages_is_passed_over() -> None:
    signature: Any = "question -> answer"
    with simulate(step) as provider:
        agent: Any = on(provider, dspy.ReAct(signature, tools=[look]))
        with served({"agent": agent}, expose=EVERYTHING) as url, client(url) as ask:
            turns: list[Any] = [{"role": "user", "content": "Why?"}]
            turns += [item.model_dump() for item in ask.responses.create(model="agent", input=turns).output]
            turns += [{"role": "user", "content": "Why?"}]
            assert ask.responses.create(model="agent", input=turns).output_text == "Blue."


@pytest.mark.parametrize(
    ("request_", "param"),
    [
        ({"previous_response_id": "resp_1"}, "previous_response_id"),
        ({"conversation": "conv_1"}, "conversation"),
        ({"background": True}, "background"),
        ({"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "data:"}]}]}, "input[0].content"),
        ({"input": [{"type": "function_call_output", "call_id": "1", "output": "So."}]}, "input"),
        ({"input": ""}, "question"),
        ({"extra_body": {"inputs": {"other": 1}}}, "other"),
    ],
)
def test_a_request_that_does_not_fit(provider: Provider, request_: dict[str, Any], param: str) -> None:
    with served({"qa": qa(provider)}) as url, client(url) as ask:
        create: Any = ask.responses.create
        with pytest.raises(openai.BadRequestError) as error:
            create(**{"model": "qa", "input": "Why?", **request_})
        with pytest.raises(openai.NotFoundError):
            create(model="other", input="Why?")
        assert error.value.type == "invalid_request_error"
        assert error.value.param == param
    assert not provider.requests


def fails(question: str) -> str:
    """A program that does not like its question."""
    raise RuntimeError("the secret of the program")


def test_a_program_that_fails() -> None:
    with served({"p": fails}) as url, client(url, max_retries=2) as ask:
        with pytest.raises(openai.InternalServerError, match="error id") as whole:
            ask.responses.create(model="p", input="Why?")
        assert whole.value.code == "program_failed"
        streamed = last(ask.responses.create(model="p", input="Why?", stream=True))
    assert streamed.type == "response.failed"
    assert streamed.response.status == "failed"
    assert "error id" in streamed.response.error.message
    assert "secret" not in streamed.response.error.message


def test_text_that_was_withdrawn_is_a_failure_unless_it_is_held(provider: Provider) -> None:
    broken = Answer(chunks=cut(chat(answer="Never by the sea."), 9), options={"truncate": 4})
    provider.script(*[broken, Answer(chat(answer="Because."))] * 3)
    with served({"qa": on(provider, dspy.Predict("question -> answer"))}) as url, client(url) as ask:
        create: Any = ask.responses.create
        failed = last(create(model="qa", input="Why?", stream=True))
        assert failed.type == "response.failed"
        assert "hold" in failed.response.error.message
        held = last(create(model="qa", input="Why?", stream=True, extra_body={"hold": True}))
        assert held.response.output_text == "Because."
        assert create(model="qa", input="Why?").output_text == "Because."


def test_who_closes_the_stream_ends_the_run(provider: Provider) -> None:
    gated = Gated("[[ ## answer ## ]]\nBe", "cause", "\n\n[[ ## completed ## ]]")
    provider.script(gated.answer)
    with served({"qa": on(provider, dspy.Predict("question -> answer"))}) as url, client(url) as ask:
        stream = ask.responses.create(model="qa", input="Why?", stream=True)
        gated.let()
        while next(stream).type != "response.output_text.delta":
            pass
        stream.close()
        assert provider.requests[0].disconnected.wait(10)
        no_requests_left(provider)


def test_a_run_that_is_cancelled_is_incomplete(provider: Provider) -> None:
    gated = Gated(THOUGHT.text)
    provider.script(gated.answer)
    with served({"qa": qa(provider)}, limits=Limits(max_run_seconds=0.2)) as url, client(url) as ask:
        event = last(ask.responses.create(model="qa", input="Why?", stream=True))
    assert event.type == "response.incomplete"
    assert event.response.status == "cancelled"
    assert "longer than" in event.response.error.message
