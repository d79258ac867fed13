"""The sleep between an LM's retries: in a run, it ends with a cancel.

Those who retry synchronously call ``time.sleep``, by the name ``time`` in a module of theirs. There stands this one.
Asynchronous ones await, and end with their task.
"""

import time
from types import ModuleType
from typing import Any

from fieldstream.tap.current import current_tap
from fieldstream.tap.internals import UnknownInternalError


class InterruptibleTime:
    """The ``time`` module, save that a run's sleep does not outlast the run."""

    def __getattr__(self, name: str) -> Any:
        return getattr(time, name)

    @staticmethod
    def sleep(seconds: float) -> None:
        tap = current_tap()
        if tap is None:
            time.sleep(seconds)
        else:
            tap.cancellation.sleep(seconds)


def install_sleep(module: ModuleType) -> None:
    """Have the module's ``time.sleep`` end with a cancel. Done twice, it is done once."""
    found = vars(module).get("time")
    if found is time:
        setattr(module, "time", InterruptibleTime())  # noqa: B010 (its type says that it is `time` itself)
    elif not isinstance(found, InterruptibleTime):
        raise UnknownInternalError(f"`{module.__name__}` does not sleep by `time.sleep`")
