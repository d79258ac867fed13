"""What LMs used, summed as DSPy's own usage tracker sums it.

Touches of DSPy: ``dspy.utils.usage_tracker.UsageTracker``.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from collections.abc import Mapping
from typing import Any

from fieldstream.tap.internals import do_without

_Tracker: Any = None
try:
    from dspy.utils.usage_tracker import UsageTracker

    _Tracker = UsageTracker
except ImportError as error:
    do_without("usage", error)


class Usage:
    """A sum of what was used, by model."""

    __slots__ = ("_tracker",)

    def __init__(self) -> None:
        self._tracker: Any = _Tracker() if _Tracker is not None else None

    def add(self, model: str, usage: Mapping[str, Any]) -> None:
        """So much more."""
        if self._tracker is not None:
            self._tracker.add_usage(model, dict(usage))

    def total(self) -> dict[str, dict[str, Any]]:
        """The sums."""
        return self._tracker.get_total_tokens() if self._tracker is not None else {}
