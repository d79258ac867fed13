"""Splits: a text in chunks, as a provider may cut it."""

import itertools

from hypothesis import strategies as st


@st.composite
def splits(draw: st.DrawFn, text: str) -> tuple[str, ...]:
    """The text whole, in characters, in pieces as long as tokens are, or cut anywhere."""
    if not text:
        return ()
    kind = draw(st.sampled_from(("tokens", "tokens", "characters", "whole", "anywhere", "halves")))
    if kind == "whole":
        return (text,)
    if kind == "characters":
        return tuple(text) if len(text) <= 400 else _cut(text, range(0, len(text), 3))
    if kind == "halves":
        return _cut(text, [draw(st.integers(0, len(text)))])
    if kind == "anywhere":
        return _cut(text, draw(st.lists(st.integers(0, len(text)), max_size=12)))
    sizes = itertools.cycle(draw(st.lists(st.integers(1, 8), min_size=1, max_size=12)))
    return _cut(text, itertools.takewhile(lambda place: place < len(text), itertools.accumulate(sizes)))


def _cut(text: str, places: "itertools.takewhile[int] | range | list[int]") -> tuple[str, ...]:
    cuts = sorted({0, len(text), *places})
    return tuple(text[one:other] for one, other in itertools.pairwise(cuts))
