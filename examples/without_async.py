"""The same without async: `with` and `for`. The program runs in a thread of its own."""

import dspy

import fieldstream

qa = dspy.ChainOfThought("question -> answer")


def main() -> None:
    with fieldstream.stream(qa, question="What is a log for?") as run:
        for text in run.text("reasoning"):
            print(text, end="", flush=True)
        print("\n--")
        for text in run.text("answer"):  # Each reader reads from the beginning.
            print(text, end="", flush=True)
        print()
        prediction = run.wait()
    print(f"{len(prediction.answer)} characters, {run.outcome}")


if __name__ == "__main__":
    with fieldstream.simulate() as provider:
        dspy.configure(lm=dspy.LM("openai/sim", **provider.lm_kwargs))
        main()
