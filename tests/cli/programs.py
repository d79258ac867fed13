"""The programs that the tests of the command line run."""

import datetime
from typing import Any, Literal

import dspy
from pydantic import BaseModel


class Person(BaseModel):
    name: str
    age: int = 0


class Describe(dspy.Signature):
    """Describe people."""

    person: Person = dspy.InputField()
    tags: list[str] = dspy.InputField(default=["a"])
    answer: str = dspy.OutputField()


class Hinted(dspy.Signature):
    """Answer with a hint."""

    question: str = dspy.InputField()
    hint: str = dspy.InputField()
    answer: str = dspy.OutputField()


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


qa = dspy.ChainOfThought("question -> answer")
describe = dspy.Predict(Describe)
agent = dspy.ReAct(Hinted, tools=[add])


class Loop(dspy.Module):
    """A module with parameters of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.ask = dspy.Predict("question, count: int -> answer")

    def forward(self, question, count, *, mood: Literal["good", "bad"] = "good", day: "datetime.date | None" = None):
        return self.ask(question=question, count=count)


class Failing(dspy.Module):
    """A module that fails."""

    def forward(self, question: str) -> None:
        raise KeyError(f"nothing about {question}")


class Open(dspy.Module):
    """A module that takes anything."""

    def __init__(self) -> None:
        super().__init__()
        self.one = dspy.Predict("a -> b")
        self.two = dspy.Predict("c -> d")

    def forward(self, first: int, **others: Any) -> dict[str, Any]:
        return {"first": first, **others}


class Later(dspy.Module):
    """A module that only awaits."""

    async def aforward(self, question: str) -> str:
        return f"Answer to {question}"


class Needy(dspy.Module):
    """A module that needs something to be made."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size


class Broken(dspy.Module):
    """A module that cannot be made."""

    def __init__(self) -> None:
        super().__init__()
        raise RuntimeError("not today")


def shout(text: str, times: int = 1, maybe: str | None = None) -> str:
    return text.upper() * times


class box:
    inner = shout


number = 7
