"""The programs of ``fieldstream demo``."""

from typing import Any

import dspy

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
