"""What can be set, and what cannot."""

import dataclasses
from typing import Any

import pytest

from fieldstream.simulator import OptionArgs, OptionError, Options


def test_the_keyword_arguments_are_the_options() -> None:
    assert list(OptionArgs.__annotations__) == [field.name for field in dataclasses.fields(Options)]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"rate": 0}, "rate=0"),
        ({"rate": "fast"}, "rate='fast'"),
        ({"first": -1}, "positive"),
        ({"drop": -1}, "drop=-1"),
        ({"drop": True}, "drop=True"),
        ({"chunking": "words"}, "tokens, chars, whole, random"),
        ({"error": 200}, "400 to 599"),
        ({"seed": "x"}, "seed='x'"),
        ({"tools": 1}, "true or false"),
        ({"speed": 1}, "no option speed; there are rate, first"),
    ],
)
def test_a_wrong_option_is_named(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(OptionError, match=said):
        Options().updated(changes)


def test_healthy_options_have_no_fault_and_the_rest() -> None:
    options = Options(drop=3, rate=5, fault_times=1)
    assert options.faulty
    assert options.healthy() == Options(rate=5, fault_times=1)
