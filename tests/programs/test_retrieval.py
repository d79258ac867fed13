"""Embedders and retrievers are calls; and what is made of them."""

# DSPy's signatures are made at run time, and its keyword arguments are many.
# pyright: reportArgumentType=false, reportCallIssue=false, reportAttributeAccessIssue=false
# pyright: reportIncompatibleMethodOverride=false, reportReturnType=false
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from collections.abc import Generator
from types import SimpleNamespace
from typing import Any

import dspy
import numpy as np
import pytest
from dspy.retrievers import Embeddings

from tests.programs.tree import tree
from tests.support.sameness import LITELLM_WARNS, WAYS, Streamed, Way, chat, same

pytestmark = [pytest.mark.parametrize("way", WAYS), *LITELLM_WARNS]

CORPUS = ["The sky is blue.", "Grass is green and soft.", "A rose is a rose is a rose."]
SKY = chat(answer="Because of the air.")


def letters(texts: list[str]) -> Any:
    """A vector for each text: how often it has some letters."""
    return np.array([[text.count(letter) + 0.1 for letter in "skygr"] for text in texts], dtype=np.float32)


@pytest.fixture
def search() -> Generator[Embeddings]:
    search = Embeddings(CORPUS, dspy.Embedder(letters), k=2)
    yield search
    search.search_fn.close()


def used(run: Streamed) -> list[tuple[str, Any, Any]]:
    return [(call.name, call.arguments, run.ended(call.call).result) for call in run.calls("tool")]


def test_an_embedder(way: Way) -> None:
    class Embedding(dspy.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed = dspy.Embedder(letters, caching=False)

        def forward(self, question: str) -> Any:
            return self.embed([question, "sky"]).tolist()

        async def aforward(self, question: str) -> Any:
            return (await self.embed.acall([question, "sky"])).tolist()

    run = same(way, Embedding, [], question="Why?")
    assert tree(run.events) == ["module Embedding", "  tool letters"]
    assert used(run) == [("letters", {"inputs": ["Why?", "sky"]}, {"shape": [2, 5]})]


def test_an_embedder_that_fails(way: Way) -> None:
    error = RuntimeError("no model")

    def fail(texts: list[str]) -> Any:
        raise error

    class Embedding(dspy.Module):
        def forward(self, question: str) -> Any:
            return dspy.Embedder(fail, caching=False)(question)

        async def aforward(self, question: str) -> Any:
            return await dspy.Embedder(fail, caching=False).acall(question)

    run = same(way, Embedding, [])
    assert run.error is error
    failure = run.ended(run.calls("tool")[0].call).error
    assert failure is not None
    assert failure.message == "no model"


def test_a_program_that_looks_things_up(way: Way, search: Embeddings) -> None:
    class Looking(dspy.Module):
        def __init__(self) -> None:
            super().__init__()
            self.search = search
            self.answer = dspy.Predict("context, question -> answer")

        def forward(self, question: str) -> Any:
            return self.answer(context=self.search(question).passages, question=question)

        async def aforward(self, question: str) -> Any:
            return await self.answer.acall(context=self.search(question).passages, question=question)

    run = same(way, Looking, [SKY])
    assert tree(run.events) == ["module Looking", "  tool Embeddings", "  predictor answer", "    lm openai/sim"]
    [(_, arguments, result)] = used(run)
    assert arguments == {"query": "Why is the sky blue?"}
    assert result["passages"][0] == "The sky is blue."


def test_a_search_in_a_tool(way: Way, search: Embeddings) -> None:
    def look_up(topic: str) -> str:
        """Look it up."""
        return search(topic).passages[0]

    run = same(
        way,
        lambda: dspy.ReAct("question -> answer", tools=[look_up], max_iters=1),
        [
            chat(next_thought="Look.", next_tool_name="look_up", next_tool_args='{"topic": "sky"}'),
            chat(reasoning="I read it.", answer="Blue."),
        ],
    )
    assert tree(run.events)[3:5] == ["  tool look_up", "    tool Embeddings"]


class Retrieving(dspy.Module):
    def __init__(self) -> None:
        super().__init__()
        self.retrieve = dspy.Retrieve(k=2)

    def forward(self, question: str) -> Any:
        return self.retrieve(question).passages

    async def aforward(self, question: str) -> Any:
        return self.forward(question)


def test_dspys_retrieve(way: Way) -> None:
    def rm(query: str, k: int) -> list[Any]:
        return [SimpleNamespace(long_text=text) for text in CORPUS[:k]]

    run = same(way, Retrieving, [], around=lambda: dspy.context(rm=rm))
    assert tree(run.events) == ["module Retrieving", "  tool Retrieve"]
    assert used(run) == [("Retrieve", {"query": "Why is the sky blue?"}, {"passages": CORPUS[:2]})]


def test_dspys_retrieve_without_anything_to_ask(way: Way) -> None:
    run = same(way, Retrieving, [])
    assert isinstance(run.error, AssertionError)
    assert run.ended(run.calls("tool")[0].call).error is not None


def train() -> list[dspy.Example]:
    return [
        dspy.Example(question=question, answer=answer).with_inputs("question")
        for question, answer in (("Why sky?", "Air."), ("Why grass?", "Chlorophyll."), ("Why roses?", "Because."))
    ]


def test_nearest_neighbours(way: Way) -> None:
    class Near(dspy.Module):
        def __init__(self) -> None:
            super().__init__()
            self.near = dspy.KNN(k=1, trainset=train(), vectorizer=dspy.Embedder(letters))
            self.answer = dspy.Predict("question -> answer")

        def forward(self, question: str) -> Any:
            return self.answer(question=question, demos=self.near(question=question))

        async def aforward(self, question: str) -> Any:
            return await self.answer.acall(question=question, demos=self.near(question=question))

    run = same(way, Near, [SKY], question="Why, sky?")
    assert tree(run.events) == ["module Near", "  tool letters", "  predictor answer", "    lm openai/sim"]
    assert "Air." in str(run.requests[0]["messages"])


def test_few_shots_from_the_nearest(way: Way) -> None:
    """DSPy compiles the program anew for each question: its copies, which do that, have its names."""

    def compiled() -> dspy.Module:
        few = dspy.KNNFewShot(k=1, trainset=train(), vectorizer=dspy.Embedder(letters))
        return few.compile(dspy.ChainOfThought("question -> answer"))

    said = [chat(reasoning="It scatters.", answer="Air."), chat(reasoning="As before.", answer="Air, too.")]
    run = same(way, compiled, said, question="Why, sky?", tracked=False)
    if way == "async":  # The compiled way is the synchronous one alone.
        assert [call.name for call in run.calls("predictor")] == ["predict"]
        return
    assert run.result.answer == "Air, too."
    assert {call.name for call in run.calls("predictor")} == {"predict"}
    assert {call.name for call in run.calls("module")} == {"ChainOfThought"}
    assert [call.name for call in run.calls("tool")] == ["letters"]
