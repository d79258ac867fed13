"""The signs that stand beside text, and others for terminals that lack them."""

from typing import NamedTuple


class Glyphs(NamedTuple):
    """The signs that stand beside the text."""

    done: str
    failed: str
    gives: str
    dot: str
    said: str
    opened: str
    more: str
    cursor: str
    spinner: str


SIGNS = Glyphs("✓", "✗", "→", "·", "›", "▸", "…", "▌", "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏")
ASCII = Glyphs("+", "x", "->", "-", ">", ">", "~", "_", "|/-\\")
