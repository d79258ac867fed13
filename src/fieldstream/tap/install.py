"""Putting the tap in its places in DSPy, once in a process, at the first run.

Outside of a run, what stands there does what DSPy did.

Touches of DSPy: ``Settings.get``, by which ``with_callbacks`` in ``dspy.utils.callback`` finds the callbacks of a call.
In a run, ours is always among them, in front. Whoever else looks finds what the program put there.
"""

# pyright: reportPrivateUsage=false, reportPrivateImportUsage=false
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

import importlib.util
import sys
import threading
from typing import Any

from dspy.dsp.utils.settings import Settings
from dspy.utils import callback

from fieldstream.tap import litellm
from fieldstream.tap.current import current_tap
from fieldstream.tap.sockets import install_httpcore, install_native

_lock = threading.Lock()
_installed = False


def install() -> None:
    """Put the tap in place, if it is not there yet."""
    global _installed
    with _lock:
        if _installed:
            return
        _install_callbacks()
        litellm.install()
        install_httpcore()
        if importlib.util.find_spec("dspy.clients.execution") is not None:  # DSPy 3.4 and later
            from fieldstream.tap import attempts, engine

            attempts.install()
            engine.install()
            install_native()
        else:
            from fieldstream.tap import responses

            responses.install()
        _installed = True


def _install_callbacks() -> None:
    original = Settings.get
    asker: Any = vars(callback)

    def get(self: Settings, key: str, default: Any = None) -> Any:
        value = original(self, key, default)
        if key == "callbacks" and sys._getframe(1).f_globals is asker and (tap := current_tap()) is not None:
            return [tap.observer, *(value or [])]
        return value

    Settings.get = get
