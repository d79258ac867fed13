"""Putting a field's text back where the LM's pieces had it.

A parser shows at once what is decided, so that a piece may come in two parts, or two pieces in one.
"""

MOST_PIECES = 256
"""How many pieces of a text that nobody listens to are kept: what is undecided of another is seldom more than a few."""


def aligned(pieces: list[str], text: str) -> tuple[list[str], bool]:
    """A text in parts, one for each piece that it is from, and whether the first piece had begun to be shown before.

    What is shown is taken from the pieces. Where the text is not as it was written (an escape, an entity), it is one
    part.
    """
    if pieces == [text] or not pieces:
        pieces.clear()
        return [text], False
    written = "".join(pieces)
    start = written.rfind(text)
    if start < 0:
        pieces.clear()
        return [text], False
    stop = start + len(text)
    parts: list[str] = []
    rest: list[str] = []
    at = 0
    for piece in pieces:
        end = at + len(piece)
        if part := written[max(at, start) : min(end, stop)]:
            parts.append(part)
        if left := written[max(at, stop) : end]:
            rest.append(left)
        at = end
    pieces[:] = rest
    return parts, start == 0
