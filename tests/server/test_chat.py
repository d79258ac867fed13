"""A chat's messages as a program's inputs."""

# pyright: reportArgumentType=false

from typing import Any

import dspy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldstream.server import Mount
from fieldstream.server.chat import Turn, chat_inputs
from fieldstream.server.errors import ApiError


def mounted(signature: str, **options: Any) -> Mount:
    return Mount(dspy.Predict(signature), **options).named("qa")


USER, BOT = "user", "assistant"


def test_the_last_user_message_is_the_main_input() -> None:
    turns = [Turn(USER, "one"), Turn(BOT, "yes"), Turn(USER, "two")]
    assert chat_inputs(mounted("question -> answer"), turns, {}) == {"question": "two"}


def test_what_comes_after_it_is_no_question() -> None:
    turns = [Turn(USER, "one"), Turn(BOT, "begun an")]
    assert chat_inputs(mounted("question -> answer"), turns, {}) == {"question": "one"}


def test_earlier_ones_are_the_history_by_the_programs_names() -> None:
    mount = mounted("history: dspy.History, question -> reply, mood: int")
    turns = [
        Turn("system", "Be nice."),
        Turn(USER, "one"),
        Turn(BOT, "yes"),
        Turn(USER, "not answered"),
        Turn(USER, "two"),
        Turn(BOT, "no"),
        Turn("tool", "result"),
        Turn(BOT, "never"),
        Turn(USER, "three"),
    ]
    given = chat_inputs(mount, turns, {})
    assert given["question"] == "three"
    assert given["history"] == dspy.History(
        messages=[{"question": "one", "reply": "yes"}, {"question": "two", "reply": "no\n\nnever"}]
    )


def test_a_first_message_has_an_empty_history() -> None:
    mount = mounted("history: dspy.History, question -> answer")
    assert chat_inputs(mount, [Turn(USER, "one")], {})["history"].messages == []
    assert chat_inputs(mount, [Turn(BOT, "Hello!"), Turn(USER, "one")], {})["history"].messages == []


def test_what_is_given_by_name_counts() -> None:
    mount = mounted("history: dspy.History, question, n: int -> answer", input="question")
    own = {"messages": [{"question": "q", "answer": "a"}]}
    given = chat_inputs(mount, [Turn(USER, "said")], {"n": "3", "history": own})
    assert given == {"question": "said", "n": 3, "history": dspy.History(**own)}
    assert chat_inputs(mount, [Turn(USER, "said")], {"n": 3, "question": "named"})["question"] == "named"


@pytest.mark.parametrize(
    ("signature", "turns", "inputs", "code", "says"),
    [
        ("question, title -> answer", [Turn(USER, "one")], {}, "no_main_input", "question, title"),
        ("n: int -> answer", [Turn(USER, "one")], {"n": 1}, "no_main_input", "none of them is a text"),
        ("question -> answer", [], {}, "invalid_inputs", "question"),
        ("question -> answer", [Turn("system", "x")], {}, "invalid_inputs", "question"),
        ("question, n: int -> answer", [Turn(USER, "one")], {}, "invalid_inputs", "n: Field required"),
        ("question -> answer", [Turn(USER, "one")], {"m": 1}, "invalid_inputs", "m: "),
    ],
)
def test_what_does_not_fit_is_told(signature: str, turns: Any, inputs: Any, code: str, says: str) -> None:
    with pytest.raises(ApiError) as refused:
        chat_inputs(mounted(signature), turns, inputs)
    assert (refused.value.status_code, refused.value.code) == (422, code)
    assert says in refused.value.message


def test_all_inputs_may_come_by_name_without_a_message() -> None:
    assert chat_inputs(mounted("question, title -> answer"), [], {"question": "a", "title": "b"}) == {
        "question": "a",
        "title": "b",
    }


@given(st.lists(st.builds(Turn, st.sampled_from([USER, BOT, "system", "tool"]), st.text(max_size=5)), max_size=12))
def test_a_history_is_made_of_whole_turns_in_their_order(turns: list[Turn]) -> None:
    mount = mounted("history: dspy.History, question -> answer")
    if not any(turn.role == USER for turn in turns):
        return
    inputs = chat_inputs(mount, turns, {})
    assert inputs["question"] == [turn.text for turn in turns if turn.role == USER][-1]
    assert all(message.keys() == {"question", "answer"} for message in inputs["history"].messages)
    questions = [message["question"] for message in inputs["history"].messages]
    said = iter([turn.text for turn in turns if turn.role == USER])
    assert all(question in said for question in questions), "in the order in which they were said"
