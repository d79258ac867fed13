"""Real DSPy programs get answers that they can read."""

import enum
from collections.abc import Callable, Iterator
from typing import Any, Literal

import dspy
import pydantic
import pytest
from dspy.adapters.baml_adapter import BAMLAdapter

from fieldstream.simulator import Provider, simulate
from tests.simulator.client import body, deltas, post

SKY = "Why is the sky blue?"

ADAPTERS: dict[str, Callable[[], dspy.Adapter]] = {
    "chat": lambda: dspy.ChatAdapter(use_json_adapter_fallback=False),
    "json": dspy.JSONAdapter,
    "xml": lambda: dspy.XMLAdapter(use_json_adapter_fallback=False),
    "baml": BAMLAdapter,
}
MODELS = ["openai/sim", "openai/gpt-4o"]
"""DSPy asks one that it knows for a JSON Schema, and offers it tools."""


class Person(pydantic.BaseModel):
    name: str = pydantic.Field(description="their <full> name")
    age: int
    tags: list[str]
    nickname: str | None = None


class Colour(enum.Enum):
    RED = "red"
    BLUE = "dark blue"


class Everything(dspy.Signature):
    """Answer.

    With a word in `backticks`, {braces} and a
    [[ ## marker ## ]].
    """

    question: str = dspy.InputField(desc="what is asked")
    times: int = dspy.InputField()
    answer: str = dspy.OutputField(desc="one line\nand another")
    score: float = dspy.OutputField(ge=0.0, le=1.0)
    count: int = dspy.OutputField()
    sure: bool = dspy.OutputField()
    choice: Literal["a", "b c"] = dspy.OutputField()
    people: list[Person] = dspy.OutputField()
    counts: dict[str, int] = dspy.OutputField()
    maybe: int | None = dspy.OutputField()
    perhaps: str | None = dspy.OutputField()
    anything: dict = dspy.OutputField()
    pair: tuple[int, str] = dspy.OutputField()


class Asked(dspy.Signature):
    """Answer the question."""

    question: str = dspy.InputField()
    answer: str = dspy.OutputField()


class Painted(dspy.Signature):
    """Choose."""

    question: str = dspy.InputField()
    colour: Colour = dspy.OutputField()


@pytest.fixture
def provider() -> Iterator[Provider]:
    with simulate() as provider:
        yield provider


@pytest.fixture(params=MODELS)
def lm(provider: Provider, request: pytest.FixtureRequest) -> dspy.LM:
    return dspy.LM(request.param, **provider.lm_kwargs, cache=False, num_retries=0)


@pytest.fixture(params=ADAPTERS)
def adapter(request: pytest.FixtureRequest) -> str:
    return request.param


def weather(city: str, days: int = 3) -> str:
    """The weather of a city."""
    return f"It is sunny in {city} for {days} days."


def search(query: str, limit: int) -> list[str]:
    """Search the web."""
    return [query] * limit


def test_a_chain_of_thought(provider: Provider, lm: dspy.LM, adapter: str) -> None:
    with dspy.context(lm=lm, adapter=ADAPTERS[adapter]()):
        prediction = dspy.ChainOfThought("question -> answer, sources: list[str]")(question=SKY)
    assert "wavelength" in prediction.reasoning
    assert prediction.answer.startswith("The sky is blue because air scatters")
    assert prediction.sources[0] == "https://example.org/sky-blue/1"
    assert len(provider.requests) == 1


@pytest.mark.parametrize("seed", range(3))
def test_every_type(provider: Provider, lm: dspy.LM, adapter: str, seed: int) -> None:
    with dspy.context(lm=lm.copy(extra_body={"simulator": {"seed": seed}}), adapter=ADAPTERS[adapter]()):
        prediction = dspy.Predict(Everything)(question="Who are <they> & “why”?", times=2)
    assert set(prediction.keys()) == set(Everything.output_fields)
    assert isinstance(prediction.people[0], Person)
    assert 0 <= prediction.score <= 1
    assert len(provider.requests) == 1
    assert provider.requests[0].options.seed == seed


@pytest.mark.parametrize("name", ["chat", "json", "xml"])
def test_a_choice_of_an_enum(lm: dspy.LM, name: str) -> None:
    with dspy.context(lm=lm, adapter=ADAPTERS[name]()):
        assert dspy.Predict(Painted)(question="Which?").colour in Colour


def test_an_agent_calls_the_fitting_tool_and_finishes(lm: dspy.LM, adapter: str) -> None:
    with dspy.context(lm=lm, adapter=ADAPTERS[adapter]()):
        agent = dspy.ReAct(Asked, tools=[search, weather])
        prediction = agent(question="What is the weather in Tokyo?")
    steps = prediction.trajectory
    assert (steps["tool_name_0"], steps["tool_args_0"]) == ("weather", {"city": "Tokyo"})
    assert steps["observation_0"] == "It is sunny in Tokyo for 3 days."
    assert steps["tool_name_1"] == "finish"
    assert "It is sunny in Tokyo for 3 days." in prediction.answer


