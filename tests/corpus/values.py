"""Values of the types that need no others: scalars, and strings that a format finds hard."""

import enum
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

_PIECES = [
    '"',
    "'",
    "\\",
    "\\n",
    "\\u0041",
    "\\ud83d",
    "\n",
    "\r\n",
    "\r",
    "\t",
    "\x0b",
    "\x0c",
    "\x1c",
    "\x85",
    "\u2028",
    "\u2029",
    "\xa0",
    " ",
    "  ",
    "[[ ## answer ## ]]",
    "[[ ## items ## ]]",
    "[[ ## completed ## ]]",
    "\n[[ ## note ## ]]\n",
    "[[ ##",
    "## ]]",
    "[[",
    "<answer>",
    "</answer>",
    "</items>",
    "<item>",
    "<b>bold</b>",
    "<!--",
    "]]>",
    "&amp;",
    "&lt;",
    "&#65;",
    "&",
    "<",
    ">",
    "{",
    "}",
    "[",
    "]",
    "{}",
    ",",
    ":",
    ": ",
    '", "',
    "```",
    "```json\n",
    "//",
    "/*",
    "#",
    "é",
    "e\u0301",
    "日本",
    "😀",
    "👩\u200d💻",
    "\ud83d",
    "\udc00",
    "\ufeff",
    "\x00",
    "null",
    "None",
    "true",
    "False",
    "NaN",
    "0",
    "-1",
    "1.50",
    "the sky",
    "is blue.",
    "An answer",
]
"""What one format or another takes for its own."""

words = st.sampled_from(["", "a", "blue", "Why?", "the sky is blue", "An", "3", "true", "x y z", "naïve café", "A-1"])

strings = st.one_of(
    words,
    words,
    st.text(max_size=12),
    st.lists(st.sampled_from(_PIECES), max_size=6).map("".join),
    st.tuples(words, st.sampled_from(_PIECES), words).map("".join),
    st.sampled_from(["lorem ipsum ", "a", '"', "\\", "é\n"]).map(lambda piece: piece * 80),
)
"""Some plain, some of what formats take for their own, some long."""

integers = st.one_of(st.integers(-3, 12), st.integers(), st.sampled_from([0, -1, 10**18, 10**30]))
floats = st.one_of(
    st.sampled_from([0.0, -0.0, 1.0, 1.5, -2.25, 1e-7, 1e100, 0.1]),
    st.floats(allow_nan=False, allow_infinity=False),
    st.floats(),
)
decimals = st.one_of(st.sampled_from([Decimal("1.50"), Decimal(0), Decimal("-7")]), st.decimals(-1000, 1000, places=2))
_ZONES: list[Any] = [None, UTC]
dates = st.dates(date(1900, 1, 1), date(2100, 1, 1))
datetimes = st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1), timezones=st.sampled_from(_ZONES))
times = st.times().map(lambda value: value.replace(fold=0))
durations = st.one_of(
    st.sampled_from([timedelta(0), timedelta(days=1), timedelta(seconds=90), timedelta(milliseconds=-1)]),
    st.timedeltas(timedelta(days=-1000), timedelta(days=1000)),
)
binaries = st.one_of(words, st.text(max_size=6).filter(lambda text: text.isascii())).map(str.encode)
uuids = st.uuids()

plain: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-9, 99), st.sampled_from([0.5, -1.0]), strings),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(words, inner, max_size=3)),
    max_leaves=5,
)
"""Any JSON value."""


class Colour(enum.Enum):
    """Of strings."""

    RED = "red"
    DARK_BLUE = "dark blue"
    QUOTED = 'so-called "green"'


class Level(enum.IntEnum):
    """Of numbers."""

    LOW = 1
    HIGH = 2


class Step(enum.Enum):
    """Whose values say nothing: a model uses the names."""

    first = enum.auto()
    second = enum.auto()


class Weekday(enum.StrEnum):
    """Which are strings themselves."""

    MONDAY = "mon"
    FRIDAY = "fri"
