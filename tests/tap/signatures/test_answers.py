"""What is known of one predictor's call, and the elements of its lists."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import dspy
import pytest
from pydantic import BaseModel, Field, field_validator

from fieldstream.events import UNSET
from fieldstream.tap.signatures.answers import Answer, element_type


class Own(BaseModel):
    name: str = Field(alias="Name")

    @field_validator("name", mode="before")
    @classmethod
    def _strip(cls, value: str) -> str:
        return value.strip()


@dataclass
class Point:
    x: int


def answer(annotation: Any) -> Answer:
    fields: Any = {"question": (str, dspy.InputField()), "x": (annotation, dspy.OutputField())}
    new: Any = dspy.Signature
    return Answer(new(fields, "Answer."))


@pytest.mark.parametrize(
    ("annotation", "index", "kind"),
    [
        (list[int], 0, int),
        (list[int] | None, 3, int),
        (Annotated[list[str], "mark"], 0, str),
        (Sequence[Point], 1, Point),
        (set[int], 0, int),
        (tuple[int, ...], 5, int),
        (tuple[int, str], 1, str),
        (list, 0, Any),
        (dict[str, int], 0, None),
        (str, 0, None),
        (int | str, 0, None),
    ],
)
def test_what_a_lists_elements_are(annotation: Any, index: int, kind: Any) -> None:
    assert element_type(annotation, index) is kind


def test_an_element_is_of_its_type() -> None:
    assert answer(list[Point]).element("x", {"x": 1}, 0) == Point(1)
    assert answer(tuple[int, str]).element("x", "a", 1) == "a"
    assert answer(list[Any]).element("x", {"a": 1}, 0) == {"a": 1}
    assert answer(list[Annotated[int, Field(json_schema_extra={"a": []})]]).element("x", 3, 0) == 3
    with pytest.raises(ValueError, match="validation error"):
        answer(list[Point]).element("x", {"x": "no"}, 0)


def test_elements_of_types_that_only_python_takes_for_equal() -> None:
    class One(BaseModel):
        name: str = ""

    class Other(BaseModel):
        name: str = ""

    assert list[One | Other] == list[Other | One]
    assert isinstance(answer(list[One | Other]).element("x", {"name": "a"}, 0), One)
    assert isinstance(answer(list[Other | One]).element("x", {"name": "a"}, 0), Other)


@pytest.mark.parametrize(
    ("annotation", "early"),
    [(list[int], True), (list[Point], True), (list[Literal["a"]], True), (list[Own], False), (list[Own | int], False)],
)
def test_elements_that_only_code_can_tell_come_late(annotation: Any, early: bool) -> None:
    assert answer(annotation).elements_come_early("x") is early


def test_the_prediction_holds_the_values() -> None:
    known = answer(list[int])
    assert known.value("x") is UNSET
    numbers = [1]
    known.prediction = dspy.Prediction(x=numbers)
    assert known.value("x") is numbers
    assert known.value("other") is UNSET
    assert known.slot("other") is None
    assert Answer("question -> x: list[int]").slot("x") is not None
