"""CPU time of contenders that take turns.

The machine's pace drifts, and other processes take their share: so what is compared is the ratio within a round, and
what is told its median over the rounds.
"""

import gc
import statistics
import time
from collections.abc import Callable, Mapping, Sequence


def alternate(
    contenders: Mapping[str, Callable[[], object]], *, rounds: int, per: int = 1, warmup: int = 1
) -> dict[str, list[float]]:
    """What each contender costs: CPU seconds of this process, all threads, divided by `per`, one for each round.

    A round runs each contender once. Each round begins with the next one, so that none is always the first after
    another. Rounds of `warmup` do not count.
    """
    costs: dict[str, list[float]] = {name: [] for name in contenders}
    names = list(contenders)
    for turn in range(-warmup, rounds):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            gc.collect()
            before = time.process_time()
            contenders[name]()
            cost = (time.process_time() - before) / per
            if turn >= 0:
                costs[name].append(cost)
    return costs


def ratio(costs: Sequence[float], others: Sequence[float]) -> float:
    """The median of the ratios of the pairs, one from each round. Raises `ValueError` where there are not as many."""
    return statistics.median(cost / other for cost, other in zip(costs, others, strict=True))
