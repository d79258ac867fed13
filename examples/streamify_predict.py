"""DSPy's own interface: every chunk of the provider, and the prediction at the end.

Run it as it is, with a provider on this machine:    python examples/streamify_predict.py
With a real provider, configure it instead:          dspy.configure(lm=dspy.LM("openai/gpt-4o-mini"))
"""

import asyncio

import dspy

from fieldstream import simulate, streamify

program = streamify(dspy.Predict("q->a"))


async def main() -> None:
    async for value in program(q="Why did a chicken cross the kitchen?"):
        if isinstance(value, dspy.Prediction):
            print(f"\n{value}")
        else:
            print(value.choices[0].delta.get("content") or "", end="|", flush=True)


if __name__ == "__main__":
    with simulate(length=20) as provider:
        # With a real provider: dspy.configure(lm=dspy.LM("openai/gpt-4o-mini")), and no simulate().
        dspy.configure(lm=dspy.LM("openai/sim", **provider.lm_kwargs))
        asyncio.run(main())
