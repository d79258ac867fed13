"""Modules that try another module several times and choose one of the results: ``BestOfN`` and ``Refine``.

Touches of DSPy: their ``module``, of which they call copies, each an attempt; and that they return the very object that
the chosen attempt returned.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

import dspy

from fieldstream.tap.names import Names
from fieldstream.tap.opened import Opened


def attempt_number(parent: Opened | None, module: dspy.Module, names: Names) -> int | None:
    """Which of its parent's attempts, counted from 1, a call of this module is; ``None``: it is none."""
    if parent is None or not isinstance(parent.instance, dspy.BestOfN | dspy.Refine):
        return None
    tried = parent.instance.module
    if module is tried or type(module) is not type(tried) or names.of(module) != names.of(tried):
        return None  # The judge of a reward function, or what advises `Refine`.
    return len(parent.attempts) + 1


def chosen(opened: Opened, result: object) -> str | None:
    """The id of the attempt that gave this result to the call that made the attempts."""
    if result is None:
        return None
    return next((attempt.call.id for attempt in opened.attempts if attempt.result is result), None)
