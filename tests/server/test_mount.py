"""A program as clients see it: its main input and output, what of it is reasoning, what it is for."""

# pyright: reportArgumentType=false

from typing import Any

import dspy
import pytest

from fieldstream import Streamer, UnknownFieldError
from fieldstream.server import Expose, Mount
from fieldstream.wire.view import FieldPath


class Chat(dspy.Signature):
    """Talk to somebody.

    At length.
    """

    history: dspy.History = dspy.InputField()
    question: str = dspy.InputField(desc="What is asked.")
    tone: str | None = dspy.InputField(default=None)
    answer: str = dspy.OutputField()
    mood: int = dspy.OutputField()


class TwoSteps(dspy.Module):
    """Plans, and then answers."""

    def __init__(self) -> None:
        super().__init__()
        self.plan = dspy.ChainOfThought("question -> plan, score: float")
        self.write = dspy.ChainOfThought("question, plan -> sources: list[str], answer, title")

    def forward(self, question: str) -> Any:
        plan = self.plan(question=question)
        return self.write(question=question, plan=plan.plan)


def mounted(program: Any, **options: Any) -> Mount:
    return Mount(program, **options).named("p")


def test_a_program_says_what_it_takes_and_gives() -> None:
    mount = mounted(dspy.Predict(Chat))
    described = mount.described()
    assert described["description"] == "Talk to somebody."
    assert list(described["inputs"]["properties"]) == ["history", "question", "tone"]
    assert described["inputs"]["required"] == ["history", "question"]
    assert list(described["outputs"]["properties"]) == ["answer", "mood"]
    assert mount.history == "history"
    assert mount.texts == ["question", "tone"]
    # Of two texts none is the main one, unless that is said.
    assert mount.input is None
    assert mounted(dspy.Predict(Chat), input="question").described()["input"] == "question"


def test_its_only_text_is_its_main_input() -> None:
    assert mounted(dspy.Predict("question, n: int -> answer")).input == "question"
    assert mounted(dspy.Predict("n: int -> answer")).input is None


def test_the_last_predictors_first_text_is_what_it_says() -> None:
    mount = mounted(TwoSteps())
    assert mount.output == FieldPath("write.predict", "answer")
    assert mount.description == "Plans, and then answers."
    view = mount.view("run-1")
    assert (view.run, view.program, view.output) == ("run-1", "p", mount.output)
    assert view.reasoning == {FieldPath("plan.predict", "reasoning"), FieldPath("write.predict", "reasoning")}
    assert mounted(dspy.Predict("question -> n: int")).output == FieldPath("self", "n")


def test_another_output_can_be_chosen_if_clients_may_see_it() -> None:
    assert mounted(TwoSteps(), output="title").output == FieldPath("write.predict", "title")
    assert mounted(TwoSteps(), output="plan", expose=Expose(fields=["plan"])).output == FieldPath(
        "plan.predict", "plan"
    )
    mount = mounted(TwoSteps())
    assert mount.with_output("sources").output == FieldPath("write.predict", "sources")
    assert mount.output == FieldPath("write.predict", "answer"), "the mount itself stays as it is"
    with pytest.raises(UnknownFieldError, match="may not see"):
        mount.with_output("plan")
    with pytest.raises(UnknownFieldError, match=r"write\.predict/answer"):
        mounted(TwoSteps(), output="reply")


def test_outputs_are_those_that_clients_see() -> None:
    def outputs(**expose: Any) -> set[str]:
        return set(mounted(TwoSteps(), expose=Expose(**expose)).described()["outputs"]["properties"])

    assert outputs() == {"sources", "answer", "title"}
    assert outputs(fields=["plan.predict/plan"]) == {"plan"}


def test_an_input_that_is_not_there_cannot_be_the_main_one() -> None:
    with pytest.raises(ValueError, match="it has: question"):
        Mount(dspy.Predict("question -> answer"), input="query")

    def anything(**inputs: str) -> str:
        return str(inputs)

    assert mounted(anything, input="query").input == "query"


def test_a_streamers_options_are_kept() -> None:
    watch = Streamer(dspy.Predict("question -> answer"), lm_text=True)
    assert mounted(watch).watch is watch
    assert mounted(watch).program is watch.program


def test_a_function_tells_what_it_can() -> None:
    async def add(a: int, b: int = 2, *rest: int, flag: bool = False) -> int:
        """Add up.

        Well.
        """
        return a + b

    described = mounted(add).described()
    assert described["description"] == "Add up."
    assert list(described["inputs"]["properties"]) == ["a", "b", "flag"]
    assert described["inputs"]["required"] == ["a"]
    assert described["outputs"]["properties"] == {}
    assert described["output"] is None


def test_a_description_is_dspys_own_only_where_an_author_gave_it() -> None:
    assert mounted(dspy.Predict("question -> answer"), description="").description == ""
    assert "Given the fields" not in mounted(dspy.Predict("question -> answer")).description
