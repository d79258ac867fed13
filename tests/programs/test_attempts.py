"""Modules that try another module several times: which attempt is which, and which one was chosen."""

# DSPy's signatures are made at run time, and its keyword arguments are many.
# pyright: reportArgumentType=false, reportCallIssue=false, reportAttributeAccessIssue=false

import asyncio
import json
from typing import Any

import dspy
import pytest

import fieldstream
from fieldstream import Text
from fieldstream.simulator import simulate
from tests.programs.tree import tree
from tests.support.sameness import LITELLM_WARNS, WAYS, Streamed, Way, chat, same

pytestmark = LITELLM_WARNS

SYNC: tuple[Way, ...] = ("sync", "thread")
RED = chat(reasoning="I guess.", answer="a red sky")
BLUE = chat(reasoning="I look.", answer="a blue sky")


def blue(arguments: Any, prediction: Any) -> float:
    """All of what is asked for, some of it, or nothing."""
    return {"a blue sky": 1.0, "a green sky": 0.5}.get(prediction.answer, 0.0)


def best(count: int = 3, threshold: float = 1.0) -> dspy.Module:
    return dspy.BestOfN(dspy.ChainOfThought("question -> answer"), N=count, reward_fn=blue, threshold=threshold)


def attempts(run: Streamed) -> list[tuple[int | None, str]]:
    return [(call.attempt, call.name) for call in run.calls("module") if call.attempt is not None]


def chosen(run: Streamed) -> int | None:
    """Which attempt the program chose."""
    numbers = {call.call: call.attempt for call in run.calls("module")}
    return numbers.get(run.ended(run.calls("module")[0].call).chosen)


ATTEMPT = ["  module module", "    predictor module.predict", "      lm openai/sim"]


@pytest.mark.parametrize("way", SYNC)
def test_the_first_that_is_good_enough(way: Way) -> None:
    run = same(way, best, [RED, BLUE])
    assert tree(run.events) == ["module BestOfN", *ATTEMPT * 2]
    assert attempts(run) == [(1, "module"), (2, "module")]
    assert chosen(run) == 2


@pytest.mark.parametrize("way", SYNC)
def test_an_earlier_one(way: Way) -> None:
    run = same(way, lambda: best(threshold=2.0), [RED, BLUE, RED])
    assert [number for number, _ in attempts(run)] == [1, 2, 3]
    assert chosen(run) == 2
    assert run.result.answer == "a blue sky"


@pytest.mark.parametrize("way", SYNC)
def test_an_attempt_that_fails(way: Way) -> None:
    plain = dspy.ChatAdapter(use_json_adapter_fallback=False)
    run = same(way, best, ["no format", BLUE], around=lambda: dspy.context(adapter=plain))
    assert [number for number, _ in attempts(run)] == [1, 2]
    assert chosen(run) == 2
    assert run.ended(run.calls("module")[1].call).error is not None


@pytest.mark.parametrize("way", SYNC)
def test_all_fail(way: Way) -> None:
    plain = dspy.ChatAdapter(use_json_adapter_fallback=False)
    run = same(way, best, ["no format"] * 3, around=lambda: dspy.context(adapter=plain))
    assert run.result is None
    assert chosen(run) is None


@pytest.mark.parametrize("way", SYNC)
def test_a_predictor_itself_is_tried(way: Way) -> None:
    run = same(
        way,
        lambda: dspy.BestOfN(dspy.Predict("question -> answer"), N=2, reward_fn=blue, threshold=1.0),
        [chat(answer="a red sky"), chat(answer="a blue sky")],
    )
    assert [(call.attempt, call.name) for call in run.calls("predictor")] == [(1, "module"), (2, "module")]
    assert run.ended(run.calls("module")[0].call).chosen == run.calls("predictor")[1].call


@pytest.mark.parametrize("way", SYNC)
def test_a_judge_is_no_attempt(way: Way) -> None:
    """It has the fields of what it judges, and is another module all the same."""

    class Judged(dspy.Module):
        def __init__(self) -> None:
            super().__init__()
            self.judge = dspy.ChainOfThought("question -> answer")

            def reward(arguments: Any, prediction: Any) -> float:
                return float(self.judge(question=prediction.answer).answer == "good")

            self.best = dspy.BestOfN(dspy.ChainOfThought("question -> answer"), N=2, reward_fn=reward, threshold=1.0)

        def forward(self, question: str) -> Any:
            return self.best(question=question)

    good = chat(reasoning="I like it.", answer="good")
    run = same(way, Judged, [RED, chat(reasoning="No.", answer="bad"), BLUE, good])
    assert attempts(run) == [(1, "best.module"), (2, "best.module")]
    assert [call.name for call in run.calls("predictor")] == ["best.module.predict", "judge.predict"] * 2


