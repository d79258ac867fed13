"""Predictors: what they take, what they give, and where a program keeps them."""

# DSPy's signatures are made at run time, and its keyword arguments are many.
# pyright: reportArgumentType=false, reportCallIssue=false, reportAttributeAccessIssue=false
# pyright: reportIncompatibleMethodOverride=false, reportReturnType=false, reportInvalidTypeForm=false

import json
from collections.abc import Callable
from typing import Any

import dspy
import pytest

from fieldstream.events import CallStarted
from fieldstream.simulator import Answer, ChatRequest
from tests.programs.tree import tree
from tests.support.sameness import HAS_ENGINES, LITELLM_WARNS, WAYS, Way, chat, same

pytestmark = [pytest.mark.parametrize("way", WAYS), *LITELLM_WARNS]

ONE = chat(answer="The first of them.")
TWO = chat(reasoning="Because it follows.", answer="The second of them.")


def texts(*answers: str) -> list[Answer | str]:
    """Several candidates: DSPy's own engines ask once for each, LiteLLM once for all."""
    return list(answers) if HAS_ENGINES else [Answer(choices=answers)]


# Outputs


def test_a_majority(way: Way) -> None:
    class Voting(dspy.Module):
        def __init__(self) -> None:
            super().__init__()
            self.vote = dspy.Predict("question -> answer", n=3)

        def forward(self, question: str) -> Any:
            return dspy.majority(self.vote(question=question))

        async def aforward(self, question: str) -> Any:
            return dspy.majority(await self.vote.acall(question=question))

    run = same(way, Voting, texts(ONE, chat(answer="Another."), ONE))
    assert run.result.answer == "The first of them."
    assert tree(run.events) == ["module Voting", "  predictor vote", "    lm openai/sim"]


def test_candidates_of_a_chain_of_thought(way: Way) -> None:
    run = same(
        way,
        lambda: dspy.ChainOfThought("question -> answer, n: int", n=2),
        texts(chat(reasoning="a", answer="b", n="1"), chat(reasoning="c", answer="d", n="2")),
    )
    assert run.result.completions.n == [1, 2]


PYTHON: Any = dspy.Code["python"]


class Rich(dspy.Signature):
    """Look at the picture."""

    question: str = dspy.InputField()
    history: dspy.History = dspy.InputField()
    picture: dspy.Image = dspy.InputField()
    snippet: PYTHON = dspy.InputField()
    thoughts: dspy.Reasoning = dspy.OutputField()
    code: PYTHON = dspy.OutputField()
    answer: str = dspy.OutputField()


def test_dspys_own_types(way: Way) -> None:
    run = same(
        way,
        lambda: dspy.Predict(Rich),
        [chat(thoughts="It is blue.", code="```python\nprint(1)\n```", answer="Yes.")],
        question="Is it blue?",
        history=dspy.History(messages=[{"question": "Is it red?", "answer": "No."}]),
        picture=dspy.Image(url="data:image/png;base64,iVBORw0KGgo="),
        snippet=PYTHON(code="print(0)"),
    )
    assert run.result.code.code == "print(1)"
    assert "".join(run.texts("thoughts")) == "It is blue."


def test_a_signature_of_the_call(way: Way) -> None:
    class Changing(dspy.Module):
        def __init__(self) -> None:
            super().__init__()
            self.predict = dspy.Predict("question -> answer")

        def forward(self, question: str) -> Any:
            return self.predict(question=question, signature="question -> colour, shades: list[str]")

        async def aforward(self, question: str) -> Any:
            return await self.predict.acall(question=question, signature="question -> colour, shades: list[str]")

    run = same(way, Changing, [chat(colour="Blue", shades='["navy", "sky"]')])
    assert run.ended(run.calls("predictor")[0].call).fields == {"colour": "Blue", "shades": ["navy", "sky"]}
    assert run.resets() == []


