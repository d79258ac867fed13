"""The page that shows the figures: its tables and plots are written by the benchmarks, the rest by people."""

import re
from pathlib import Path

from benchmarks.plots import plot
from benchmarks.report import Report
from benchmarks.table import markdown

PAGE = Path(__file__).parent.parent / "docs" / "benchmarks.md"
PLOTS = PAGE.with_suffix("")
TAKEN = "taken"
"""The name of the place where the page says when its figures were taken, and on what."""

_PLACE = re.compile(r"(<!-- figures: (\w+) -->\n).*?(<!-- end of figures -->)", re.DOTALL)


class PageError(Exception):
    """The page and the report do not fit each other."""


def filled(page: str, report: Report) -> str:
    """The page with a section's tables where it asks for them. Raises `PageError` where there is no place for one."""
    places: list[str] = []

    def fill(found: re.Match[str]) -> str:
        begin, name, end = found.groups()
        places.append(name)
        if name == TAKEN:
            return f"{begin}{_taken(report)}\n{end}"
        if name not in report.sections:
            raise PageError(f"the page asks for {name!r}, of which there are no figures")
        return f"{begin}{chr(10).join(markdown(report.sections[name]))}\n{end}"

    text = _PLACE.sub(fill, page)
    if missing := [name for name in (TAKEN, *report.sections) if name not in places]:
        raise PageError(f"the page has no place for {', '.join(missing)}: write <!-- figures: {missing[0]} -->")
    return text


def update(report: Report) -> None:
    """Fill the page, and draw its plots."""
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8"), report), encoding="utf-8")
    for name, figures in report.sections.items():
        plot(figures, PLOTS / f"{name}.svg")


def _taken(report: Report) -> str:
    versions = ", ".join(f"{package} {version}" for package, version in report.versions.items())
    figures = [figure for section in report.sections.values() for figure in section if figure.met is not None]
    met = sum(figure.met is True for figure in figures)
    return (
        f"Taken on {report.taken}, {report.rounds} rounds, {report.cores} cores ({report.machine}), {report.python}; "
        f"{versions}.\n\nOf {len(figures)} goals {met} {'is' if met == 1 else 'are'} met."
    )
