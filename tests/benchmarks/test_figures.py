"""Figures: which goals are met, and what comparing contenders gives."""

from typing import Any

import pytest

from benchmarks.figures import Figure, compare


def figure(**members: Any) -> Figure:
    common: dict[str, Any] = {
        "section": "s",
        "what": "w",
        "arrival": "",
        "contender": "ours",
        "value": 3.0,
        "unit": "kB",
    }
    return Figure(**(common | members))


@pytest.mark.parametrize(
    ("members", "met"),
    [
        ({}, None),
        ({"against": "floor", "ratio": 1.2}, None),
        ({"against": "floor", "ratio": 1.2, "goal": 1.2}, True),
        ({"against": "floor", "ratio": 1.2004, "goal": 1.2}, False),
        ({"goal": 3.0}, True),
        ({"goal": 2.9}, False),
        ({"goal": 3.1, "at_least": True}, False),
        ({"against": "floor", "ratio": 1.2, "goal": 1.0, "at_least": True}, True),
        ({"value": 0.5, "against": "floor", "ratio": 1.2, "goal": 1.0}, False),
    ],
)
def test_whether_a_goal_is_met(members: dict[str, Any], met: bool | None) -> None:
    assert figure(**members).met is met


def test_a_ratio_is_of_something() -> None:
    with pytest.raises(ValueError, match="name what the ratio is of"):
        figure(ratio=1.2)
    with pytest.raises(ValueError, match="name what the ratio is of"):
        figure(against="floor")


def test_how_chunks_arrive_is_said_once() -> None:
    assert figure(section="chunks in bursts", arrival="bursts").title == "chunks in bursts"
    assert figure(section="growth", arrival="bursts").title == "growth (bursts)"
    assert figure(section="starting").title == "starting"


def test_contenders_are_compared_within_their_rounds() -> None:
    costs = {
        "fieldstream": [1.0, 2.0, 9.0],
        "fieldstream text": [2.0, 4.0, 6.0],
        "floor": [2.0, 4.0, 6.0],
        "dspy.streamify": [4.0, 20.0, 30.0],
    }
    goals = {"dspy.streamify": 0.2, "floor": 0.4, "httpx": 1.0}
    figures = list(compare(costs, goals, section="s", what="w", arrival="", unit="µs", scale=10))
    assert [(each.contender, each.value, each.against, each.ratio, each.goal) for each in figures] == [
        ("fieldstream", 20.0, "dspy.streamify", 0.25, 0.2),
        ("fieldstream", 20.0, "floor", 0.5, 0.4),
        ("fieldstream text", 40.0, "floor", 1.0, None),
        ("floor", 40.0, None, None, None),
        ("dspy.streamify", 200.0, "floor", 5.0, None),
    ]