@pytest.mark.parametrize("way", SYNC)
def test_best_of_bests(way: Way) -> None:
    run = same(
        way,
        lambda: dspy.BestOfN(best(2), N=2, reward_fn=lambda *arguments: 0.0, threshold=1.0),
        [RED, BLUE, RED, RED],
    )
    assert attempts(run) == [
        (1, "module"),
        (1, "module.module"),
        (2, "module.module"),
        (2, "module"),
        (1, "module.module"),
        (2, "module.module"),
    ]
    assert chosen(run) == 1
    assert run.result.answer == "a blue sky"


ADVICE = chat(discussion="It guesses.", advice=json.dumps({"predict": "Look up."}))


@pytest.mark.parametrize("way", SYNC)
def test_refine(way: Way) -> None:
    run = same(
        way,
        lambda: dspy.Refine(dspy.ChainOfThought("question -> answer"), N=3, reward_fn=blue, threshold=1.0),
        [RED, ADVICE, BLUE],
    )
    assert tree(run.events) == [
        "module Refine",
        *ATTEMPT,
        "  predictor Predict",
        "    lm openai/sim",
        *ATTEMPT,
    ]
    assert "A hint to the module from an earlier run" in json.dumps(run.requests[2])
    assert attempts(run) == [(1, "module"), (2, "module")]
    assert chosen(run) == 2
    assert run.resets() == []


@pytest.mark.parametrize("kind", [dspy.BestOfN, dspy.Refine])
def test_none_has_an_asynchronous_way(kind: Any) -> None:
    made = lambda: kind(dspy.ChainOfThought("question -> answer"), N=2, reward_fn=blue, threshold=1.0)  # noqa: E731
    run = same("async", made, [RED])
    assert isinstance(run.error, NotImplementedError | AttributeError)


@pytest.mark.parametrize("way", SYNC)
def test_in_threads(way: Way) -> None:
    """Each question's attempts are counted, and chosen from, on their own."""

    class Many(dspy.Module):
        def __init__(self) -> None:
            super().__init__()
            self.best = best(2)

        def forward(self, question: str) -> Any:
            asked = [dspy.Example(question=word).with_inputs("question") for word in question.split()]
            return [each.answer for each in self.best.batch(asked, num_threads=3, disable_progress_bar=True)]

    run = same(way, Many, lambda request: RED, ordered=False, tracked=False, question="one two three")
    made = [call for call in run.calls("module") if call.name == "best"]
    assert len(made) == 3
    for call in made:
        within = [each for each in run.calls("module") if each.parent == call.call]
        assert [each.attempt for each in within] == [1, 2]
        assert run.ended(call.call).chosen == within[0].call


# What a reader of the text has


def texts(pieces: list[Text]) -> list[tuple[str, str | None]]:
    """The text whenever it begins anew, with the reason of that."""
    found: list[tuple[str, str | None]] = []
    for piece in pieces:
        if piece.reset is not None or not found:
            found.append((str(piece), piece.reset))
        else:
            found[-1] = (found[-1][0] + piece, found[-1][1])
    return found


@pytest.mark.parametrize("way", WAYS)
def test_the_text_is_that_of_the_chosen_attempt(way: Way) -> None:
    program = best(threshold=2.0)
    with simulate([RED, BLUE, RED]) as provider:
        lm = dspy.LM(provider.model, **provider.lm_kwargs, cache=False)
        with dspy.context(lm=lm):
            if way == "sync":
                with fieldstream.stream(program, question="Which sky?") as run:
                    pieces = list(run.text("answer"))
            else:

                async def read() -> list[Text]:
                    async with fieldstream.stream(program, question="Which sky?") as run:
                        return [piece async for piece in run.text("answer")]

                pieces = asyncio.run(read())
    assert texts(pieces) == [
        ("a red sky", None),
        ("a blue sky", "rerun"),
        ("a red sky", "rerun"),
        ("a blue sky", "rerun"),
    ]
