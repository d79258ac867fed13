"""Texts in pieces."""

from hypothesis import strategies as st


@st.composite
def split(draw: st.DrawFn, text: str) -> list[str]:
    """Some split of the text into pieces that are not empty."""
    if not text:
        return []
    cuts = sorted(draw(st.sets(st.integers(1, len(text) - 1)))) if len(text) > 1 else []
    return [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
