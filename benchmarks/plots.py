"""Figures as plots: one SVG for each section, the same bytes for the same figures.

The ground is transparent and the colours have about the same contrast to white and to black, so that a page may be
light or dark.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.figures import Figure
from benchmarks.peers import peer

_GREY = "#7d8590"
_COLOURS = {"fieldstream": "#2f81f7", "floor": "#8b949e", "dspy.streamify": "#db6d28"}
_OTHERS = ("#3fa266", "#b07cd8", "#c9a227", "#d9578f", "#4aa3b5")
_OURS = "#79a8e8"
_SPREAD = 200
"""From this factor on between the largest and the smallest, the scale is logarithmic, and shows points, not lengths."""


def plot(figures: Sequence[Figure], path: Path) -> None:
    """What each contender cost: a panel for each unit and arrival, in groups of what was watched.

    Raises `MissingPeerError` where Matplotlib is not installed.
    """
    matplotlib = peer("matplotlib")
    matplotlib.use("svg")
    style = {
        "svg.hashsalt": "fieldstream",
        "svg.fonttype": "none",
        "font.size": 9,
        "text.color": _GREY,
        "axes.labelcolor": _GREY,
        "axes.edgecolor": _GREY,
        "xtick.color": _GREY,
        "ytick.color": _GREY,
    }
    panels: dict[tuple[str, str], list[Figure]] = {}
    seen: set[tuple[str, str, str, str]] = set()
    for figure in figures:  # one that is compared with several comes several times
        bar = (figure.title, figure.unit, figure.what, figure.contender)
        if bar not in seen and figure.value:
            seen.add(bar)
            panels.setdefault((figure.title, figure.unit), []).append(figure)
    heights = [0.9 + 0.2 * _rows(panel) for panel in panels.values()]
    pyplot = peer("matplotlib.pyplot")
    with matplotlib.rc_context(style):
        drawing, axes = pyplot.subplots(
            len(panels), 1, squeeze=False, figsize=(8, sum(heights)), height_ratios=heights, layout="constrained"
        )
        for axis, ((title, unit), panel) in zip(axes[:, 0], panels.items(), strict=True):
            _draw(axis, panel, unit, title)
        path.parent.mkdir(parents=True, exist_ok=True)
        drawing.savefig(path, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
        pyplot.close(drawing)


def _rows(panel: Sequence[Figure]) -> int:
    return len(panel) + len({figure.what for figure in panel})


def _draw(axis: Any, panel: Sequence[Figure], unit: str, title: str) -> None:
    position, ticks, labels = 0, [], []
    largest = max(figure.value for figure in panel)
    positive = [figure.value for figure in panel if figure.value > 0]
    logarithmic = len(positive) == len(panel) and largest / min(positive) > _SPREAD
    for index, figure in enumerate(panel):
        if index and figure.what != panel[index - 1].what:
            position += 1
        colour = _colour(figure.contender, panel)
        if logarithmic:
            axis.plot(figure.value, position, "o", color=colour)
        else:
            axis.barh(position, figure.value, height=0.8, color=colour)
        axis.annotate(
            f"  {figure.value:,.0f}" if figure.value >= 1000 else f"  {figure.value:.3g}",
            (figure.value, position),
            va="center",
            fontsize=8,
            annotation_clip=False,
        )
        ticks.append(position)
        first = index == 0 or figure.what != panel[index - 1].what
        labels.append(f"{figure.what}   {figure.contender}" if first else figure.contender)
        position += 1
    axis.set_yticks(ticks, labels)
    axis.invert_yaxis()
    axis.margins(x=0.12, y=0.02)
    if logarithmic:
        axis.set_xscale("log")
    axis.set_xlabel(unit)
    axis.set_title(title, fontsize=10, loc="left")
    for side in ("top", "right", "left"):
        axis.spines[side].set_visible(False)
    axis.tick_params(axis="y", length=0)


def _colour(contender: str, panel: Sequence[Figure]) -> str:
    if contender in _COLOURS:
        return _COLOURS[contender]
    if contender.startswith("fieldstream"):
        return _OURS
    others = sorted({f.contender for f in panel if f.contender not in _COLOURS})
    return _OTHERS[others.index(contender) % len(_OTHERS)]
