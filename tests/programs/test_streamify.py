"""Programs of several kinds by DSPy's streaming interface: the text that comes, and the prediction in the end."""

# DSPy's signatures are made at run time, and its keyword arguments are many.
# pyright: reportArgumentType=false, reportCallIssue=false, reportAttributeAccessIssue=false

import asyncio
from collections.abc import Callable
from typing import Any

import dspy
import pytest

from fieldstream import StatusMessage, StreamListener, streamify
from fieldstream.simulator import Answer, ChatRequest, simulate
from fieldstream.tap import to_json
from tests.programs.test_agents import step, weather
from tests.streamify.helpers import check_ends, gather, responses, text
from tests.support.sameness import LITELLM_WARNS, chat

pytestmark = LITELLM_WARNS

Answers = list[Answer | str] | Callable[[ChatRequest], str]

BLUE = chat(reasoning="It scatters.", answer="Blue, as the sky.")
RED = chat(reasoning="I guess.", answer="Red, as roses.")


def both(program: Callable[[], Any], answers: Answers, *fields: str, **inputs: Any) -> tuple[Any, list[Any]]:
    """What the plain call returns, and all that the streamed one yields."""
    inputs = inputs or {"question": "Why is the sky blue?"}

    def within(call: Callable[[Any], Any]) -> Any:
        with simulate(answers if callable(answers) else list(answers)) as provider:
            lm = dspy.LM(provider.model, **provider.lm_kwargs, cache=False, num_retries=0)
            with dspy.context(lm=lm):
                return call(program())

    def streamed(made: Any) -> list[Any]:
        listeners = [StreamListener(field, allow_reuse=True) for field in fields]
        wrapped = streamify(made, stream_listeners=listeners, is_async_program=False)
        return asyncio.run(gather(wrapped(**inputs)))

    plain = within(lambda made: made(**inputs))
    values = within(streamed)
    assert to_json(values[-1]) == to_json(plain)
    assert type(values[-1]) is type(plain)
    check_ends(values)
    return plain, values


def test_react() -> None:
    answers: Answers = [
        step("Look.", "weather", '{"place": {"city": "Paris"}, "days": 2}'),
        step("Done.", "finish"),
        chat(reasoning="I looked.", answer="Sunny, for two days."),
    ]
    plain, values = both(lambda: dspy.ReAct("question -> answer", tools=[weather]), answers, "next_thought", "answer")
    assert text(values, "answer") == plain.answer
    assert text(values, "next_thought") == "Look.Done."
    assert len(responses(values, "answer")) > 2
    assert [value.message for value in values if isinstance(value, StatusMessage)] == [
        "Calling tool weather...",
        "Tool calling finished! Querying the LLM with tool calling results...",
    ]


def test_best_of_n() -> None:
    """Each attempt is shown; the program's own choice is what it returns."""

    def blue(arguments: Any, prediction: Any) -> float:
        return float(prediction.answer.startswith("Blue"))

    plain, values = both(
        lambda: dspy.BestOfN(dspy.ChainOfThought("question -> answer"), N=3, reward_fn=blue, threshold=1.0),
        [RED, BLUE],
        "answer",
    )
    assert plain.answer == "Blue, as the sky."
    calls = {response.call_id for response in responses(values, "answer")}
    attempts = [[value for value in responses(values, "answer") if value.call_id == call] for call in calls]
    assert sorted(text(attempt) for attempt in attempts) == ["Blue, as the sky.", "Red, as roses."]


def word_of(request: ChatRequest) -> str:
    return next(word for word in ("one", "two", "three") if f"\n{word}\n" in request.text("user"))


def test_parallel() -> None:
    class Many(dspy.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cot = dspy.ChainOfThought("question -> answer")

        def forward(self, question: str) -> Any:
            asked = [(self.cot, {"question": word}) for word in question.split()]
            parallel = dspy.Parallel(num_threads=3, disable_progress_bar=True)
            return dspy.Prediction(answers=[each.answer for each in parallel(asked)])

    plain, values = both(
        Many,
        lambda request: chat(reasoning="I count.", answer=f"It is {word_of(request)}."),
        "answer",
        question="one two three",
    )
    assert plain.answers == ["It is one.", "It is two.", "It is three."]
    calls = {response.call_id for response in responses(values, "answer")}
    said = [text([value for value in responses(values, "answer") if value.call_id == call]) for call in calls]
    assert sorted(said) == sorted(plain.answers)


def test_modules_in_modules() -> None:
    class Inner(dspy.Module):
        def __init__(self) -> None:
            super().__init__()
            self.steps = [dspy.Predict("question -> draft"), dspy.ChainOfThought("draft -> answer")]

        def forward(self, question: str) -> Any:
            return self.steps[1](draft=self.steps[0](question=question).draft)

    class Outer(dspy.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = Inner()
            self.score = dspy.Predict("answer -> score: int, words: list[str]")

        def forward(self, question: str) -> Any:
            answer = self.inner(question=question).answer
            scored = self.score(answer=answer)
            return dspy.Prediction(answer=answer, score=scored.score, words=scored.words)

    answers: Answers = [chat(draft="Blue?"), BLUE, chat(score="7", words='["blue", "sky"]')]
    plain, values = both(Outer, answers, "draft", "answer", "score", "words")
    assert (plain.score, plain.words) == (7, ["blue", "sky"])
    assert text(values, "draft") == "Blue?"
    assert {response.predict_name for response in responses(values, "draft")} == {"inner.steps[0]"}
    predictors = {response.predict_name for response in responses(values, "words")}
    assert predictors == {"score"}
    assert text(values, "score") == "7"
    assert text(values, "words") == '["blue", "sky"]'


@pytest.mark.parametrize("count", [1, 3])
def test_one_predictor_several_times(count: int) -> None:
    class Again(dspy.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cot = dspy.ChainOfThought("question -> answer")

        def forward(self, question: str) -> Any:
            return [self.cot(question=question).answer for _ in range(count)]

    plain, values = both(Again, [BLUE] * count, "answer")
    assert text(values, "answer") == "".join(plain)
    assert len({response.call_id for response in responses(values, "answer")}) == count


def test_a_function() -> None:
    cot = dspy.ChainOfThought("question -> answer")

    def ask(question: str) -> str:
        return cot(question=question).answer.upper()

    plain, values = both(lambda: ask, [BLUE])
    assert plain == "BLUE, AS THE SKY."
    assert values[-1] == plain
