"""P2: a streamed run does what the plain call does. Answers, retries, fallbacks, caches."""

# DSPy's signatures are made at run time, and its keyword arguments are many.
# pyright: reportArgumentType=false, reportCallIssue=false, reportAttributeAccessIssue=false
# pyright: reportIncompatibleMethodOverride=false, reportReturnType=false, reportUnnecessaryComparison=false

import json
from collections.abc import Callable
from typing import Any

import dspy
import pytest
from dspy.utils.exceptions import AdapterParseError
from tests.support.sameness import HAS_ENGINES, LITELLM_WARNS, WAYS, Seen, Way, chat, plainly, same, stream

from fieldstream.events import FieldDelta
from fieldstream.simulator import Answer, simulate

pytestmark = [pytest.mark.parametrize("way", WAYS), *LITELLM_WARNS]

# Before 3.4, a plain call's retries are those of the OpenAI client times those of LiteLLM; a broken stream has
# LiteLLM's.
IN_OTHER_WORDS: dict[str, Any] = {"wording": False} if HAS_ENGINES else {"wording": False, "asked": False}

SKY = chat(answer="Because air scatters blue light the most.")


def qa() -> dspy.Module:
    return dspy.Predict("question -> answer")


# Answers


def test_a_predictor(way: Way) -> None:
    run = same(way, qa, [SKY])
    assert len(run.texts("answer")) > 5
    assert run.resets() == []


def test_a_chain_of_thought(way: Way) -> None:
    run = same(way, lambda: dspy.ChainOfThought("question -> answer"), [chat(reasoning="Rayleigh.", answer="Air.")])
    assert [call.name for call in run.calls("predictor")] == ["predict"]


@pytest.mark.parametrize("adapter", [dspy.JSONAdapter, dspy.XMLAdapter])
def test_other_formats(way: Way, adapter: type[dspy.Adapter]) -> None:
    text = "Air <&> \"light\"\n\\ 'it' é 🙂"
    said = {
        dspy.JSONAdapter: json.dumps({"answer": text, "sources": ["a", "b"]}),
        dspy.XMLAdapter: (
            "<answer>\nAir &lt;&amp;&gt; \"light\"\n\\ 'it' é 🙂\n</answer>"
            "<sources><item>a</item><item>b</item></sources>"
        ),
    }
    run = same(
        way,
        lambda: dspy.Predict("question -> answer, sources: list[str]"),
        [said[adapter]],
        around=lambda: dspy.context(adapter=adapter()),
    )
    assert run.result.answer == text
    assert run.result.sources == ["a", "b"]


def test_values_that_are_no_texts(way: Way) -> None:
    run = same(
        way,
        lambda: dspy.Predict("question -> answer, sure: bool, score: float, sources: list[str], more: dict[str, int]"),
        [chat(answer="Air", sure="True", score="0.5", sources='["a", "b"]', more='{"k": 1}')],
    )
    assert run.result.more == {"k": 1}


def test_several_candidates(way: Way) -> None:
    run = same(
        way,
        lambda: dspy.Predict("question -> answer", n=2),
        # DSPy's own engines ask once for each, LiteLLM once for all.
        [chat(answer="One of them."), chat(answer="The other.")]
        if HAS_ENGINES
        else [Answer(choices=[chat(answer="One of them."), chat(answer="The other.")])],
    )
    assert {event.candidate for event in run.of(FieldDelta)} == {0, 1}


def test_a_megabyte_in_one_chunk(way: Way) -> None:
    text = "A sky. " * 150_000
    run = same(way, qa, [Answer(chunks=["[[ ## answer ## ]]\n", text, "\n\n[[ ## completed ## ]]"])])
    assert run.result.answer == text.strip()


def test_reasoning(way: Way) -> None:
    same(way, qa, [Answer(SKY, reasoning="First I think about it.")])


# Retries


@pytest.mark.parametrize("after", [0, 1, 3, 9])
@pytest.mark.parametrize("reset", [False, True])
def test_the_provider_drops_the_connection(way: Way, after: int, reset: bool) -> None:
    run = same(way, qa, [SKY], provider={"drop": after, "reset": reset, "fault_times": 1}, lm={"num_retries": 2})
    assert len(run.requests) == 2
    if not reset:  # A reset may overtake the text before it.
        assert run.resets() == ([("answer", "retry")] if after > 5 else [])


@pytest.mark.parametrize("status", [500, 503, 429])
def test_the_provider_fails(way: Way, status: int) -> None:
    same(way, qa, [SKY], provider={"error": status, "retry_after": 0, "fault_times": 2}, lm={"num_retries": 3})


def test_the_retries_are_used_up(way: Way) -> None:
    run = same(way, qa, [SKY], provider={"drop": 9}, lm={"num_retries": 2}, **IN_OTHER_WORDS)
    assert len(run.requests) == 3
    assert isinstance(run.error, dspy.LMError)


def test_no_retries(way: Way) -> None:
    run = same(way, qa, [SKY], provider={"drop": 9}, lm={"num_retries": 0}, wording=False)
    assert len(run.requests) == 1


