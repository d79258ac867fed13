"""The names of fields: what they find, and what an error says of those that find nothing or too much."""

from typing import Any

import dspy
import pytest

from fieldstream import FieldstreamError, UnknownFieldError
from fieldstream._fields import FieldName, find_field, output_fields


class Two(dspy.Module):
    def __init__(self) -> None:
        super().__init__()
        self.draft = dspy.ChainOfThought("question -> answer")
        self.check = dspy.Predict("draft -> answer, verdict: bool")
        self.others = [dspy.Predict("a -> b"), dspy.Predict("a -> c")]
        self.named = {"x": dspy.Predict("a -> d")}


def look(word: str) -> str:
    """Look a word up."""
    return word


def test_a_field_that_one_predictor_has() -> None:
    assert find_field(Two(), "verdict") == FieldName("check", "verdict")
    assert find_field(Two(), "reasoning") == FieldName("draft.predict", "reasoning")


@pytest.mark.parametrize(
    ("name", "predictor"),
    [
        ("draft.predict/answer", "draft.predict"),
        ("check/answer", "check"),
        ("others[1]/c", "others[1]"),
        ("named['x']/d", "named['x']"),
    ],
)
def test_a_field_with_its_predictor(name: str, predictor: str) -> None:
    assert find_field(Two(), name) == FieldName(predictor, name.rpartition("/")[2])


def test_the_predictors_of_an_agent() -> None:
    signature: Any = "question -> answer"
    agent = dspy.ReAct(signature, tools=[look])
    assert find_field(agent, "answer") == FieldName("extract.predict", "answer")
    assert find_field(agent, "extract.predict/answer") == FieldName("extract.predict", "answer")
    assert find_field(agent, "next_thought") == FieldName("react", "next_thought")


def test_a_predictor_alone() -> None:
    assert find_field(dspy.Predict("question -> answer"), "answer") == FieldName("self", "answer")
    assert find_field(dspy.Predict("question -> answer"), "self/answer") == FieldName("self", "answer")


def test_several_predictors_have_it() -> None:
    with pytest.raises(UnknownFieldError) as raised:
        find_field(Two(), "answer")
    assert str(raised.value) == (
        "2 predictors of Two have a field 'answer'; say which one: 'draft.predict/answer' or 'check/answer'"
    )


@pytest.mark.parametrize("name", ["nope", "nope/answer", "draft/answer", "", "/", "answer/"])
def test_nothing_fits(name: str) -> None:
    with pytest.raises(UnknownFieldError) as raised:
        find_field(Two(), name)
    assert str(raised.value) == (
        f"Two has no field {name!r}; it has: draft.predict/reasoning, draft.predict/answer, "
        "check/answer, check/verdict, others[0]/b, others[1]/c, named['x']/d"
    )


def test_the_error_is_a_value_error_and_ours() -> None:
    assert issubclass(UnknownFieldError, ValueError)
    assert issubclass(UnknownFieldError, FieldstreamError)


def test_an_input_is_no_field() -> None:
    with pytest.raises(UnknownFieldError, match="has no field 'question'"):
        find_field(dspy.Predict("question -> answer"), "question")


def test_nothing_is_known_of_a_function() -> None:
    assert output_fields(look) == {}
    assert find_field(look, "whatever") == FieldName(None, "whatever")
    assert find_field(look, "some.predictor/whatever") == FieldName("some.predictor", "whatever")
    assert FieldName(None, "whatever").fits("any")
    assert not FieldName("some", "whatever").fits("other")


def test_a_part_that_was_compiled_has_its_fields() -> None:
    """DSPy leaves out of ``named_predictors()`` what an optimizer may not touch. It is streamed all the same."""

    class Whole(dspy.Module):
        def __init__(self) -> None:
            super().__init__()
            self.part = dspy.ChainOfThought("question -> answer")
            self.last = dspy.Predict("answer -> summary")
            self.part._compiled = True

    program = Whole()
    assert [path for path, _ in program.named_predictors()] == ["last"]
    assert find_field(program, "answer") == FieldName("part.predict", "answer")
    assert find_field(program, "part.predict/reasoning") == FieldName("part.predict", "reasoning")
    assert list(output_fields(program)) == ["part.predict", "last"]
