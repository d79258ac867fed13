"""The characters of strings, decoded: as ``json.loads`` reads them, and as ``json_repair`` does.

Rules of this file: what is decoded never depends on what may still follow. The rest is left for the next piece.
"""

import json.decoder
import re
from collections.abc import Callable
from typing import Any, Final, cast

QUOTES: Final = {'"': '"', "'": "'", "“": "”", "”": '"'}
"""What begins a string, and what ends it."""

_SHORT: Final = dict(zip("tnrb\\\"'“”„", "\t\n\r\b\\\"'“”„", strict=True))

_PARTIAL_ESCAPE = re.compile(r"\\(?:u[0-9A-Fa-f]{0,3})?\Z")
_ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|x([0-9A-Fa-f]{2})|(.))", re.DOTALL)


def _all(pattern: str) -> Callable[[str, int], re.Match[str]]:
    """A pattern that always matches, if only nothing."""
    return re.compile(f"(?:{pattern})*+", re.DOTALL).match  # pyright: ignore[reportReturnType]


_json_run = _all(r'[^"\\\x00-\x1f]++|\\(?:["\\/bfnrt]|u[0-9A-Fa-f]{4})')
_json_unescape = cast("Callable[[str, int], tuple[str, int]]", cast("Any", json.decoder).scanstring)
_ANY_ESCAPE = r"\\(?:[^ux]|u(?:[0-9A-Fa-f]{4}|(?![0-9A-Fa-f]{0,3}\Z))|x(?:[0-9A-Fa-f]{2}|(?![0-9A-Fa-f]?\Z)))"
_run = {quote: _all(rf"[^{quote}\\]++|{_ANY_ESCAPE}") for quote in ('"', "'", "”")}


def _unescaped(escape: re.Match[str]) -> str:
    digits = escape[1] or escape[2]
    return chr(int(digits, 16)) if digits else _SHORT.get(escape[3], escape[0])


def unescape(text: str) -> str:
    """Decode escapes as ``json_repair`` does: each for itself, and what is none stays as it is."""
    return _ESCAPE.sub(_unescaped, text) if "\\" in text else text


def read_json(text: str, at: int) -> tuple[str, int, bool]:
    """Decode a string of JSON from this place on, to its quote or to what JSON forbids there.

    Gives what it says, where that ends, and whether what follows needs more text to be understood.
    """
    end = text.find('"', at)
    if end > at and (part := text[at:end]).isprintable() and "\\" not in part:  # nearly always
        return part, end, False
    end = _json_run(text, at).end()
    raw = text[at:end]
    part = _json_unescape(raw + '"', 0)[0] if "\\" in raw else raw
    if end < len(text) and not _PARTIAL_ESCAPE.match(text, end):
        return part, end, False
    # An escaped high surrogate is half a character if the next escape is a low one.
    if part and "\ud800" <= part[-1] <= "\udbff" and raw[-1] != part[-1]:
        return part[:-1], end - 6, True
    return part, end, True


def read_loose(text: str, at: int, quote: str) -> tuple[str, int]:
    """Decode a string as ``json_repair`` does, to this quote, to the text's end, or to an escape that lacks its end."""
    end = _run[quote](text, at).end()
    return unescape(text[at:end]), end
