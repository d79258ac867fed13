"""JSON as models write it: in many styles, of values in which something slipped."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from hypothesis import reject
from hypothesis import strategies as st
from pydantic_core import to_jsonable_python

from tests.corpus import values


class Members(list[tuple[str, Any]]):
    """An object as it is written: its keys may come again."""


def tree_of(value: Any) -> Any:
    """What a model writes for the value: JSON, with the names that its type wants to read."""
    if isinstance(value, dict):
        return Members((_key_of(key), tree_of(member)) for key, member in value.items())
    if type(value) in (list, tuple):
        return [tree_of(item) for item in value]
    if value is None or type(value) in (str, int, float, bool):
        return value
    try:
        return tree_of(to_jsonable_python(value, by_alias=True, fallback=str, serialize_unknown=True))
    except UnicodeEncodeError:  # Pydantic does not write a lone surrogate where it is a key in a model.
        reject()


def _key_of(key: Any) -> str:
    return key if isinstance(key, str) else str(to_jsonable_python(key))


@dataclass(frozen=True)
class Style:
    """How JSON is written. ``strict``: so that any reader of JSON takes it."""

    indent: int = 0
    compact: bool = False
    ascii: bool = False
    quote: Literal["json", "single", "python", "raw"] = "json"
    bare_keys: bool = False
    trailing_comma: bool = False
    comment: str = ""

    @property
    def strict(self) -> bool:
        return self.quote == "json" and not (self.bare_keys or self.trailing_comma or self.comment)


strict_styles = st.builds(Style, indent=st.sampled_from((0, 0, 2, 4)), compact=st.booleans(), ascii=st.booleans())
loose_styles = st.builds(
    Style,
    indent=st.sampled_from((0, 0, 2)),
    compact=st.booleans(),
    ascii=st.booleans(),
    quote=st.sampled_from(("json", "json", "single", "python", "python", "raw")),
    bare_keys=st.sampled_from((False, False, True)),
    trailing_comma=st.sampled_from((False, False, True)),
    comment=st.sampled_from(("", "", "", " // so it is", " /* so */", " # so")),
)


def written(tree: Any, style: Style, depth: int = 0) -> str:
    """The tree as a text."""
    if isinstance(tree, Members):
        colon = ":" if style.compact else ": "
        parts = [f"{_key(key, style)}{colon}{written(of, style, depth + 1)}" for key, of in tree]
        return _enclosed("{}", parts, style, depth)
    if isinstance(tree, list):
        return _enclosed("[]", [written(item, style, depth + 1) for item in tree], style, depth)
    if isinstance(tree, str):
        return _string(tree, style)
    return repr(tree) if style.quote == "python" else json.dumps(tree)


def _enclosed(brackets: str, parts: list[str], style: Style, depth: int) -> str:
    if not parts:
        return brackets
    comma = "," + style.comment if not style.comment.startswith((" /", " #")) or style.indent else ","
    last = "," if style.trailing_comma else ""
    if not style.indent:
        return brackets[0] + (comma + ("" if style.compact else " ")).join(parts) + last + brackets[1]
    line = "\n" + " " * style.indent * (depth + 1)
    return brackets[0] + line + (comma + line).join(parts) + last + "\n" + " " * style.indent * depth + brackets[1]


def _key(key: str, style: Style) -> str:
    return key if style.bare_keys and key.isidentifier() else _string(key, style)


def _string(text: str, style: Style) -> str:
    if style.quote == "python":
        return repr(text)
    quoted = json.dumps(text, ensure_ascii=style.ascii)
    if style.quote == "single":
        return "'" + quoted[1:-1].replace('\\"', '"').replace("'", "\\'") + "'"
    return quoted.replace("\\n", "\n").replace("\\t", "\t") if style.quote == "raw" else quoted


@st.composite
def slipped(draw: st.DrawFn, tree: Any) -> Any:
    """The tree, with one or two slips: what models add, leave out, repeat, turn around, or take for another type."""
    for _ in range(draw(st.integers(1, 2))):
        places = list(_places(tree, ()))
        tree = _changed(tree, draw(st.sampled_from(places)), draw)
    return tree


def _places(tree: Any, path: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    yield path
    if isinstance(tree, list):
        for index, item in enumerate(tree):
            yield from _places(item[1] if isinstance(tree, Members) else item, (*path, index))


def _changed(tree: Any, path: tuple[int, ...], draw: st.DrawFn) -> Any:
    if not path:
        return _slip(tree, draw)
    copy = tree.__class__(tree)
    if isinstance(tree, Members):
        key, of = tree[path[0]]
        copy[path[0]] = (key, _changed(of, path[1:], draw))
    else:
        copy[path[0]] = _changed(tree[path[0]], path[1:], draw)
    return copy


def _slip(tree: Any, draw: st.DrawFn) -> Any:
    other = draw(st.integers(0, 11))
    if other == 0:
        return None
    if other == 1:
        return draw(values.plain.map(tree_of))
    if isinstance(tree, Members):
        return _slip_in_members(tree, draw)
    if isinstance(tree, list):
        return _slip_in_items(tree, draw)
    if other == 2:
        return [tree]
    if isinstance(tree, str):
        if tree.strip().lstrip("-").isdecimal() and len(tree) < 20:
            return int(tree)
        return draw(st.sampled_from((tree + " ", tree.upper(), "", f'"{tree}"', f" {tree}\n")))
    return draw(st.sampled_from((str(tree), json.dumps(tree), f" {tree} ", _close(tree))))


def _close(scalar: Any) -> Any:
    return {True: 1, False: 0}.get(scalar) if isinstance(scalar, bool) else float(scalar) if _small(scalar) else scalar


def _small(scalar: Any) -> bool:
    return isinstance(scalar, int) and abs(scalar) < 2**53


def _slip_in_members(tree: Members, draw: st.DrawFn) -> Any:
    slips = ("more", "text", "list", "less", "again", "turned", "renamed") if tree else ("more", "text", "list")
    slip = draw(st.sampled_from(slips))
    if slip == "text":
        return written(tree, Style())
    if slip == "list":
        return [tree]
    if slip == "turned":
        return Members(reversed(tree))
    at = draw(st.integers(0, max(len(tree) - 1, 0)))
    if slip == "less":
        return Members(tree[:at] + tree[at + 1 :])
    if slip == "renamed":
        key = tree[at][0]
        other = draw(st.sampled_from((key.upper(), key + " ", "x-" + key)))
        return Members([*tree[:at], (other, tree[at][1]), *tree[at + 1 :]])
    more = draw(values.plain.map(tree_of)) if slip == "more" or draw(st.booleans()) else tree[at][1]
    key = draw(st.sampled_from(("more", "1", "answer", "name"))) if slip == "more" else tree[at][0]
    return Members([*tree[:at], (key, more), *tree[at:]]) if draw(st.booleans()) else Members([*tree, (key, more)])


def _slip_in_items(tree: list[Any], draw: st.DrawFn) -> Any:
    slip = draw(st.sampled_from(("bare", "text", "less", "again", "more", "nested", "keyed")))
    if slip == "bare":
        return tree[0] if tree else ""
    if slip == "text":
        return written(tree, Style())
    if slip == "less":
        return tree[:-1]
    if slip == "again":
        return [*tree, *tree]
    if slip == "nested":
        return [tree]
    if slip == "keyed":
        return Members((str(index), item) for index, item in enumerate(tree))
    return [*tree, draw(values.plain.map(tree_of))]
