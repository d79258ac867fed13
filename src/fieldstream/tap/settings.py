"""DSPy's settings, set for a piece of code.

Touches of DSPy: ``dspy.dsp.utils.settings.thread_local_overrides``, which holds a ``dotdict``. Setting it directly,
where ``dspy.context`` would copy all of the global configuration, keeps a later ``dspy.configure`` visible to the
program, as in the plain call. Where it is not there, ``dspy.context`` is taken.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import dspy

from fieldstream.tap.internals import do_without

_overrides: Any = None
_make: Any = dict
try:
    from dspy.dsp.utils.settings import dotdict, thread_local_overrides

    _overrides, _make = thread_local_overrides, dotdict
except ImportError as error:
    do_without("settings", error)


def overridden(name: str) -> Any:
    """The value that the setting has in the calling context, where it has one of its own there."""
    return dspy.settings.get(name) if _overrides is None else _overrides.get().get(name)


def override(**settings: Any) -> Any:
    """Set DSPy settings for the calling context, until ``restore`` takes back what comes."""
    if _overrides is None:
        context = dspy.context(**settings)
        context.__enter__()
        return context
    return _overrides.set(_make({**_overrides.get(), **settings}))


def restore(token: Any) -> None:
    """Take an ``override`` back."""
    if _overrides is None:
        token.__exit__(None, None, None)
    else:
        _overrides.reset(token)


def overriding(**settings: Any) -> AbstractContextManager[None]:
    """Code in this block sees these DSPy settings."""
    if _overrides is not None:
        now = _overrides.get()
        if all(name in now and now[name] is value for name, value in settings.items()):
            return nullcontext()  # It sees them already.
    return _overriding(settings)


@contextmanager
def _overriding(settings: dict[str, Any]) -> Generator[None]:
    token = override(**settings)
    try:
        yield
    finally:
        restore(token)
