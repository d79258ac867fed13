"""The programs of ``fieldstream demo``."""

# pyright: reportUnknownMemberType=false

from typing import Any, Literal

import dspy
from pydantic import BaseModel

import fieldstream


def reading_time(text: str) -> dict[str, Any]:
    """How many words a text has, and how long it takes to read it."""
    words = len(text.split())
    return {"words": words, "seconds": round(words / 238 * 60, 1)}


class Primer(dspy.Module):
    """Answers questions, one after the other, and makes a primer of the answers."""

    def __init__(self) -> None:
        super().__init__()  # pyright: ignore[reportUnknownMemberType]
        self.explain: Any = dspy.Predict("question: str -> answer: str")
        self.measure: Any = dspy.Tool(reading_time)
        self.compose: Any = dspy.Predict("questions: list[str], answers: list[str] -> title: str, keywords: list[str]")

    def forward(self, questions: list[str]) -> dspy.Prediction:
        """Answer the questions."""
        answers: list[str] = []
        seconds = 0.0
        for number, question in enumerate(questions, 1):
            fieldstream.emit(f"{number} of {len(questions)}: {question}", name="question")
            answers.append(self.explain(question=question).answer)
            seconds += float(self.measure(text=answers[-1])["seconds"])
        primer = self.compose(questions=questions, answers=answers)
        return dspy.Prediction(title=primer.title, keywords=primer.keywords, answers=answers, seconds=round(seconds, 1))


class Wording(fieldstream.StatusMessageProvider):
    """What the demo says of its tool."""

    def tool_start_status_message(self, instance: Any, inputs: dict[str, Any]) -> str:
        """Before the tool is called."""
        return "Measuring how long that takes to read …"

    def tool_end_status_message(self, outputs: Any) -> None:
        """After it was called."""


class Step(BaseModel):
    """A step of a recipe."""

    title: str
    minutes: int
    notes: str


class Recipe(BaseModel):
    """What is cooked, and how."""

    name: str
    difficulty: Literal["easy", "medium", "hard"]
    ingredients: list[str]
    steps: list[Step]


class Cooking(dspy.Signature):
    """Write a recipe that anyone can follow."""

    dish: str = dspy.InputField(desc="what is to be cooked")
    servings: int = dspy.InputField(desc="for how many")
    recipe: Recipe = dspy.OutputField()


def programs() -> dict[str, Any]:
    """The programs of ``fieldstream demo --serve``: a text with its sources, an agent, a structured value, and more."""
    question: Any = "question -> answer"
    return {
        "qa": dspy.ChainOfThought("question -> answer, sources: list[str]"),
        "agent": dspy.ReAct(question, tools=[reading_time]),
        "recipe": dspy.Predict(Cooking),
        "primer": fieldstream.Streamer(Primer(), status_message_provider=Wording()),
    }
