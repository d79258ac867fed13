"""An adapter with a format of its own, whose fields stream all the same: it brings its parser.

The format: a line ``name: value`` for each field.
"""

from typing import Any

import dspy
from dspy.adapters.utils import parse_value

import fieldstream
from fieldstream.fields import Appended, Change, Closed, Fields, Opened, Written


class LinesAdapter(dspy.ChatAdapter):
    """Asks for lines, and reads them."""

    def format_field_structure(self, signature: type[dspy.Signature]) -> str:
        return "Answer with one line for each field:\n" + "\n".join(f"{name}: ..." for name in signature.output_fields)

    def user_message_output_requirements(self, signature: type[dspy.Signature]) -> str:
        return "Answer with the lines: " + ", ".join(signature.output_fields)

    def parse(self, signature: type[dspy.Signature], completion: str) -> dict[str, Any]:
        lines = dict(line.split(": ", 1) for line in reversed(completion.split("\n")) if ": " in line)
        fields = signature.output_fields.items()
        return {name: parse_value(lines[name], info.annotation) for name, info in fields}


class LinesParser:
    """Reads one answer as it comes: any split of its text goes in, what changed in which field comes out."""

    def __init__(self, fields: Fields) -> None:
        self.fields = dict(fields)  # those whose line has not come: of several, the first one counts
        self.start = ""  # of a line, as long as its name is not known
        self.field: str | None = None  # that the line is of; "" where it is none's
        self.piece: type[Appended] | type[Written] = Appended

    def feed(self, text: str) -> list[Change]:
        changes: list[Change] = []
        for number, part in enumerate(text.split("\n")):
            if number:
                changes += self.finish()
            if self.field is None:
                changes += self.begin(part)
            elif part and self.field:
                changes.append(self.piece(self.field, part))
        return changes

    def begin(self, part: str) -> list[Change]:
        self.start += part
        name, separator, rest = self.start.partition(": ")
        if not separator:
            return []
        self.field = name if name in self.fields else ""
        if not self.field:
            return []
        self.piece = Appended if self.fields.pop(name) == "text" else Written
        return [Opened(name), self.piece(name, rest)] if rest else [Opened(name)]

    def finish(self) -> list[Change]:
        """The line is over."""
        changes: list[Change] = [Closed(self.field)] if self.field else []
        self.start, self.field = "", None
        return changes


fieldstream.register_parser(LinesAdapter, LinesParser)


def main() -> None:
    answer = 'answer: Blue light is scattered more.\nsources: ["https://a.example", "https://b.example"]'
    with fieldstream.simulate([answer]) as provider:
        lm = dspy.LM(provider.model, **provider.lm_kwargs, cache=False)
        qa = dspy.Predict("question -> answer, sources: list[str]")
        with (
            dspy.context(lm=lm, adapter=LinesAdapter()),
            fieldstream.stream(qa, question="Why is the sky blue?") as run,
        ):
            for text in run.text("answer"):
                print(text, end="", flush=True)
            print()
            for source in run.elements("sources"):
                print("-", source)


if __name__ == "__main__":
    main()
