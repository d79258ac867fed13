"""Responses, as the official client reads them."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from openai.types.responses import (
    Response,
    ResponseCompletedEvent,
    ResponseFailedEvent,
    ResponseFunctionToolCall,
    ResponseIncompleteEvent,
    ResponseOutputMessage,
    ResponseReasoningItem,
    ResponseStreamEvent,
)
from openai.types.responses.response_output_item import McpCall

from fieldstream.events import Event, Failure
from fieldstream.wire.openai.responses import Responses
from tests.wire.chat import START, call, end, ended, field, over, reset, text, thought, view
from tests.wire.openai.reading import fed, response_events

USED = {"sim": {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}}
ANSWERED: list[Event] = [
    *(START, call("c"), field("c", "reasoning"), text("c", "Hm", "reasoning"), ended("c", "reasoning"), field("c")),
    *(text("c", "Be"), text("c", "cause"), ended("c"), end("c", reasoning="Hm", answer="Because")),
    over({"reasoning": "Hm", "answer": "Because"}, usage=USED),
]


def responses(output: str = "answer", **options: Any) -> Responses:
    return Responses(view(output, "reasoning"), model="qa", created=1, **options)


def told(events: list[Event], **options: Any) -> tuple[list[ResponseStreamEvent], Response]:
    """The events, and the response at the end."""
    said = response_events(fed(responses(**options), events))
    check_items(said)
    last = said[-1]
    assert isinstance(last, ResponseCompletedEvent | ResponseFailedEvent | ResponseIncompleteEvent)
    return said, last.response


def check_items(events: list[ResponseStreamEvent]) -> None:
    """Each item is added, told of, and done, once each, and at the end there is nothing that was not done."""
    begun: dict[int, str] = {}
    done: set[int] = set()
    for event in events:
        if event.type == "response.output_item.added":
            assert event.output_index == len(begun) + len(done), "one after the other"
            begun[event.output_index] = event.item.id or ""
        elif event.type == "response.output_item.done":
            assert begun.pop(event.output_index) == event.item.id
            done.add(event.output_index)
        elif (index := getattr(event, "output_index", None)) is not None:
            assert begun[index] == getattr(event, "item_id", None), f"not of an open item: {event}"
    assert not begun


def test_a_response_in_its_events() -> None:
    said, response = told(ANSWERED)
    assert [event.type.removeprefix("response.") for event in said] == [
        *("created", "in_progress"),
        *("output_item.added", "reasoning_summary_part.added", "reasoning_summary_text.delta"),
        *("reasoning_summary_text.done", "reasoning_summary_part.done", "output_item.done"),
        *("output_item.added", "content_part.added", "output_text.delta", "output_text.delta"),
        *("output_text.done", "content_part.done", "output_item.done"),
        "completed",
    ]
    assert response.id == "resp_r"
    assert response.status == "completed"
    assert response.output_text == "Because"
    reasoning, message = response.output
    assert isinstance(reasoning, ResponseReasoningItem)
    assert [part.text for part in reasoning.summary] == ["Hm"]
    assert isinstance(message, ResponseOutputMessage)
    assert response.usage is not None
    assert (response.usage.input_tokens, response.usage.output_tokens, response.usage.total_tokens) == (3, 4, 7)


def test_the_answer_is_the_last_events() -> None:
    made = responses(hold=True, echo={"instructions": "Be brief.", "metadata": {"a": "b"}})
    said = response_events(fed(made, ANSWERED))
    answer = Response.model_validate(made.answer)
    assert said[-1].type == "response.completed"
    assert answer == said[-1].response
    assert answer.instructions == "Be brief."
    assert answer.metadata == {"a": "b"}


def test_a_tool_of_the_program_is_none_of_the_clients() -> None:
    failure = Failure(kind="error", message="id 1a")
    events = [START, call("t", "look", kind="tool", arguments={"word": "sky"}), end("t"), call("u", "go", kind="tool")]
    events += [end("u", failure), call("v", "open", kind="tool"), over({"answer": "Blue"})]
    said, response = told(events)
    tools = [item for item in response.output if isinstance(item, McpCall)]
    assert [(tool.name, tool.arguments, tool.status, tool.output) for tool in tools] == [
        ("look", '{"word": "sky"}', "completed", None),
        ("go", "{}", "failed", "id 1a"),
        ("open", "{}", "failed", "the run ended before the tool did"),
    ]
    assert {tool.server_label for tool in tools} == {"qa"}
    assert "response.mcp_call.completed" in [event.type for event in said]
    deltas = [event.delta for event in said if event.type == "response.mcp_call_arguments.delta"]
    assert deltas == [event.arguments for event in said if event.type == "response.mcp_call_arguments.done"]
    assert deltas == [tool.arguments for tool in tools]
    assert not [item for item in response.output if item.type == "function_call"]


def test_calls_for_the_client_are_function_calls() -> None:
    asked = {"tool_calls": [{"name": "look", "args": {"word": "sky"}}]}
    said, response = told([START, over({"calls": asked})], output="calls", calls=frozenset({"calls"}))
    (item,) = response.output
    assert isinstance(item, ResponseFunctionToolCall)
    assert (item.call_id, item.name, item.arguments) == ("call_r_0", "look", '{"word": "sky"}')
    assert [event.delta for event in said if event.type == "response.function_call_arguments.delta"] == [item.arguments]


def test_a_failure_closes_what_is_open_and_says_why() -> None:
    events = [START, call("c"), field("c"), text("c", "Be"), call("l", kind="lm", parent="c"), thought("l", "Hm")]
    events += [call("t", "look", kind="tool")]
    for outcome, kind, status in (("failed", "failed", "failed"), ("cancelled", "incomplete", "cancelled")):
        error = Failure(kind="error", message="id 1a")
        said, response = told([*events, over(outcome=outcome, error=error)])
        assert said[-1].type == f"response.{kind}"
        assert response.status == status
        assert response.error is not None
        assert response.error.message == "id 1a"
        assert response.output_text == "Be"


def test_an_answer_without_text_is_an_empty_message() -> None:
    _, response = told([START, over({"answer": ""})])
    (message,) = response.output
    assert isinstance(message, ResponseOutputMessage)
    assert response.output_text == ""


PIECES = st.lists(st.text(min_size=1), max_size=5)


@given(PIECES, PIECES, PIECES, st.booleans())
def test_deltas_make_the_values(lost: list[str], thoughts: list[str], pieces: list[str], hold: bool) -> None:
    answer = "".join(pieces)
    events = [START, call("c"), call("l", kind="lm", parent="c"), *(thought("l", each) for each in lost)]
    events += [field("c"), reset("c"), *(thought("l", each) for each in thoughts)]
    events += [*(text("c", each) for each in pieces), ended("c"), end("l"), end("c", answer=answer)]
    said, response = told([*events, over({"answer": answer})], hold=hold)
    assert "".join([event.delta for event in said if event.type == "response.output_text.delta"]) == answer
    assert [event.text for event in said if event.type == "response.output_text.done"] == [answer]
    assert response.output_text == answer
    reasoning = [item for item in response.output if isinstance(item, ResponseReasoningItem)]
    assert "".join(part.text for item in reasoning for part in item.summary) == "".join(thoughts)
