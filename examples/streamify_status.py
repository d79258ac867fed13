"""DSPy's own interface: status messages in the words of a provider of one's own.

Run it as it is, with a provider on this machine:    python examples/streamify_status.py
With a real provider, configure it instead:          dspy.configure(lm=dspy.LM("openai/gpt-4o-mini"))
"""

import asyncio
from typing import Any

import dspy

from fieldstream import StatusMessage, StatusMessageProvider, simulate, streamify


def get_weather(city: str) -> str:
    """The weather in a city."""
    return f"The weather in {city} is sunny."


class MyStatusMessageProvider(StatusMessageProvider):
    """Speaks when a module starts and when a tool has ended."""

    def module_start_status_message(self, instance: Any, inputs: dict[str, Any]) -> str:
        return f"Predicting with {type(instance).__name__}..."

    def tool_end_status_message(self, outputs: Any) -> str:
        return f"Tool calling finished with output: {outputs}!"


program = streamify(
    dspy.ReAct("q->a", tools=[get_weather]),
    status_message_provider=MyStatusMessageProvider(),
)


async def main() -> None:
    async for value in program(q="What is the weather in Tokyo?"):
        if isinstance(value, StatusMessage):
            print(value.message)
        elif isinstance(value, dspy.Prediction):
            print(f"\n{value.a}")


if __name__ == "__main__":
    with simulate(length=20) as provider:
        # With a real provider: dspy.configure(lm=dspy.LM("openai/gpt-4o-mini")), and no simulate().
        dspy.configure(lm=dspy.LM("openai/sim", **provider.lm_kwargs))
        asyncio.run(main())
