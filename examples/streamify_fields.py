"""DSPy's own interface: two fields as they are written, without the prediction at the end.

Run it as it is, with a provider on this machine:    python examples/streamify_fields.py
With a real provider, configure it instead:          dspy.configure(lm=dspy.LM("openai/gpt-4o-mini", cache=False))
"""

import asyncio

import dspy

from fieldstream import StreamListener, StreamResponse, simulate, streamify

program = streamify(
    dspy.Predict("question->answer, reasoning"),
    stream_listeners=[
        StreamListener(signature_field_name="answer"),
        StreamListener(signature_field_name="reasoning"),
    ],
)


async def main() -> None:
    output = program(
        question="Why did a chicken cross the kitchen?",
        include_final_prediction_in_output_stream=False,
    )
    field = None
    async for value in output:
        assert isinstance(value, StreamResponse)
        if value.signature_field_name != field:
            field = value.signature_field_name
            print(f"\n{field}:", end=" ")
        print(value.chunk, end="\n" if value.is_last_chunk else "|", flush=True)


if __name__ == "__main__":
    with simulate(length=40) as provider:
        # With a real provider: dspy.configure(lm=dspy.LM("openai/gpt-4o-mini", cache=False)), and no simulate().
        dspy.configure(lm=dspy.LM("openai/sim", **provider.lm_kwargs, cache=False))
        asyncio.run(main())
