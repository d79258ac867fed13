"""Live values as JSON values: seen, and not touched."""

import datetime
import enum
from collections.abc import Callable, Iterator
from typing import Any

import dspy
import pytest
from pydantic import BaseModel

import fieldstream
from fieldstream.tap import to_json


class Colour(enum.Enum):
    BLUE = "blue"


class Sky(BaseModel):
    colour: Colour
    seen: datetime.date


class Broken:
    def __str__(self) -> str:
        raise RuntimeError("no words")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Sky(colour=Colour.BLUE, seen=datetime.date(2026, 1, 2)), {"colour": "blue", "seen": "2026-01-02"}),
        (dspy.Prediction(sky=Colour.BLUE, parts=(1, {2})), {"sky": "blue", "parts": [1, [2]]}),
        ({"within": [dspy.Example(a=1)]}, {"within": [{"a": 1}]}),
        ({Colour.BLUE: {3: None}}, {"blue": {"3": None}}),
        (float, "<class 'float'>"),
    ],
)
def test_as_pydantic_gives_it(value: Any, expected: Any) -> None:
    assert to_json(value) == expected


def test_what_has_no_words() -> None:
    assert "Broken object" in to_json([Broken()])[0]


def test_what_holds_itself() -> None:
    value: list[Any] = []
    value.append(value)
    assert to_json(value) == "[[...]]"


def letters() -> Iterator[str]:
    yield from "ab"


@pytest.mark.parametrize(
    "result",
    [letters, lambda: dspy.Prediction(parts=letters()), lambda: {"deep": [letters()]}, lambda: map(str, "ab")],
    ids=["itself", "in a prediction", "deep within", "a map"],
)
def test_an_iterator_is_left_to_its_reader(result: Callable[[], Any]) -> None:
    def program() -> Any:
        return result()

    with fieldstream.stream(program) as run:
        returned = run.wait()
    if isinstance(returned, dspy.Prediction):
        returned = returned.parts
    elif isinstance(returned, dict):
        returned = returned["deep"][0]
    assert "".join(returned) == "ab"


def test_a_tools_iterator_is_left_to_its_caller() -> None:
    tool = dspy.Tool(lambda: map(str, "ab"), name="letters")

    def program() -> str:
        return "".join(tool())

    with fieldstream.stream(program) as run:
        assert run.wait() == "ab"


class Shelf(BaseModel):
    name: str
    books: dict[str, Any]


@pytest.mark.parametrize(
    ("value", "json"),
    [
        ({"\ud83d": [1, {"b": 2}]}, {"\ud83d": [1, {"b": 2}]}),
        ([{"\ud83d": 1}, 2], [{"\ud83d": 1}, 2]),
        (Shelf(name="a", books={"b": {"\ud83d": 1}}), {"name": "a", "books": {"b": {"\ud83d": 1}}}),
        (dspy.Prediction(sky={"\ud800": 1}), {"sky": {"\ud800": 1}}),
    ],
)
def test_half_a_surrogate_pair_as_a_key_costs_nothing_else(value: Any, json: Any) -> None:
    assert to_json(value) == json
