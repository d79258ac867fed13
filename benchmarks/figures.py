"""What a benchmark says: figures, and whether they are as good as they are meant to be."""

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.timing import ratio


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One line of the table: what a contender cost, and how that compares with another's."""

    section: str
    """As in "chunks in bursts"."""
    what: str
    """What was watched: "chat, async"."""
    arrival: str
    """How the chunks arrive: "bursts", "singly, 50/s", "paced, 20/s"; "" where nothing arrives."""
    contender: str
    """"fieldstream", "floor", "dspy.streamify", "httpx" …"""
    value: float
    """The median of the rounds."""
    unit: str
    against: str | None = None
    """The other contender, if the value is compared with one."""
    ratio: float | None = None
    """The median of the ratios of pairs that were taken in the same round; or of the value to a limit."""
    goal: float | None = None
    """What the ratio may be; where there is no `against`, what the value may be."""
    at_least: bool = False
    """The goal is a lower bound."""

    def __post_init__(self) -> None:
        if (self.against is None) != (self.ratio is None):
            raise ValueError("`against` and `ratio` go together: name what the ratio is of")

    @property
    def title(self) -> str:
        """The section, and how chunks arrive where its name does not say so."""
        return f"{self.section} ({self.arrival})" if self.arrival and self.arrival not in self.section else self.section

    @property
    def met(self) -> bool | None:
        """Whether the goal is met, where there is one. The figure counts as it is measured, not as it is rounded."""
        if self.goal is None:
            return None
        measured = self.value if self.ratio is None else self.ratio
        return measured >= self.goal if self.at_least else measured <= self.goal


def compare(
    costs: Mapping[str, Sequence[float]],
    goals: Mapping[str, float | None],
    *,
    section: str,
    what: str,
    arrival: str,
    unit: str,
    scale: float = 1.0,
) -> Iterator[Figure]:
    """The figures of contenders that took turns.

    That of "fieldstream" comes once for each of the others that `goals` names, with the goal for that ratio; those of
    the others are compared with the floor. `scale` makes the unit of what was measured.
    """
    for contender, each in costs.items():
        others = [other for other in goals if other in costs] if contender == "fieldstream" else ["floor"]
        for other in others if contender != "floor" else [None]:
            yield Figure(
                section=section,
                what=what,
                arrival=arrival,
                contender=contender,
                value=statistics.median(each) * scale,
                unit=unit,
                against=other,
                ratio=None if other is None else ratio(each, costs[other]),
                goal=goals[other] if contender == "fieldstream" and other is not None else None,
            )
