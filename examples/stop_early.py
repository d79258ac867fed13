"""Leaving early: the run is cancelled, and the provider's connection closed, as soon as nobody wants more."""

import asyncio

import dspy

import fieldstream

writer = dspy.Predict("topic -> essay")


async def main() -> None:
    async with fieldstream.stream(writer, topic="the sea") as run:
        read = ""
        async for text in run.text("essay"):
            read += text
            if len(read) > 80:
                break
    print(f"{read}…")
    print(f"the run was {run.outcome}")


if __name__ == "__main__":
    with fieldstream.simulate(rate=200, length=400) as provider:
        dspy.configure(lm=dspy.LM("openai/sim", **provider.lm_kwargs))
        asyncio.run(main())
        request = provider.requests[0]
        request.disconnected.wait(5)
        print(f"the provider saw its connection close after {request.chunks_sent} chunks")
