"""DSPy's settings, set for a piece of code.

Touches of DSPy: ``dspy.dsp.utils.settings.thread_local_overrides``. Setting it directly, where ``dspy.context`` would
copy all of the global configuration, keeps a later ``dspy.configure`` visible to the program, as in the plain call.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import Token
from typing import Any

from dspy.dsp.utils.settings import dotdict, thread_local_overrides


def overridden(name: str) -> Any:
    """The value that the setting has in the calling context, where it has one of its own there."""
    return thread_local_overrides.get().get(name)


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
