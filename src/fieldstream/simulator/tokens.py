"""Where a text is cut into the pieces that a provider streams, and how many tokens it counts.

The tokenizer imitates the shape of GPT's (a piece carries the space before it, long words fall apart), not its table.
"""

import random
import re

from fieldstream.simulator.options import Chunking

_PIECE = re.compile(r" ?[^\W\d_]+| ?\d{1,3}| ?(?:[^\s\w]|_)+|\s+(?!\S)|\s")
_LONG = 9
"""Words of more letters than this fall apart."""


def tokenize(text: str) -> list[str]:
    """The text's pieces, in order; joined they are the text."""
    pieces: list[str] = []
    for piece in _PIECE.findall(text):
        if len(piece) <= _LONG:
            pieces.append(piece)
        else:
            pieces += (piece[at : at + 6] for at in range(0, len(piece), 6))
    return pieces


def count(text: str) -> int:
    """How many tokens the text has."""
    return len(tokenize(text))


def cut(text: str, chunking: Chunking, seed: int) -> list[str]:
    """The chunks of a text, none of them empty; joined they are the text. An empty text has none.

    `seed` matters only where the cuts are random: then a chunk has one character or several, sometimes many. A code
    point is never split.
    """
    match chunking:
        case "tokens":
            return tokenize(text)
        case "chars":
            return list(text)
        case "whole":
            return [text] if text else []
        case "random":
            return _cut_randomly(text, random.Random(seed))


def _cut_randomly(text: str, rng: random.Random) -> list[str]:
    chunks: list[str] = []
    at = 0
    while at < len(text):
        size = rng.choice((1, 1, 1, 2, 3, 4, 5, 8, 13, 40))
        chunks.append(text[at : at + size])
        at += size
    return chunks
