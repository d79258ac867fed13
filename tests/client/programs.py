"""Programs that are run in this process and at a server, with answers that say the same to both."""

import json
from typing import Any

import dspy
from pydantic import BaseModel

from fieldstream.simulator import Answer, ChatRequest
from tests.support.reading import chat, cut


class Step(BaseModel):
    """A step of a recipe."""

    text: str
    minutes: int = 0
    tools: list[str] = []


class Recipe(dspy.Signature):
    """Cook."""

    dish: str = dspy.InputField()
    name: str = dspy.OutputField()
    steps: list[Step] = dspy.OutputField()
    stars: float = dspy.OutputField()
    notes: dict[str, str] = dspy.OutputField()


STEPS: list[dict[str, Any]] = [
    {"text": 'Cut 🍅 into "cubes".', "minutes": 3, "tools": ["knife", "board"]},
    {"text": "Stir.\nOften.", "minutes": 20, "tools": []},
]
SAID: dict[str, Any] = {
    "name": "Ünï soup",
    "steps": STEPS,
    "stars": 4.5,
    "notes": {"a": "one", "b": ""},
}


class Two(dspy.Module):
    """Two predictors, which have a field of the same name."""

    def __init__(self) -> None:
        super().__init__()
        self.draft = dspy.Predict("question -> answer")
        self.final = dspy.ChainOfThought("question, draft -> answer, sources: list[str]")

    def forward(self, question: str) -> Any:
        draft = self.draft(question=question)
        return self.final(question=question, draft=draft.answer)


class Async(dspy.Module):
    """One that is awaited, where it can be."""

    def __init__(self) -> None:
        super().__init__()
        self.qa = dspy.Predict("question -> answer")

    def forward(self, question: str) -> Any:
        return self.qa(question=question)

    async def aforward(self, question: str) -> Any:
        return await self.qa.acall(question=question)


def reward(args: Any, prediction: Any) -> float:
    """The middle one of three attempts is the best."""
    return {"first": 0.5, "second": 0.9, "third": 0.1}[prediction.answer]


def answers(name: str) -> list[str]:
    """What the LM says to a program's requests, one after the other."""
    recipe = {key: value if isinstance(value, str) else json.dumps(value) for key, value in SAID.items()}
    return {
        "recipe": [chat(**recipe)],
        "json": [json.dumps(SAID, ensure_ascii=False)],
        "fallback": ["no format at all", json.dumps(SAID)],
        "two": [chat(answer="A draft."), chat(reasoning="So it is.", answer="Because.", sources='["a", "b"]')],
        "async": [chat(answer="Because ünï 🎉.")],
        "best": [chat(answer=each) for each in ("first", "second", "third")],
    }[name]


def said(name: str) -> list[Answer]:
    """The same, as it comes."""
    return [Answer(chunks=cut(text, 5)) for text in answers(name)]


def program(name: str) -> Any:
    """A new one."""
    match name:
        case "recipe" | "json" | "fallback":
            return dspy.Predict(Recipe)
        case "two":
            return Two()
        case "async":
            return Async()
        case _:
            return dspy.BestOfN(module=dspy.Predict("question -> answer"), N=3, reward_fn=reward, threshold=1.0)


INPUTS: dict[str, dict[str, Any]] = {
    "recipe": {"dish": "soup"},
    "json": {"dish": "soup"},
    "fallback": {"dish": "soup"},
    "two": {"question": "Why?"},
    "async": {"question": "Why?"},
    "best": {"question": "Why?"},
}

FIELDS: dict[str, list[str]] = {
    "recipe": ["name", "steps", "stars", "notes", "self/steps"],
    "json": ["name", "steps", "stars", "notes"],
    "fallback": ["name", "steps", "stars", "notes"],
    "two": ["draft/answer", "final.predict/answer", "reasoning", "sources"],
    "async": ["answer"],
    "best": ["answer"],
}

LISTS: dict[str, list[str]] = {"recipe": ["steps"], "json": ["steps"], "fallback": ["steps"], "two": ["sources"]}


def never(request: ChatRequest) -> Answer:
    """Every answer is scripted."""
    raise AssertionError(f"nothing was to be asked: {request}")
