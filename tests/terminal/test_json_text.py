"""JSON that grows with its value."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldstream._draft import Draft
from fieldstream.events import Path
from fieldstream.terminal.json_text import JsonText

Step = tuple[Path, str | None, Any]

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(min_size=1),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


def deltas(value: Any, path: Path = ()) -> Iterator[Step]:
    """A value as a run writes it: containers before what is in them, texts in pieces."""
    if isinstance(value, dict):
        yield path, None, {}
        for key, inner in value.items():
            yield from deltas(inner, (*path, key))
    elif isinstance(value, list):
        yield path, None, []
        for index, inner in enumerate(value):
            yield from deltas(inner, (*path, index))
    elif isinstance(value, str):
        for at in range(0, len(value), 2):
            yield path, value[at : at + 2], None
    else:
        yield path, None, value


@given(values)
def test_what_comes_out_is_the_value_as_json(value: Any) -> None:
    growing, draft = JsonText(), Draft()
    out = ""
    for path, text, known in deltas(value):
        if text is None:
            out += growing.set(path, known)
            draft.assign(path, known)
        else:
            out += growing.append(path, text)
            draft.append(path, text)
    assert out + growing.finish() == json.dumps(value, ensure_ascii=False)
    assert not growing.broken
    assert draft.value == value


@pytest.mark.parametrize(
    "steps",
    [
        [((), None, 1), ((), None, 2)],
        [((), None, []), ((0,), "a", None), ((1,), "b", None), ((0,), None, "c")],
        [((), None, []), ((1,), None, 1)],
        [((), None, {}), (("a", "b"), None, 1)],
        [((0,), None, 1)],
        [((), None, {}), (("a",), "x", None), (("a",), None, "y")],
    ],
)
def test_a_correction_breaks_it(steps: list[Step]) -> None:
    growing = JsonText()
    for path, text, known in steps:
        growing.set(path, known) if text is None else growing.append(path, text)
    assert growing.broken
    assert growing.set((), []) == growing.append((), "x") == growing.finish() == ""


def test_a_value_that_comes_whole() -> None:
    growing = JsonText()
    assert growing.set((), {"a": [1, "é"]}) + growing.finish() == '{"a": [1, "é"]}'
