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

from fieldstream.simulator import embeddings
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


class Hosted(dspy.Module):
    """Asks for vectors where its LM is."""

    def __init__(self, **options: Any) -> None:
        super().__init__()
        self.options = options

    def embedder(self) -> dspy.Embedder:
        address = {name: dspy.settings.lm.kwargs[name] for name in ("api_base", "api_key")}
        return dspy.Embedder("openai/text-embedding-3-small", **address, **self.options)

    def forward(self, question: str) -> Any:
        return self.embedder()([question, "sky"]).tolist()

    async def aforward(self, question: str) -> Any:
        return (await self.embedder().acall([question, "sky"])).tolist()


class Twice(Hosted):
    """Asks twice for the same."""

    def forward(self, question: str) -> Any:
        return [super(Twice, self).forward(question) for _ in range(2)]

    async def aforward(self, question: str) -> Any:
        return [await super(Twice, self).aforward(question) for _ in range(2)]


def vector(text: str, dimensions: int) -> list[float]:
    """As the provider makes it."""
    return np.frombuffer(embeddings.vector(text, dimensions), dtype="<f4").tolist()


def test_a_hosted_embedder(way: Way) -> None:
    run = same(way, lambda: Hosted(caching=False, dimensions=4), [], question="Why?")
    assert tree(run.events) == ["module Hosted", "  tool openai/text-embedding-3-small"]
    assert used(run) == [("openai/text-embedding-3-small", {"inputs": ["Why?", "sky"]}, {"shape": [2, 4]})]
    assert run.result == [vector("Why?", 4), vector("sky", 4)]
    assert [request["input"] for request in run.requests] == [["Why?", "sky"]]


def test_a_hosted_embedder_in_batches(way: Way) -> None:
    """It is one call, however often its provider is asked."""
    run = same(way, lambda: Hosted(caching=False, dimensions=4, batch_size=1), [], question="Why?")
    assert [request["input"] for request in run.requests] == [["Why?"], ["sky"]]
    assert used(run) == [("openai/text-embedding-3-small", {"inputs": ["Why?", "sky"]}, {"shape": [2, 4]})]


def test_a_hosted_embedder_that_is_cached(way: Way) -> None:
    def forgetful() -> dspy.Module:
        dspy.cache.reset_memory_cache()  # The plain call's answer is none for the streamed one.
        return Twice(dimensions=4)

    run = same(way, forgetful, [], question="Why?")
    assert len(run.requests) == 1
    assert [result for _, _, result in used(run)] == [{"shape": [2, 4]}] * 2


def test_a_hosted_embedder_that_is_refused(way: Way) -> None:
    run = same(way, lambda: Hosted(caching=False, max_retries=0), [], provider={"error": 401})
    assert type(run.error).__name__ == "AuthenticationError"
    failure = run.ended(run.calls("tool")[0].call).error
    assert failure is not None
    assert failure.kind == "AuthenticationError"


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