def test_an_agent_takes_more_steps_where_it_is_told_to(lm: dspy.LM, adapter: str) -> None:
    agent = dspy.ReAct(Asked, tools=[search, weather])
    with dspy.context(lm=lm.copy(extra_headers={"x-simulator": '{"steps": 2}'}), adapter=ADAPTERS[adapter]()):
        steps = agent(question="What is the weather in Tokyo?").trajectory
    assert [steps[f"tool_name_{step}"] for step in range(3)] == ["weather", "search", "finish"]
    assert all(step == "weather Tokyo" for step in steps["observation_1"])


def test_two_steps_say_the_same(provider: Provider, lm: dspy.LM) -> None:
    with dspy.context(lm=lm, adapter=dspy.TwoStepAdapter(lm)):
        prediction = dspy.ChainOfThought("question -> answer, score: float, tags: list[str]")(question=SKY)
    draft = provider.requests[0]
    assert [message["role"] for message in draft.messages] == ["system", "user"]
    assert prediction.answer.startswith("The sky is blue because air scatters")
    assert 0 < prediction.score < 1
    assert len(provider.requests) == 2


def test_examples_in_the_prompt_do_not_mislead(lm: dspy.LM, adapter: str) -> None:
    program = dspy.Predict("question -> answer, count: int")
    program.demos = [dspy.Example(question="How salty is the sea?", answer="very", count=3)]
    with dspy.context(lm=lm, adapter=ADAPTERS[adapter]()):
        assert "scatters" in program(question=SKY).answer


def test_a_text_model(provider: Provider) -> None:
    lm = dspy.LM("openai/sim", model_type="text", **provider.lm_kwargs, cache=False, num_retries=0)
    with dspy.context(lm=lm, adapter=dspy.ChatAdapter(use_json_adapter_fallback=False)):
        prediction = dspy.Predict("question -> answer, count: int")(question=SKY)
    assert provider.requests[0].path == "/v1/completions"
    assert "scatters" in prediction.answer


def test_several_choices_differ(provider: Provider) -> None:
    choices = post(provider, json=body("How do violins make sound?", n=6)).json()["choices"]
    assert len(choices) == 6
    assert len({choice["message"]["content"] for choice in choices}) > 1


def test_a_plain_question_gets_a_plain_answer(provider: Provider) -> None:
    lm = dspy.LM("openai/sim", **provider.lm_kwargs, cache=False, num_retries=0)
    assert "Paris" in str(lm("What is the capital of France?")[0])


def test_the_length(provider: Provider, adapter: str) -> None:
    lm = dspy.LM(provider.model, **provider.lm_kwargs, cache=False, extra_body={"simulator": {"length": 300}})
    with dspy.context(lm=lm, adapter=ADAPTERS[adapter]()):
        prediction = dspy.ChainOfThought("question -> answer")(question=SKY)
    assert len(prediction.reasoning.split()) == len(prediction.answer.split()) == 150


def test_the_same_question_and_seed_give_the_same_answer(provider: Provider) -> None:
    def ask(seed: int, question: str = "How do violins make sound?") -> str:
        return "".join(deltas(post(provider, json=body(question, stream=True, simulator={"seed": seed}))))

    assert ask(1) == ask(1)
    assert len({ask(seed) for seed in range(6)}) > 1


WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather of a city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "days": {"$ref": "#/$defs/Days"}},
            "$defs": {"Days": {"type": "integer", "minimum": 1, "maximum": 9}},
        },
    },
}


@pytest.mark.parametrize(
    ("more", "called"),
    [
        ({}, True),
        ({"tool_choice": "none"}, False),
        ({"tool_choice": "required"}, True),
        ({"tool_choice": {"type": "function", "function": {"name": "weather"}}}, True),
        ({"simulator": {"tools": False}}, False),
    ],
)
def test_offered_tools_are_called_as_the_choice_asks(provider: Provider, more: dict[str, Any], called: bool) -> None:
    choice = post(provider, json=body("How is the weather in Tokyo?", tools=[WEATHER], **more)).json()["choices"][0]
    assert choice["finish_reason"] == ("tool_calls" if called else "stop")
    if called:
        function = choice["message"]["tool_calls"][0]["function"]
        assert function["name"] == "weather"
        arguments = pydantic.TypeAdapter(dict[str, Any]).validate_json(function["arguments"])
        assert arguments["city"] == "Tokyo"
        assert 1 <= arguments["days"] <= 9


def test_after_a_tools_result_comes_the_answer(provider: Provider) -> None:
    asked = body("How is the weather in Tokyo?", tools=[WEATHER])
    asked["messages"] += [
        {"role": "assistant", "tool_calls": []},
        {"role": "tool", "tool_call_id": "1", "content": "sunny"},
    ]
    assert post(provider, json=asked).json()["choices"][0]["finish_reason"] == "stop"
    asked["simulator"] = {"tools": True}
    assert post(provider, json=asked).json()["choices"][0]["finish_reason"] == "tool_calls"


def test_reasoning_where_it_is_wanted(provider: Provider) -> None:
    message = post(provider, json=body(SKY, simulator={"reasoning": True})).json()["choices"][0]["message"]
    assert "wavelength" in message["reasoning_content"]
    assert "scatters" in message["content"]


def test_json_without_a_schema(provider: Provider) -> None:
    message = post(provider, json=body(SKY, response_format={"type": "json_object"})).json()["choices"][0]["message"]
    assert "scatters" in pydantic.TypeAdapter(dict[str, str]).validate_json(message["content"])["answer"]
