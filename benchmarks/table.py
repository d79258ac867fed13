"""Figures as a table: lines for a terminal as they come, and Markdown for a page."""

from collections.abc import Iterable, Iterator

from benchmarks.figures import Figure

_HEAD = ("what", "contender", "", "compared with", "goal", "")
_WIDTHS = (38, 20, 16, 38, 9, 8)


def lines(figures: Iterable[Figure]) -> Iterator[str]:
    """A line for each figure, as soon as it is there; a heading where a section begins."""
    last: Figure | None = None
    for figure in figures:
        if last is None or last.title != figure.title:
            yield ""
            yield figure.title
            yield _line(_HEAD)
        yield _line(_cells(figure, last))
        last = figure


def markdown(figures: Iterable[Figure]) -> Iterator[str]:
    """The same as tables in Markdown. What repeats from one line to the next is left out."""
    last: Figure | None = None
    for figure in figures:
        if last is None or last.title != figure.title:
            if last is not None:
                yield ""
            yield f"**{figure.title}**"
            yield ""
            yield "| what | contender | | compared with | goal | |"
            yield "|---|---|--:|---|--:|---|"
        yield f"|{'|'.join(f' {cell} ' if cell else ' ' for cell in _cells(figure, last))}|"
        last = figure


def _cells(figure: Figure, last: Figure | None) -> tuple[str, ...]:
    again = last is not None and (last.section, last.arrival, last.what) == (
        figure.section,
        figure.arrival,
        figure.what,
    )
    same = again and last is not None and (last.contender, last.value) == (figure.contender, figure.value)
    against = "" if figure.ratio is None else f"{figure.ratio:.2f} × {figure.against}"
    sign = "≥" if figure.at_least else "≤"
    goal = "" if figure.goal is None else f"{sign} {figure.goal:.4g}"
    met = {None: "", True: "met", False: "NOT MET"}[figure.met]
    what = "" if again else figure.what
    return (what, "" if same else figure.contender, "" if same else _value(figure), against, goal, met)


def _value(figure: Figure) -> str:
    digits = (
        0 if figure.value == int(figure.value) or abs(figure.value) >= 1000 else 1 if abs(figure.value) >= 10 else 2
    )
    return f"{figure.value:,.{digits}f} {figure.unit}".strip()


def _line(cells: tuple[str, ...]) -> str:
    """Values stand to the right, all else to the left."""
    sides = "<<><<<"
    return " ".join(f"{cell:{side}{width}}" for cell, side, width in zip(cells, sides, _WIDTHS, strict=True)).rstrip()
