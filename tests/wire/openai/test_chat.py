"""Chat completions, as the official client reads them."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from fieldstream.events import Event, Failure
from fieldstream.wire.openai.chat import ChatCompletions
from tests.wire.chat import START, call, end, ended, field, over, text, thought, value, view
from tests.wire.openai.reading import chunks, completed, completion, content, fed, frames

USED = {"sim": {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}}


def chat(**options: Any) -> ChatCompletions:
    return ChatCompletions(view("answer", "reasoning"), model="qa", created=1, **options)


ANSWERED: list[Event] = [
    *(START, call("c"), field("c", "reasoning"), text("c", "H", "reasoning"), text("c", "m", "reasoning")),
    *(ended("c", "reasoning"), field("c"), text("c", "Be"), text("c", "cause"), ended("c")),
    *(end("c", reasoning="Hm", answer="Because"), over({"reasoning": "Hm", "answer": "Because"}, usage=USED)),
]


def test_a_completion_in_its_chunks() -> None:
    said = chunks(fed(chat(), ANSWERED))
    assert [chunk.choices[0].delta.model_dump(exclude_unset=True) for chunk in said] == [
        {"role": "assistant", "content": ""},
        {"reasoning_content": "H"},
        {"reasoning_content": "m"},
        {"content": "Be"},
        {"content": "cause"},
        {},
    ]
    assert [chunk.choices[0].finish_reason for chunk in said] == [None] * 5 + ["stop"]
    assert {(chunk.id, chunk.model, chunk.created) for chunk in said} == {("chatcmpl-r", "qa", 1)}


def test_usage_is_said_where_it_is_asked_for() -> None:
    asked = chunks(fed(chat(usage=True), ANSWERED))
    assert [chunk.usage for chunk in asked[:-1]] == [None] * 6
    assert asked[-1].choices == []
    assert asked[-1].usage is not None
    assert asked[-1].usage.total_tokens == 7
    assert all(chunk.usage is None for chunk in chunks(fed(chat(), ANSWERED)))


def test_what_is_not_streamed_is_what_the_chunks_make() -> None:
    told = chat(usage=True)
    streamed = completed(fed(told, ANSWERED))
    once = completion(told.answer)
    assert once.usage == streamed.usage
    assert once.choices[0].message.content == streamed.choices[0].message.content == "Because"
    assert once.choices[0].message.model_extra == {"reasoning_content": "Hm"}
    assert once.choices[0].finish_reason == streamed.choices[0].finish_reason == "stop"


def test_one_reasoning_is_set_off_from_the_next() -> None:
    events = [START]
    for number in "12":
        events += [call(f"c{number}"), call(f"l{number}", kind="lm", parent=f"c{number}"), thought(f"l{number}", "Hm")]
        events += [end(f"l{number}"), end(f"c{number}")]
    told = chat()
    streamed = completed(fed(told, [*events, over({"answer": "x"})]))
    both = {"reasoning_content": "Hm\n\nHm"}
    assert streamed.choices[0].message.model_dump(include={"reasoning_content"}) == both
    assert completion(told.answer).choices[0].message.model_extra == both


def test_tools_of_the_program_are_told_and_not_to_be_run() -> None:
    events = [START, call("t", "look", kind="tool", arguments={"word": "sky"}), end("t")]
    events += [call("u", "hidden", kind="tool"), end("u"), call("v", "go", kind="tool", arguments={}), end("v")]
    told = chat()
    streamed = completed(fed(told, [*events, over({"answer": "Blue"})]))
    for choice in (streamed.choices[0], completion(told.answer).choices[0]):
        assert choice.finish_reason == "stop"
        assert choice.message.content == "Blue"
        calls = choice.message.tool_calls or []
        assert [
            (each.id, each.function.name, each.function.arguments) for each in calls if each.type == "function"
        ] == [
            ("t", "look", '{"word": "sky"}'),
            ("v", "go", "{}"),
        ]


def test_a_failure_is_an_error_in_the_place_of_a_chunk() -> None:
    events = [START, call("c"), field("c"), text("c", "Be"), end("c")]
    said = frames(
        fed(chat(usage=True), [*events, over(outcome="failed", error=Failure(kind="error", message="id 1a"))])
    )
    assert said[-2:] == [
        {"error": {"message": "id 1a", "type": "server_error", "param": None, "code": "program_failed"}},
        None,
    ]
    assert not any(choice["finish_reason"] for each in said[:-2] for choice in each["choices"])


def test_heartbeats_are_nothing_to_the_client() -> None:
    told = chat()
    said = b"".join([told.heartbeat + told.feed([each]) for each in ANSWERED])
    assert content(said + told.heartbeat) == "Because"


def test_a_field_that_is_no_text_is_json() -> None:
    events = [START, call("c"), field("c", kind="data"), value("c", [], "answer"), value("c", "é", "answer", path=(0,))]
    told = chat()
    said = fed(told, [*events, ended("c"), end("c", answer=["é"]), over({"answer": ["é"]})])
    assert content(said) == completion(told.answer).choices[0].message.content == '["é"]'


def test_text_that_utf8_cannot_carry_comes_as_it_was() -> None:
    assert content(fed(chat(), [START, over({"answer": "\ud800"})])) == "\ud800"


@given(st.lists(st.text(min_size=1)), st.lists(st.text(min_size=1)), st.booleans())
def test_deltas_make_the_values(thoughts: list[str], pieces: list[str], at_once: bool) -> None:
    reasoning, answer = "".join(thoughts), "".join(pieces)
    events = [START, call("c"), field("c", "reasoning")]
    events += [text("c", each, "reasoning") for each in thoughts] + [ended("c", "reasoning"), field("c")]
    events += [text("c", each) for each in pieces] + [ended("c"), end("c", reasoning=reasoning, answer=answer)]
    told = chat()
    message = completed(fed(told, [*events, over({"answer": answer})], at_once=at_once)).choices[0].message
    assert message.content == completion(told.answer).choices[0].message.content == answer
    assert (message.model_extra or {}).get("reasoning_content", "") == reasoning
