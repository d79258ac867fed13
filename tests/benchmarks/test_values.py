"""The ways to have a value at every chunk: they read the same answer, and end with the same value."""

import json
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from typing import Any

import pytest

from benchmarks import values, values_ways
from benchmarks.values import Report, Source, plain, written
from benchmarks.values_ways import Way
from fieldstream.events import UNSET

OURS = (values_ways.fieldstream, values_ways.fieldstream_typed, values_ways.fieldstream_run)
# Those peers that DSPy brings along. Only `make bench` installs the others; a benchmark checks their values, too.
THERE = [name for name in ("jiter", *values.PEERS) if find_spec(name.replace("-", "_"))]
KINDS = pytest.mark.parametrize("answer", [list[Source], Report], ids=["list", "nested"])


@KINDS
@pytest.mark.parametrize("size", [500, 2_000, 7_000])
def test_an_answer_is_as_long_as_it_is_said_to_be_and_fits_its_types(answer: Any, size: int) -> None:
    answered = written(answer, size)
    text = "".join(answered.pieces)
    assert len(text) == size
    assert answered.whole.model_validate_json(text)
    assert answered.signature.output_fields["answer"].annotation == answer


@KINDS
@pytest.mark.parametrize("way", OURS)
def test_ours_end_with_the_value_that_was_written(way: Way, answer: Any) -> None:
    answered = written(answer, 1_000)
    assert plain(way(answered)()) == json.loads("".join(answered.pieces))["answer"]


@KINDS
@pytest.mark.parametrize("name", THERE)
def test_others_end_with_it_too(name: str, answer: Any) -> None:
    way = values_ways.jiter if name == "jiter" else values.PEERS[name][0]
    answered = written(answer, 1_000)
    assert plain(way(answered)()) == json.loads("".join(answered.pieces))["answer"]


@KINDS
def test_at_every_chunk_there_is_what_jiter_makes_of_the_text_so_far(answer: Any) -> None:
    answered = written(answer, 1_000)
    for count in range(1, len(answered.pieces) + 1):
        begun = replace(answered, pieces=answered.pieces[:count])
        shown, others = values_ways.fieldstream(begun)(), values_ways.jiter(begun)()
        assert _is_nearly(UNSET if shown is None else shown, others)
        assert values_ways.fieldstream_run(begun)() in (shown, None if shown is UNSET else shown)


def _is_nearly(shown: Any, others: Any) -> bool:
    """Whether one has what the other has, but for what may yet turn out otherwise: spaces at a text's end, and what
    comes last in an object or a list, while it is a number, or has nothing in it.
    """
    if shown is UNSET:
        return not others
    if isinstance(shown, dict) and isinstance(others, dict):
        return _are_nearly(list(others.items()), list(shown.items()), lambda one: one[1], lambda one: one[0])
    if isinstance(shown, list) and isinstance(others, list):
        return _are_nearly(others, shown, lambda one: one, lambda _: None)
    if isinstance(shown, str) and isinstance(others, str):
        return shown.rstrip() == others.rstrip()
    return shown == others


def _are_nearly(others: list[Any], shown: list[Any], value: Callable[[Any], Any], name: Callable[[Any], Any]) -> bool:
    last = [value(each) for each in others[len(shown) :]]
    if len(last) > 1 or any(each and not isinstance(each, int | float) for each in last):
        return False
    pairs = zip(shown, others, strict=False)
    return all(name(one) == name(other) and _is_nearly(value(one), value(other)) for one, other in pairs)


def test_who_ends_with_another_value_is_not_measured() -> None:
    answered = written(list[Source], 500)
    with pytest.raises(AssertionError, match="lossy saw another value"):
        values._costs({"lossy": lambda _: list}, answered, rounds=1)
