"""Types as prompts write them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldstream.simulator.annotations import from_baml, from_python

INT, STR = {"type": "integer"}, {"type": "string"}


@pytest.mark.parametrize(
    ("text", "schema"),
    [
        ("int", INT),
        ("list[str]", {"type": "array", "items": STR}),
        ("dict[str, list[int]]", {"type": "object", "additionalProperties": {"type": "array", "items": INT}}),
        ("Literal['a', 'b, c]', 3, True]", {"enum": ["a", "b, c]", 3, True]}),
        ("Union[int, NoneType]", {"anyOf": [INT, {"type": "null"}]}),
        ("Optional[int]", {"anyOf": [INT, {"type": "null"}]}),
        ("tuple[int, str]", {"type": "array", "prefixItems": [INT, STR], "minItems": 2, "maxItems": 2}),
        ("list[Person]", {"type": "array", "items": {}}),
        ("Person", {}),
        ("list[", {}),
        ("", {}),
    ],
)
def test_python_annotations(text: str, schema: dict[str, Any]) -> None:
    assert from_python(text) == schema


@pytest.mark.parametrize(
    ("text", "schema"),
    [
        ("string[]", {"type": "array", "items": STR}),
        ("int or null", {"anyOf": [INT, {"type": "null"}]}),
        ('"a" or "b c" or 3 or true', {"enum": ["a", "b c", 3, True]}),
        ("dict[string, int]", {"type": "object", "additionalProperties": INT}),
        (
            "[\n  {\n    # who: it is\n    name: string,\n    tags: string[],\n  }\n]",
            {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {"name": STR, "tags": {"type": "array", "items": STR}},
                    "required": ["name", "tags"],
                },
            },
        ),
        ("Colour", {}),
        ("{ name: ", {}),
    ],
)
def test_baml_types(text: str, schema: dict[str, Any]) -> None:
    assert from_baml(text) == schema


@given(st.text("list[dict, int]{}:'\"or 3\n#Literal."))
def test_what_cannot_be_read_is_anything(text: str) -> None:
    assert isinstance(from_python(text), dict)
    assert isinstance(from_baml(text), dict)
