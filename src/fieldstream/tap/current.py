"""Which run a piece of code belongs to.

A run travels in a key of its own in DSPy's context settings. So it reaches wherever DSPy's own settings reach
(``dspy.Parallel``'s threads, ``asyncio.gather``, ``asyncio.to_thread``), and an inner ``dspy.context(callbacks=...)``
does not lose it.
"""

# pyright: reportUnknownMemberType=false

from contextlib import AbstractContextManager
from typing import Any

import dspy

from fieldstream.tap.internals import lacking
from fieldstream.tap.settings import overridden, overriding
from fieldstream.tap.tap import Tap

_KEY = "fieldstream_tap"


def current_tap() -> Tap | None:
    """The tap of the run that the calling code belongs to."""
    return overridden(_KEY)


def tapped(tap: Tap, **settings: Any) -> AbstractContextManager[None]:
    """Code in this block belongs to the tap's run, and sees these DSPy settings."""
    if "callbacks" in lacking:  # Then ours is one among those that the program may hide.
        settings["callbacks"] = [tap.observer, *(dspy.settings.get("callbacks") or [])]
    return overriding(**{_KEY: tap}, **settings)
