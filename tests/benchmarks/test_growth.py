"""What a further chunk of a long answer costs, against that of a short one."""

import asyncio
from typing import Any

import dspy
import pytest

from benchmarks import growth
from benchmarks.contenders import TEXT, Watch, contender, events_async
from benchmarks.growth import Called, calls_async, paced_values_async
from benchmarks.plan import Plan
from benchmarks.provider import answer, field_value, model, provider


def test_what_each_run_costs_is_no_chunks_cost() -> None:
    costs = {"long": [64.5, 130.0], "short": [1.5, 3.0], "empty": [0.5, 1.0]}
    pieces = {"long": 64_010, "short": 1_010, "empty": 10}
    assert growth._further(costs, "long", pieces) == pytest.approx([1e-3, 129 / 64_000])
    assert growth._further(costs, "short", pieces) == pytest.approx([1e-3, 2e-3])


@pytest.mark.parametrize(
    ("name", "watch", "signature"),
    [(model("chat", "text", 100), events_async, TEXT), (model("tool", "text", 100), calls_async, Called)],
    ids=["text", "tool"],
)
def test_the_chunks_of_an_answer_are_counted_as_they_are_sent(name: str, watch: Watch, signature: Any) -> None:
    adapter = dspy.ChatAdapter(use_native_function_calling=True)
    with provider() as one, dspy.context(adapter=adapter), asyncio.Runner() as runner:
        contender(runner, watch, Plan(provider=one).lm(name), signature)()
        sent = one.achieved().chunks
    assert sent - growth._pieces(name) == (1 if signature is Called else 0)  # a call's name is a chunk of its own


def test_the_arguments_of_the_tool_call_are_seen_piece_by_piece() -> None:
    name = model("tool", "text", 100)
    adapter = dspy.ChatAdapter(use_native_function_calling=True)
    with provider() as one, dspy.context(adapter=adapter), asyncio.Runner() as runner:
        seen = contender(runner, calls_async, Plan(provider=one).lm(name), Called)()
    assert seen.value == answer(name).tool_calls[0].arguments_text
    assert seen.pieces > 50


def test_a_paced_reader_ends_with_the_value() -> None:
    name = model("json", "models", 100)
    with provider() as one, dspy.context(adapter=dspy.JSONAdapter()), asyncio.Runner() as runner:
        seen = contender(runner, paced_values_async, Plan(provider=one).lm(name), growth.Listed)()
    assert seen.value == field_value("models", 100)
