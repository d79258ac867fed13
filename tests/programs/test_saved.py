"""Programs that were compiled, and that come from a file."""

# DSPy's signatures are made at run time, and its keyword arguments are many.
# pyright: reportArgumentType=false, reportCallIssue=false, reportAttributeAccessIssue=false
# pyright: reportIncompatibleMethodOverride=false, reportReturnType=false
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

import json
from collections.abc import Callable
from inspect import signature
from pathlib import Path
from typing import Any

import dspy
import pytest

from tests.programs.tree import tree
from tests.support.sameness import LITELLM_WARNS, WAYS, Way, chat, same

pytestmark = [pytest.mark.parametrize("way", WAYS), *LITELLM_WARNS]


class Program(dspy.Module):
    def __init__(self) -> None:
        super().__init__()
        self.draft = dspy.ChainOfThought("question -> answer")
        self.polish = [dspy.Predict("answer -> answer_in_verse")]

    def forward(self, question: str) -> Any:
        return self.polish[0](answer=self.draft(question=question).answer)

    async def aforward(self, question: str) -> Any:
        return await self.polish[0].acall(answer=(await self.draft.acall(question=question)).answer)


EXAMPLES = [dspy.Example(question="Why grass?", answer="Chlorophyll.").with_inputs("question")]
SAID = [chat(reasoning="It scatters.", answer="Air."), chat(answer_in_verse="The air, up there.")]
TREE = [
    "module Program",
    "  module draft",
    "    predictor draft.predict",
    "      lm openai/sim",
    "  predictor polish[0]",
    "    lm openai/sim",
]


def compiled() -> dspy.Module:
    return dspy.LabeledFewShot(k=1).compile(Program(), trainset=EXAMPLES)


def from_state(path: Path) -> dspy.Module:
    file = str(path / "state.json")
    compiled().save(file)
    program = Program()
    program.load(file)
    return program


def from_whole(path: Path) -> dspy.Module:
    compiled().save(str(path / "program"), save_program=True)
    trust = {"allow_pickle": True} if "allow_pickle" in signature(dspy.load).parameters else {}
    return dspy.load(str(path / "program"), **trust)


@pytest.mark.parametrize("make", [lambda path: compiled(), from_state, from_whole], ids=["compiled", "state", "whole"])
def test_a_compiled_program(way: Way, make: Callable[[Path], dspy.Module], tmp_path: Path) -> None:
    run = same(way, lambda: make(tmp_path), SAID)
    assert tree(run.events) == TREE
    assert "Chlorophyll." in json.dumps(run.requests[0])
    assert run.result.answer_in_verse == "The air, up there."


def test_a_program_that_is_frozen_within_another(way: Way) -> None:
    """``named_predictors()`` leaves out what is compiled; here it has its names all the same."""

    class Outer(dspy.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = compiled()

        def forward(self, question: str) -> Any:
            return self.inner(question=question)

        async def aforward(self, question: str) -> Any:
            return await self.inner.acall(question=question)

    run = same(way, Outer, SAID)
    assert [call.name for call in run.calls("predictor")] == ["inner.draft.predict", "inner.polish[0]"]


def test_an_ensemble(way: Way) -> None:
    """DSPy makes a module of several, in a list."""

    def made() -> dspy.Module:
        return dspy.Ensemble(reduce_fn=lambda outputs: outputs[-1]).compile([Program(), Program()])

    run = same(way, made, [*SAID, *SAID])
    if way == "async":
        assert isinstance(run.error, AttributeError), "it has no aforward"
        return
    names = [call.name for call in run.calls("predictor")]
    assert names == [f"programs[{each}].{name}" for each in (0, 1) for name in ("draft.predict", "polish[0]")]


def test_bootstrapping_within_a_program(way: Way) -> None:
    """An optimizer at work in a run: its copies have the names of what they copy."""

    class Learning(dspy.Module):
        def __init__(self) -> None:
            super().__init__()
            self.student = dspy.ChainOfThought("question -> answer")

        def forward(self, question: str) -> Any:
            teacher = dspy.BootstrapFewShot(metric=lambda *_: True, max_bootstrapped_demos=1, max_rounds=1)
            learned = teacher.compile(self.student, trainset=EXAMPLES)
            return learned(question=question)

        async def aforward(self, question: str) -> Any:
            return self.forward(question)

    thought = chat(reasoning="It scatters.", answer="Air.")
    run = same(way, Learning, [thought, thought], tracked=False)
    assert [call.name for call in run.calls("predictor")] == ["student.predict"] * 2