@pytest.mark.parametrize("after", [0, 3, 9])
def test_the_provider_says_something_malformed(way: Way, after: int) -> None:
    run = same(way, qa, [SKY], provider={"malformed": after, "fault_times": 1}, lm={"num_retries": 2}, wording=False)
    if HAS_ENGINES:  # LiteLLM retries it.
        assert isinstance(run.error, dspy.LMProviderError)
        assert len(run.requests) == 1


@pytest.mark.parametrize("after", [0, 3, 9, 99])
def test_a_stream_that_ends_without_its_end_is_no_answer(way: Way, after: int) -> None:
    """There is no such thing in a whole answer, so that there is nothing to compare with."""
    with simulate([SKY], truncate=after, fault_times=1) as provider:
        lm = dspy.LM(provider.model, **provider.lm_kwargs, cache=False, num_retries=1)
        run = stream(way, qa(), lm)
        assert run.result.answer == "Because air scatters blue light the most."
        assert len(provider.requests) == 2
    assert run.resets() == ([("answer", "retry")] if after > 5 else [])


def test_a_stream_that_never_has_an_end_is_an_error(way: Way) -> None:
    with simulate([SKY], truncate=9) as provider:
        lm = dspy.LM(provider.model, **provider.lm_kwargs, cache=False, num_retries=1)
        run = stream(way, qa(), lm)
        assert isinstance(run.error, dspy.LMTransportError)
        assert len(provider.requests) == 2
    assert run.history == []


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_the_provider_refuses(way: Way, status: int) -> None:
    run = same(way, qa, [SKY], provider={"error": status}, lm={"num_retries": 2})
    assert len(run.requests) == (1 if HAS_ENGINES else 3)  # LiteLLM retries even that.
    assert run.ended(run.calls("lm")[0].call).error is not None


# The adapter's fallback


def test_an_answer_without_markers_falls_back_to_json(way: Way) -> None:
    run = same(way, qa, ["I do not know your format.", '{"answer": "Air."}'])
    assert len(run.requests) == 2
    assert run.result.answer == "Air."
    assert run.resets() == []


def test_what_was_shown_before_a_fallback_is_withdrawn(way: Way) -> None:
    two = lambda: dspy.Predict("question -> answer, score: float")  # noqa: E731
    run = same(way, two, [chat(answer="Shown, then wrong.", score="no number"), '{"answer": "Air.", "score": 0.5}'])
    assert ("answer", "fallback") in run.resets()


def test_no_fallback(way: Way) -> None:
    run = same(
        way,
        qa,
        ["I do not know your format.", '{"answer": "Air."}'],
        around=lambda: dspy.context(adapter=dspy.ChatAdapter(use_json_adapter_fallback=False)),
    )
    assert isinstance(run.error, AdapterParseError)
    assert len(run.requests) == 1


def test_the_fallback_fails_as_well(way: Way) -> None:
    run = same(way, qa, ["No format.", "No format either."])
    assert isinstance(run.error, AdapterParseError)


def test_an_empty_answer(way: Way) -> None:
    same(way, qa, ["", ""])


# Caching


def test_cached_answers_come_whole(way: Way) -> None:
    class Twice(dspy.Module):
        def __init__(self) -> None:
            super().__init__()
            self.predict = dspy.Predict("question -> answer")

        def forward(self, question: str) -> list[str]:
            return [self.predict(question=question).answer for _ in range(2)]

        async def aforward(self, question: str) -> list[str]:
            return [(await self.predict.acall(question=question)).answer for _ in range(2)]

    run = same(way, _fresh(Twice), [SKY], lm={"cache": True})
    assert len(run.requests) == 1
    first, second = run.calls("predictor")
    assert (first.whole, second.whole) == (None, "cached")
    assert [run.ended(call.call).cached for call in run.calls("lm")] == [False, True]
    deltas = [event for event in run.of(FieldDelta) if event.call == second.call]
    assert [delta.text for delta in deltas] == [run.result[0]]


def _fresh(program: type[dspy.Module]) -> Callable[[], dspy.Module]:
    """Each of the two calls that are compared begins with an empty cache."""

    def make() -> dspy.Module:
        dspy.cache.reset_memory_cache()
        return program()

    return make


@pytest.mark.parametrize("engine", ["auto", "litellm"])
@pytest.mark.parametrize("streamed_first", [False, True])
def test_one_cache_for_both(way: Way, streamed_first: bool, engine: str) -> None:
    if not HAS_ENGINES:
        engine = "auto"
    settings = {} if engine == "auto" else {"engine": engine}
    with simulate([SKY]) as provider:
        lm = dspy.LM(provider.model, **provider.lm_kwargs, **settings)
        seen = Seen()

        def call() -> None:
            with dspy.context(lm=lm):
                plainly(way)(qa(), {"question": "Why is the sky blue?"}, seen)

        if not streamed_first:
            call()
        run = stream(way, qa(), lm)
        if streamed_first:
            call()
        assert len(provider.requests) == 1
    assert seen.result.answer == run.result.answer
    assert run.calls("predictor")[0].whole == (None if streamed_first else "cached")
    if not streamed_first:
        assert run.texts("answer") == [run.result.answer]
        assert run.run_usage == {}
