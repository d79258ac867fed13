"""A program that says something of its own, with `fieldstream.emit`. Called plainly, it works the same, silently."""

import dspy

import fieldstream
from fieldstream.events import Custom


class Survey(dspy.Module):
    """Answers several questions, one after the other."""

    def __init__(self) -> None:
        super().__init__()
        self.answer = dspy.Predict("question -> answer")

    def forward(self, topic: str) -> dspy.Prediction:
        questions = [f"What is {topic}?", f"Who needs {topic}?", f"What does {topic} cost?"]
        answers: list[str] = []
        for number, question in enumerate(questions, start=1):
            fieldstream.emit({"question": question, "number": number, "of": len(questions)}, name="progress")
            answers.append(self.answer(question=question).answer)
        return dspy.Prediction(answers=answers)


survey = Survey()


def main() -> None:
    with fieldstream.stream(survey, topic="streaming") as run:
        for event in run:
            if isinstance(event, Custom) and event.name == "progress":
                print(f"{event.value['number']} of {event.value['of']}: {event.value['question']}")
    for answer in run.result.answers:
        print(f"- {answer}")


if __name__ == "__main__":
    with fieldstream.simulate() as provider:
        dspy.configure(lm=dspy.LM("openai/sim", **provider.lm_kwargs))
        main()
