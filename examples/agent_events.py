"""Every event of an agent: which call is at work, its tools with arguments and results, each field as it is written."""

import asyncio

import dspy

import fieldstream
from fieldstream.events import (
    UNSET,
    CallEnded,
    CallStarted,
    FieldDelta,
    FieldEnded,
    FieldReset,
    FieldStarted,
    RunEnded,
    Status,
)


def population(city: str) -> int:
    """How many people live in a city."""
    return {"Paris": 2_103_000, "Rome": 2_746_000}.get(city, 100_000)


agent = dspy.ReAct("question -> answer", tools=[population])


async def main() -> None:
    async with fieldstream.stream(agent, question="Do more people live in Paris or in Rome?") as run:
        async for event in run:
            match event:
                case CallStarted(kind="tool", name=name, arguments=arguments):
                    print(f"[tool] {name}({arguments})")
                case CallStarted(kind="predictor", name=name):
                    print(f"[predictor] {name}")
                case CallEnded(result=result) if result is not UNSET:
                    print(f"[tool] gave {result!r}")
                case FieldStarted(field=field, kind="text"):
                    print(f"  {field}: ", end="")
                case FieldDelta(text=str(text)):
                    print(text, end="", flush=True)
                case FieldDelta(field=field, value=value):
                    print(f"  {field} = {value!r}")
                case FieldReset(reason=reason):
                    print(f"\n  (withdrawn: {reason})\n  ", end="")
                case FieldEnded(field="next_thought" | "reasoning" | "answer"):
                    print()
                case Status(message=message):
                    print(f"[status] {message}")
                case RunEnded(outcome=outcome):
                    print(f"[{outcome} after {event.at:.1f} s]")
                case _:
                    pass


if __name__ == "__main__":
    with fieldstream.simulate() as provider:
        dspy.configure(lm=dspy.LM("openai/sim", **provider.lm_kwargs))
        asyncio.run(main())
