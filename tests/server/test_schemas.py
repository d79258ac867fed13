"""Models of inputs: what they take, what they tell, and what they give to the program."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import dspy
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldstream._inputs import Input, Inputs
from fieldstream.server.schemas import inputs_title, model_of, outputs_title


def model(members: dict[str, Input], **options: Any) -> Any:
    return model_of("Title", Inputs(members, **options))


_NAMES = [
    "json",
    "schema",
    "copy",
    "model_config",
    "model_fields",
    "__init__",
    "given",
    "_x",
    "a-b",
    "größe",
    "input_0",
]


@pytest.mark.parametrize("name", _NAMES)
def test_an_input_may_have_any_name(name: str) -> None:
    kind = model({"first": Input(int), name: Input(str)})
    assert kind.model_validate({"first": 1, name: "x"}).given() == {"first": 1, name: "x"}
    assert list(kind.model_json_schema()["properties"]) == ["first", name]
    with pytest.raises(pydantic.ValidationError) as error:
        kind.model_validate({"first": 1})
    assert error.value.errors()[0]["loc"] == (name,)


def test_what_was_not_given_is_left_to_the_program() -> None:
    kind = model({"a": Input(int), "b": Input(int, required=False, default=3)})
    assert kind.model_validate({"a": 1}).given() == {"a": 1}
    assert kind.model_validate({"a": 1, "b": 3}).given() == {"a": 1, "b": 3}
    assert kind.model_json_schema()["properties"]["b"]["default"] == 3


def test_what_is_not_known_is_taken_only_where_all_is() -> None:
    with pytest.raises(pydantic.ValidationError, match="Extra inputs"):
        model({"a": Input(int)}).model_validate({"a": 1, "b": 2})
    given = model({"a": Input(int)}, open=True).model_validate({"a": "1", "b": {"c": [2]}}).given()
    assert given == {"a": 1, "b": {"c": [2]}}


def test_they_may_be_wrapped_unless_one_is_called_so() -> None:
    kind = model({"a": Input(int)})
    assert kind.model_validate({"inputs": {"a": 1}}).given() == {"a": 1}
    with pytest.raises(pydantic.ValidationError):
        kind.model_validate({"inputs": {"a": 1}, "b": 2})
    with pytest.raises(pydantic.ValidationError):
        kind.model_validate({"inputs": 1})
    kind = model({"inputs": Input(dict)})
    assert kind.model_validate({"inputs": {"a": 1}}).given() == {"inputs": {"a": 1}}


class Odd:
    pass


@dataclass
class Point:
    x: int


_DAY = date(2026, 1, 2)


@pytest.mark.parametrize(
    ("kind", "json", "value"),
    [
        (date, "2026-01-02", _DAY),
        (datetime, "2026-01-02T03:04:05Z", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        (Point, {"x": 1}, Point(1)),
        (tuple[int, str], [1, "a"], (1, "a")),
        (set[int], [1, 1], {1}),
        (dict[str, list[Point]], {"a": [{"x": 1}]}, {"a": [Point(1)]}),
        (int | None, None, None),
        (Any, {"any": [None]}, {"any": [None]}),
        (Odd, {"any": 1}, {"any": 1}),
        (list[Odd], "as it comes", "as it comes"),
        (dspy.History, {"messages": [{"q": "a"}]}, dspy.History(messages=[{"q": "a"}])),
    ],
)
def test_json_becomes_a_value_of_the_type(kind: Any, json: Any, value: Any) -> None:
    assert model({"it": Input(kind)}).model_validate({"it": json}).given() == {"it": value}
    assert model({"it": Input(kind)}).model_json_schema()["required"] == ["it"]


@pytest.mark.parametrize("json", [{"any": 1}, [1], "text", None, 3])
def test_what_nobody_gave_a_type_is_told_as_text_and_taken_as_it_comes(json: Any) -> None:
    kind = model({"it": Input(guessed=True)})
    assert kind.model_json_schema()["properties"]["it"] == {"title": "it", "type": "string"}
    assert kind.model_validate({"it": json}).given() == {"it": json}


@pytest.mark.parametrize("default", [Odd(), object, {1, 2}, float, dspy.History(messages=[]), Point(1)])
def test_a_default_that_is_no_json_is_told_as_far_as_it_can_be(default: Any) -> None:
    kind = model({"it": Input(Any, required=False, default=default)})
    assert "it" in kind.model_json_schema()["properties"]
    assert kind.model_validate({}).given() == {}


@given(st.dictionaries(st.text(), st.integers()))
def test_what_goes_in_comes_out(inputs: dict[str, int]) -> None:
    kind = model({name: Input(int) for name in inputs})
    if inputs.keys() != {"inputs"}:
        assert kind.model_validate(inputs).given() == inputs


@pytest.mark.parametrize(("name", "title"), [("qa", "QaInputs"), ("my-qa.v2_x", "MyQaV2XInputs"), ("QA", "QAInputs")])
def test_a_models_title_is_a_name(name: str, title: str) -> None:
    assert inputs_title(name) == title
    assert outputs_title(name) == title.replace("Inputs", "Outputs")