def test_a_signature_of_the_call_that_is_none(way: Way) -> None:
    class Changing(dspy.Module):
        def __init__(self) -> None:
            super().__init__()
            self.predict = dspy.Predict("question -> answer")

        def forward(self, question: str) -> Any:
            return self.predict(question=question, signature="no signature")

        async def aforward(self, question: str) -> Any:
            return await self.predict.acall(question=question, signature="no signature")

    run = same(way, Changing, [])
    assert isinstance(run.error, ValueError)
    assert tree(run.events) == ["module Changing", "  predictor predict"]


# Where a program has them


class Shelves(dspy.Module):
    """Predictors in a list, in a dict, below another module; one of them in two places."""

    def __init__(self) -> None:
        super().__init__()
        self.steps = [dspy.Predict("question -> answer"), dspy.ChainOfThought("question -> answer")]
        self.table = {"a": dspy.Predict("question -> answer"), "b": self.steps[0]}

    def forward(self, question: str) -> Any:
        return [part(question=question).answer for part in (*self.steps, *self.table.values())]

    async def aforward(self, question: str) -> Any:
        return [(await part.acall(question=question)).answer for part in (*self.steps, *self.table.values())]


SHELVES = [
    "module Shelves",
    "  predictor steps[0]",
    "    lm openai/sim",
    "  module steps[1]",
    "    predictor steps[1].predict",
    "      lm openai/sim",
    "  predictor table['a']",
    "    lm openai/sim",
    "  predictor steps[0]",
    "    lm openai/sim",
]


def names_as_dspys(program: dspy.Module, events: Any) -> bool:
    called = {event.name for event in events if isinstance(event, CallStarted) and event.kind == "predictor"}
    return called == {name for name, _ in program.named_predictors()}


def test_lists_and_dicts(way: Way) -> None:
    run = same(way, Shelves, [ONE, TWO, ONE, ONE])
    assert tree(run.events) == SHELVES
    assert names_as_dspys(Shelves(), run.events)


