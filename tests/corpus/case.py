"""Cases: a signature, an adapter, what the LM will say and in which chunks, and how the program is called."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import dspy
from hypothesis import strategies as st

from tests.corpus.adapters import ADAPTERS
from tests.corpus.signatures import Typed, output_fields, signature_of
from tests.corpus.splits import splits
from tests.corpus.writings import Writing, writings
from tests.support.sameness import WAYS, Way


@dataclass(frozen=True)
class Case:
    """One case. Its ``repr`` says all that is needed to see what it is about."""

    adapter: str
    fields: Mapping[str, Typed]
    answers: tuple[tuple[str, ...], ...]
    """The chunks of each answer of the LM, in the order in which it is asked; the last one is said again."""
    way: Way
    clean: bool
    """The first answer is what the adapter's format wants, and no code but Pydantic's stands between."""
    outputs: Mapping[str, Any]
    """The values that the answers were made of."""
    signature: Any = field(repr=False)

    @property
    def key(self) -> str:
        """It is the same case where this is the same."""
        return repr((self.adapter, self.fields, self.answers, self.way))


class _Silent(dspy.BaseLM):
    """An LM for the adapters that only write."""

    def __init__(self) -> None:
        super().__init__(model="silent")


@st.composite
def cases(draw: st.DrawFn, name: str) -> Case:
    """Any case for the adapter of this name."""
    way = draw(st.sampled_from(WAYS))
    fields = draw(output_fields)
    signature = signature_of(fields)
    outputs = {field: draw(typed.values) for field, typed in fields.items()}
    said = _said(draw, name, signature, outputs)
    answers = tuple(draw(splits(writing.text)) for writing in said)
    own = any(typed.own for typed in fields.values())
    clean = said[1 if name == "two steps" else 0].clean and not own
    return Case(name, fields, answers, way, clean, outputs, signature)


def _said(draw: st.DrawFn, name: str, signature: Any, outputs: Mapping[str, Any]) -> list[Writing]:
    kind, make = ADAPTERS[name]
    adapter = make(_Silent())
    if name == "two steps":
        free = Writing(adapter.format_assistant_message_content(signature, dict(outputs)))
        return [free, *_said(draw, "chat", signature, outputs)]
    writing = draw(writings(kind, adapter, signature, outputs))
    if kind == "json" or (writing.clean and draw(st.booleans())):
        return [writing]
    return [writing, draw(writings("json", dspy.JSONAdapter(), signature, outputs))]
