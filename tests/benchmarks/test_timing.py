"""Contenders in alternation."""

import time

import pytest

from benchmarks.timing import alternate, ratio


def test_each_has_its_turn_in_every_round_and_none_is_always_first() -> None:
    turns: list[str] = []
    costs = alternate({name: lambda name=name: turns.append(name) for name in "abc"}, rounds=3, warmup=1)
    assert "".join(turns) == "cab" + "abc" + "bca" + "cab"
    assert {name: len(each) for name, each in costs.items()} == {"a": 3, "b": 3, "c": 3}


def test_what_is_counted_is_cpu_and_not_time_that_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(time, "process_time", lambda: now)

    def work(seconds: float) -> None:
        nonlocal now
        now += seconds

    costs = alternate({"idle": lambda: None, "busy": lambda: work(6.0)}, rounds=2, per=3)
    assert costs == {"idle": [0.0, 0.0], "busy": [2.0, 2.0]}


def test_a_contender_that_fails_is_heard() -> None:
    def fail() -> None:
        raise AssertionError("another value")

    with pytest.raises(AssertionError, match="another value"):
        alternate({"wrong": fail}, rounds=1)


def test_a_ratio_is_the_median_of_pairs() -> None:
    assert ratio([1.0, 10.0, 3.0], [2.0, 10.0, 1.0]) == 1.0
    with pytest.raises(ValueError, match="shorter"):
        ratio([1.0, 2.0], [1.0])
