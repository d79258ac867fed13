"""Between the run and its readers: no key is shown, words come at a steady pace, and a guard stops what goes wrong."""

import asyncio
import re

import dspy

import fieldstream
from fieldstream import Guard, Redact, Smooth, Streamer
from fieldstream.simulator import Answer, ChatRequest

support = dspy.Predict("question -> answer, sources: list[str]")

no_keys = Redact(re.compile(r"sk-\w+"), "[key]")
words = Smooth("word", every=0.02)
no_refunds = Guard(lambda draft: "it promises a refund" if "refund" in draft.new else None)

# In this order: the guard is asked about whole words, before they are shown.
safe = Streamer(support, transforms=[no_keys, words, no_refunds])


async def ask(question: str) -> None:
    async with safe(question=question) as run:
        async for text in run.text("answer"):
            print(text, end="|", flush=True)
    print(f"\nthe run was {run.outcome}")
    try:
        print(f"sources: {run.result.sources}")
    except fieldstream.RunCancelledError as error:
        print(f"no result: {error}")


def answer(request: ChatRequest) -> Answer:
    """What the simulated LM says."""
    if "key" in request.text("user"):
        text, sources = "Put your key sk-1234abcd into the settings, and start again.", '["manual"]'
    else:
        text, sources = "I am sorry. You will get a refund of all that you have paid, and then some.", "[]"
    written = f"[[ ## answer ## ]]\n{text}\n\n[[ ## sources ## ]]\n{sources}\n\n[[ ## completed ## ]]"
    return Answer(chunks=[written[at : at + 7] for at in range(0, len(written), 7)])


if __name__ == "__main__":
    with fieldstream.simulate(answer, rate=100) as provider:
        dspy.configure(lm=dspy.LM("openai/sim", **provider.lm_kwargs))
        asyncio.run(ask("Where do I put my key?"))
        asyncio.run(ask("It is broken!"))
