"""The table, for a terminal and for a page."""

from typing import Any

from benchmarks.figures import Figure
from benchmarks.table import lines, markdown


def figures() -> list[Figure]:
    common: dict[str, Any] = {"section": "chunks", "what": "chat, async", "arrival": "bursts", "unit": "µs"}
    return [
        Figure(**common, contender="fieldstream", value=7.345, against="floor", ratio=0.404, goal=0.4),
        Figure(**common, contender="fieldstream", value=7.345, against="httpx", ratio=1.2, goal=1.4),
        Figure(**common, contender="floor", value=18.24),
        Figure(
            section="streams", what="open", arrival="", contender="ours", value=1200, unit="", goal=900, at_least=True
        ),
    ]


def test_lines() -> None:
    assert [" ".join(line.split()) for line in lines(figures())] == [
        "",
        "chunks (bursts)",
        "what contender compared with goal",
        "chat, async fieldstream 7.34 µs 0.40 × floor ≤ 0.4 NOT MET",
        "1.20 × httpx ≤ 1.4 met",
        "floor 18.2 µs",
        "",
        "streams",
        "what contender compared with goal",
        "open ours 1,200 ≥ 900 met",
    ]


def test_cells_do_not_run_into_each_other() -> None:
    long = Figure(
        section="s",
        what="w" * 60,
        arrival="",
        contender="c" * 40,
        value=1e9,
        unit="µs/chunk",
        against="a" * 60,
        ratio=1.0,
        goal=1,
    )
    line = list(lines([long]))[-1]
    assert line.split() == ["w" * 60, "c" * 40, "1,000,000,000", "µs/chunk", "1.00", "×", "a" * 60, "≤", "1", "met"]


def test_markdown() -> None:
    assert list(markdown(figures())) == [
        "**chunks (bursts)**",
        "",
        "| what | contender | | compared with | goal | |",
        "|---|---|--:|---|--:|---|",
        "| chat, async | fieldstream | 7.34 µs | 0.40 × floor | ≤ 0.4 | NOT MET |",
        "| | | | 1.20 × httpx | ≤ 1.4 | met |",
        "| | floor | 18.2 µs | | | |",
        "",
        "**streams**",
        "",
        "| what | contender | | compared with | goal | |",
        "|---|---|--:|---|--:|---|",
        "| open | ours | 1,200 | | ≥ 900 | met |",
    ]