def test_a_program_in_a_program(way: Way) -> None:
    class Outer(dspy.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = Shelves()
            self.last = dspy.ChainOfThought("answers -> answer")

        def forward(self, question: str) -> Any:
            return self.last(answers=self.inner(question=question))

        async def aforward(self, question: str) -> Any:
            return await self.last.acall(answers=await self.inner.acall(question=question))

    run = same(way, Outer, [ONE, TWO, ONE, ONE, TWO])
    assert names_as_dspys(Outer(), run.events)
    assert len({event.call for event in run.of(CallStarted)}) == len(run.of(CallStarted))


def test_an_lm_for_each_predictor(way: Way) -> None:
    class Two(dspy.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one = dspy.Predict("question -> answer")
            self.other = dspy.Predict("question -> answer")

        def prepare(self) -> None:
            """As a program's author does, but for a provider that has no address before."""
            lm: Any = dspy.settings.lm
            self.one.set_lm(lm.copy(model="openai/small", temperature=0.5))
            self.other.set_lm(lm.copy(model="openai/large"))

        def forward(self, question: str) -> Any:
            self.prepare()
            return [self.one(question=question).answer, self.other(question=question).answer]

        async def aforward(self, question: str) -> Any:
            self.prepare()
            one = await self.one.acall(question=question)
            return [one.answer, (await self.other.acall(question=question)).answer]

    run = same(way, Two, [ONE, chat(answer="Large.")])
    assert [request["model"] for request in run.requests] == ["small", "large"]
    assert tree(run.events)[1:] == [
        "  predictor one",
        "    lm openai/small",
        "  predictor other",
        "    lm openai/large",
    ]
    assert set(run.run_usage) == {"openai/small", "openai/large"}


def test_an_adapter_for_each_call(way: Way) -> None:
    adapters: list[Callable[[], dspy.Adapter]] = [dspy.ChatAdapter, dspy.JSONAdapter, dspy.XMLAdapter]

    class Each(dspy.Module):
        def __init__(self) -> None:
            super().__init__()
            self.predict = dspy.Predict("question -> answer")

        def forward(self, question: str) -> Any:
            answers: list[str] = []
            for adapter in adapters:
                with dspy.context(adapter=adapter()):
                    answers.append(self.predict(question=question).answer)
            return answers

        async def aforward(self, question: str) -> Any:
            answers: list[str] = []
            for adapter in adapters:
                with dspy.context(adapter=adapter()):
                    answers.append((await self.predict.acall(question=question)).answer)
            return answers

    said = ["The first of them.", "The second of them.", "The third of them."]
    run = same(way, Each, [chat(answer=said[0]), json.dumps({"answer": said[1]}), f"<answer>\n{said[2]}\n</answer>"])
    assert run.result == said
    assert [call.whole for call in run.calls("predictor")] == [None] * 3
    assert run.resets() == []


def test_a_function(way: Way) -> None:
    """Its modules have no path but what they are."""
    cot = dspy.ChainOfThought("question -> answer")

    def plain(question: str) -> str:
        return dspy.Predict("question -> answer")(question=cot(question=question).answer).answer

    async def coroutine(question: str) -> str:
        first = await cot.acall(question=question)
        return (await dspy.Predict("question -> answer").acall(question=first.answer)).answer

    run = same(way, lambda: coroutine if way == "async" else plain, [TWO, ONE])
    assert run.result == "The first of them."
    assert tree(run.events) == [
        "module ChainOfThought",
        "  predictor ChainOfThought.predict",
        "    lm openai/sim",
        "predictor Predict",
        "  lm openai/sim",
    ]


def test_a_predictor_made_on_the_way_is_no_other_one(way: Way) -> None:
    class Making(dspy.Module):
        def __init__(self) -> None:
            super().__init__()
            self.predict = dspy.Predict("question -> answer")

        def forward(self, question: str) -> Any:
            return dspy.Predict("question -> answer")(question=question)

        async def aforward(self, question: str) -> Any:
            return await dspy.Predict("question -> answer").acall(question=question)

    run = same(way, Making, [ONE])
    assert tree(run.events) == ["module Making", "  predictor Predict", "    lm openai/sim"]


# Comparisons


@pytest.mark.filterwarnings("ignore:The 'prefix' argument:DeprecationWarning")
def test_a_comparison_of_chains(way: Way) -> None:
    run = same(
        way,
        lambda: dspy.MultiChainComparison("question -> answer", M=2),
        [chat(rationale="Both say blue.", answer="Blue.")],
        question="Which colour?",
        completions=[{"reasoning": "It scatters.", "answer": "blue"}, {"reasoning": "I look up.", "answer": "azure"}],
    )
    if way == "async":
        assert isinstance(run.error, AttributeError), "it has no aforward"
        return
    assert tree(run.events) == ["module MultiChainComparison", "  predictor predict", "    lm openai/sim"]
    assert "".join(run.texts("rationale")) == "Both say blue."


def test_a_batch_of_nested_programs(way: Way) -> None:
    if way == "async":  # `batch` is synchronous; in the loop's thread it would block that.
        way = "thread"

    class Batch(dspy.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cot = dspy.ChainOfThought("question -> answer")

        def forward(self, question: str) -> Any:
            asked = [dspy.Example(question=word).with_inputs("question") for word in question.split()]
            return [each.answer for each in self.cot.batch(asked, num_threads=2, disable_progress_bar=True)]

    def echo(request: ChatRequest) -> str:
        word = next(word for word in ("one", "two", "three") if f"\n{word}\n" in request.text("user"))
        return chat(reasoning=f"I was asked {word}.", answer=word.upper())

    run = same(way, Batch, echo, ordered=False, tracked=False, question="one two three")
    assert run.result == ["ONE", "TWO", "THREE"]
    assert [call.name for call in run.calls("predictor")] == ["cot.predict"] * 3
