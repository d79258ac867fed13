"""Values that fit their schema."""

import random
from typing import Annotated, Any, Literal

import pytest
from annotated_types import Ge, Gt, Le, Len, Lt, MultipleOf
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field, TypeAdapter

from fieldstream.simulator.values import invent


class Node(BaseModel):
    name: str = Field(min_length=3, max_length=8)
    kind: Literal["leaf", "branch"]
    weight: Annotated[float, Gt(0), Lt(1)]
    children: "list[Node]"
    parent: "Node | None" = None
    extra: dict[str, int]


TYPES: list[Any] = [
    str,
    int,
    float,
    bool,
    list[int],
    dict[str, float],
    tuple[int, str, bool],
    set[str],
    int | None,
    Literal["a", 2],
    Annotated[int, Ge(200), Le(203)],
    Annotated[int, Gt(5), Lt(7)],
    Annotated[float, Ge(-2), Lt(-1)],
    Annotated[int, MultipleOf(7)],
    Annotated[list[str], Len(5, 5)],
    Node,
    list[Node],
]


@pytest.mark.parametrize("type_", TYPES, ids=str)
@given(st.integers(), st.sampled_from(["score", "age", "tags", "x", "", "sources", "answer"]), st.text())
def test_a_value_fits(type_: Any, seed: int, name: str, about: str) -> None:
    adapter: TypeAdapter[Any] = TypeAdapter(type_)
    value = invent(name, adapter.json_schema(), about, random.Random(seed))
    adapter.validate_python(value, strict=False)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("sources", "https://example.org/sky-blue-tokyo/1"),
        ("author", "Ada Lovelace"),
        ("email", "ada@example.org"),
        ("city", "Tokyo"),
        ("search_query", "sky blue Tokyo"),
    ],
)
def test_a_text_sounds_like_its_name(name: str, expected: str) -> None:
    assert invent(name, {"type": "string"}, "Why is the sky blue in Tokyo?", random.Random(0)) == expected


def test_a_text_has_the_length_that_was_asked_for() -> None:
    text = invent("answer", {"type": "string"}, "Why is the sky blue?", random.Random(0), words=1000)
    assert len(text.split()) == 1000
