"""A program's inputs from the command line."""

import datetime
from typing import Any

import dspy
import pytest

from fieldstream._inputs import inputs_of
from fieldstream.cli.errors import CliError
from fieldstream.cli.inputs import parse_inputs
from tests.cli import programs


@pytest.mark.parametrize(
    ("program", "given", "expected"),
    [
        (programs.qa, ["question=Why = a?"], {"question": "Why = a?"}),
        (programs.qa, ["question="], {"question": ""}),
        (programs.describe, ['person={"name": "Ada"}'], {"person": programs.Person(name="Ada")}),
        (
            programs.describe,
            ['person={"name": "Ada", "age": 36}', 'tags=["x"]'],
            {"person": programs.Person(name="Ada", age=36), "tags": ["x"]},
        ),
        (programs.agent, ["question=3", "hint=[1]"], {"question": "3", "hint": "[1]"}),
        (programs.Loop(), ["question=q", "count=3"], {"question": "q", "count": 3}),
        (
            programs.Loop(),
            ["question=q", "count=3", "mood=bad", "day=2024-05-17"],
            {"question": "q", "count": 3, "mood": "bad", "day": datetime.date(2024, 5, 17)},
        ),
        (programs.Loop(), ["question=q", "count=3", 'mood="good"', "day=null"], None),
        (programs.Open(), ["first=1", "c=[2]"], {"first": 1, "c": "[2]"}),
        (programs.Later(), ["question=q"], {"question": "q"}),
        (programs.shout, ["text=a", "times=2", "maybe=null"], {"text": "a", "times": 2, "maybe": "null"}),
    ],
)
def test_values_are_of_the_inputs_types(program: Any, given: list[str], expected: dict[str, Any] | None) -> None:
    values = parse_inputs(program, given)
    assert values == (expected or {"question": "q", "count": 3, "mood": "good", "day": None})


@pytest.mark.parametrize(
    ("program", "given", "message"),
    [
        (programs.qa, [], "the input 'question' is missing; add question=...; the inputs are: question (str)"),
        (programs.agent, [], "the input 'question' and 'hint' is missing"),
        (programs.qa, ["Why?"], "'Why?' is not name=value; write inputs as question='...'"),
        (programs.qa, ["a b=c"], "'a b=c' is not name=value"),
        (
            programs.qa,
            ["qestion=x"],
            "there is no input 'qestion'; did you mean 'question'? the inputs are: question (str)",
        ),
        (programs.qa, ["zzz=x"], "there is no input 'zzz'; the inputs are: question (str)"),
        (programs.qa, ["question=x", "question=y"], "the input 'question' is given twice"),
        (
            programs.describe,
            ["person={}"],
            "the input person['name'] does not fit tests.cli.programs.Person: Field required",
        ),
        (programs.describe, ["person=Ada"], "the input person does not fit tests.cli.programs.Person: Invalid JSON"),
        (programs.describe, ['person={"name": "a"}', "tags=[1]"], "the input tags[0] does not fit list[str]"),
        (
            programs.Loop(),
            ["question=q", "count=many"],
            "the input count does not fit int: Input should be a valid integer",
        ),
        (programs.Loop(), ["question=q", "count=1", "mood=so"], "Input should be 'good' or 'bad'"),
        (lambda: None, ["x=1"], "there is no input 'x'; the program takes no inputs"),
    ],
)
def test_what_does_not_fit_is_said(program: Any, given: list[str], message: str) -> None:
    with pytest.raises(CliError) as caught:
        parse_inputs(program, given)
    assert message in str(caught.value)


def test_what_a_module_takes() -> None:
    assert {name: each.type_name for name, each in inputs_of(programs.Loop()).known.items()} == {
        "question": "str",
        "count": "int",
        "mood": "Literal['good', 'bad']",
        "day": "datetime.date | None",
    }
    assert inputs_of(programs.Open()).open
    assert not inputs_of(programs.qa).open


def test_a_module_without_forward() -> None:
    with pytest.raises(CliError, match="neither a forward nor an aforward"):
        parse_inputs(programs.Needy(1), [])


def test_an_annotation_that_names_nothing() -> None:
    def function(a: "Nowhere") -> None: ...  # type: ignore[name-defined]  # noqa: F821

    assert parse_inputs(function, ["a=1"]) == {"a": "1"}


def test_a_type_that_pydantic_does_not_know() -> None:
    class Odd: ...

    def function(a: Odd) -> None: ...

    assert parse_inputs(function, ["a=1"]) == {"a": "1"}


def test_what_is_no_signature_is_not_asked_for_inputs() -> None:
    class Odd(dspy.Module):
        signature = "question -> answer"

        def forward(self, **inputs: Any) -> None: ...

    assert inputs_of(Odd()).open
