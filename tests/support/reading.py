"""Answers that a test lets come piece by piece, for readers of what is in them."""

import threading

from fieldstream.simulator import Answer


class Gated:
    """An answer in pieces, each of which waits to be let through; the end waits, too."""

    def __init__(self, *pieces: str) -> None:
        self._gates = [threading.Event() for _ in range(len(pieces) + 1)]
        self._open = 0
        self.answer = Answer(chunks=pieces, gates=dict(enumerate(self._gates)))

    def let(self, count: int = 1) -> None:
        """Let so many more pieces come; the end counts as one."""
        for gate in self._gates[self._open : self._open + count]:
            gate.set()
        self._open += count

    def finish(self) -> None:
        """Let all that is left come."""
        self.let(len(self._gates) - self._open)


def chat(**fields: str) -> str:
    """An answer in DSPy's chat format."""
    return "".join(f"[[ ## {name} ## ]]\n{value}\n\n" for name, value in fields.items()) + "[[ ## completed ## ]]"


def cut(text: str, size: int) -> list[str]:
    """The text in pieces of this length."""
    return [text[at : at + size] for at in range(0, len(text), size)]
