"""Which run a piece of code belongs to.

A run travels in a key of its own in DSPy's context settings. So it reaches wherever DSPy's own settings reach
(``dspy.Parallel``'s threads, ``asyncio.gather``, ``asyncio.to_thread``), and an inner ``dspy.context(callbacks=...)``
does not lose it.

Touches of DSPy: ``dspy.dsp.utils.settings.thread_local_overrides``. Setting it directly, where ``dspy.context`` would
copy all of the global configuration, keeps a later ``dspy.configure`` visible to the program, as in the plain call.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager
from contextvars import Token
from typing import TYPE_CHECKING, Any

from dspy.dsp.utils.settings import dotdict, thread_local_overrides

if TYPE_CHECKING:
    from fieldstream.tap.tap import Tap

_KEY = "fieldstream_tap"


def current_tap() -> "Tap | None":
    """The tap of the run that the calling code belongs to."""
    return thread_local_overrides.get().get(_KEY)


def override(**settings: Any) -> Token[Any]:
    """Set DSPy settings for the calling context, until ``restore``."""
    return thread_local_overrides.set(dotdict({**thread_local_overrides.get(), **settings}))


def restore(token: Token[Any]) -> None:
    """Take an ``override`` back."""
    thread_local_overrides.reset(token)


@contextmanager
def overriding(**settings: Any) -> Generator[None]:
    """Code in this block sees these DSPy settings."""
    token = override(**settings)
    try:
        yield
    finally:
        restore(token)


def tapped(tap: "Tap", **settings: Any) -> AbstractContextManager[None]:
    """Code in this block belongs to the tap's run, and sees these DSPy settings."""
    return overriding(**{_KEY: tap}, **settings)
