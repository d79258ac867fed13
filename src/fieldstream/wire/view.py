"""What a chat protocol shows of a run as what."""

from typing import NamedTuple

import msgspec


class FieldPath(NamedTuple):
    """A field of a predictor; of any predictor that has it, where none is named."""

    predictor: str | None
    field: str

    def fits(self, predictor: str, field: str) -> bool:
        """Whether this field of a call of the predictor with this path is meant."""
        return field == self.field and (self.predictor is None or self.predictor == predictor)


class ChatView(msgspec.Struct, frozen=True, kw_only=True):
    """A program as a chat's other side. What a client may not see is in none of the events that are shown."""

    run: str
    """The run's id."""
    program: str
    """The name by which clients know the program."""
    output: FieldPath | None
    """The field whose text is what the program says; none: what it returns, as text."""
    reasoning: frozenset[FieldPath] = frozenset()
    """The fields whose texts are its reasoning."""
