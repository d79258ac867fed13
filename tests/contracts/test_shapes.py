"""What ``tap/signatures/shapes.py`` relies on."""

import inspect
from typing import Any, Literal

import dspy
import pytest
from dspy.adapters.utils import parse_value

from tests.contracts.contract import check_parameters


@pytest.mark.parametrize(
    ("text", "annotation", "value"),
    [
        ("3", int, 3),
        ("true", bool, True),
        ("blue", Literal["blue", "red"], "blue"),
        ('{"a": 1}', dict[str, int], {"a": 1}),
    ],
)
def test_a_fields_value_is_read_by_parse_value(text: str, annotation: Any, value: Any) -> None:
    check_parameters(parse_value, "value", "annotation", at="tap/signatures/shapes.py")
    assert parse_value(text, annotation) == value, "values are read otherwise: look at tap/signatures/shapes.py"
    for adapter in (dspy.ChatAdapter, dspy.JSONAdapter):
        assert "parse_value(" in inspect.getsource(inspect.unwrap(adapter.parse)), (
            f"{adapter.__name__} reads values in another way: look at tap/signatures/shapes.py"
        )
