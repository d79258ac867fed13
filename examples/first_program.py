"""The first program: watch one field being written.

Run it as it is, with a provider on this machine:    python examples/first_program.py
Or from the terminal, without the code below `qa`:   fieldstream run examples/first_program.py:qa \
                                                         question="Why is the sky blue?" --simulate
With a real provider, configure it instead:          dspy.configure(lm=dspy.LM("openai/gpt-4o-mini"))
"""

import asyncio

import dspy

import fieldstream

qa = dspy.ChainOfThought("question -> answer")


async def main() -> None:
    async with fieldstream.stream(qa, question="Why is the sky blue?") as run:
        async for text in run.text("answer"):
            print(text, end="", flush=True)
    print(f"\n\nreasoning: {run.result.reasoning}")
    print(f"tokens: {run.usage['openai/sim']['total_tokens']}")


if __name__ == "__main__":
    with fieldstream.simulate() as provider:
        dspy.configure(lm=dspy.LM("openai/sim", **provider.lm_kwargs))
        asyncio.run(main())
