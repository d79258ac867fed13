"""What a run of the benchmarks leaves behind, and the page that shows it."""

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.figures import Figure
from benchmarks.page import PAGE, PageError, filled
from benchmarks.report import Report, report
from benchmarks.section import SECTIONS


def a_report() -> Report:
    common: dict[str, Any] = {"section": "chunks", "arrival": "bursts", "contender": "fieldstream", "unit": "µs"}
    common["against"] = "floor"
    return report(
        {
            "chunks": [Figure(**common, what="chat", value=7.0, ratio=0.4, goal=0.5)],
            "load": [Figure(**common, what="json", value=8.0, ratio=0.6, goal=0.5)],
        },
        rounds=9,
        quick=False,
    )


def test_it_reads_back_as_it_was_written(tmp_path: Path) -> None:
    written = a_report()
    file = tmp_path / "build" / "bench.json"
    written.write(file)
    assert Report.read(file) == written
    read = json.loads(file.read_text(encoding="utf-8"))
    assert [each["met"] for section in read["sections"].values() for each in section] == [True, False]
    assert read["versions"]["dspy"]


def page(*names: str) -> str:
    return "\n".join(f"before\n<!-- figures: {name} -->\nold\n<!-- end of figures -->\nafter" for name in names)


def test_a_page_is_filled_again_and_again() -> None:
    once = filled(page("taken", "chunks", "load"), a_report())
    assert "| chat | fieldstream | 7 µs | 0.40 × floor | ≤ 0.5 | met |" in once
    assert "Of 2 goals 1 is met." in once
    assert "old" not in once
    assert once.count("before") == once.count("after") == 3
    assert filled(once, a_report()) == once


def test_a_page_and_a_report_fit_each_other() -> None:
    with pytest.raises(PageError, match="no place for load"):
        filled(page("taken", "chunks"), a_report())
    with pytest.raises(PageError, match="'memory', of which there are no figures"):
        filled(page("taken", "chunks", "load", "memory"), a_report())


def test_our_page_has_a_place_and_a_plot_for_each_section() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for name in SECTIONS:
        assert text.count(f"<!-- figures: {name} -->") == 1
        assert f"](benchmarks/{name}.svg)" in text
