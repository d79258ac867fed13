"""Putting the tap in its places in DSPy, once in a process, at the first run.

Outside of a run, what stands there does what DSPy did.

Touches of DSPy: ``Settings.get``, by which ``with_callbacks`` in ``dspy.utils.callback`` finds the callbacks of a call.
In a run, ours is always among them, in front. Whoever else looks finds what the program put there. And the ``time`` by
which the retries in ``dspy.clients.execution`` sleep (``sleep.py``).
"""

# pyright: reportPrivateUsage=false, reportPrivateImportUsage=false
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

import importlib.util
import inspect
import sys
import threading
from typing import Any

from fieldstream.tap.current import current_tap
from fieldstream.tap.internals import UnknownInternalError, known, lacking, put

_lock = threading.Lock()
_installed = False


def install() -> None:
    """Put the tap in place, if it is not there yet; without the parts whose place is not what it was."""
    global _installed
    with _lock:
        if _installed:
            return
        put("callbacks", _install_callbacks)
        put("litellm", _install_litellm)
        put("retrieval", _install_retrieval)
        put("waits", _install_httpcore)
        if importlib.util.find_spec("dspy.clients.execution") is not None:  # DSPy 3.4 and later
            put("engines", _install_engines)
            put("endings", _install_endings)
            if "endings" not in lacking:  # What comes in blocks is for our own decoder to take apart.
                put("bodies", _install_bodies)
            put("waits", _install_waits)
        else:
            put("usage", _install_responses)
        _installed = True


def _install_callbacks() -> None:
    from dspy.dsp.utils.settings import Settings
    from dspy.utils import callback

    original = known(Settings.get, "self", "key", "default")
    asker: Any = vars(callback)
    if not inspect.isfunction(asker.get("with_callbacks")):
        raise UnknownInternalError("`dspy.utils.callback.with_callbacks` is gone")

    def get(self: Settings, key: str, default: Any = None) -> Any:
        value = original(self, key, default)
        if key == "callbacks" and sys._getframe(1).f_globals is asker and (tap := current_tap()) is not None:
            return [tap.observer, *(value or [])]
        return value

    Settings.get = get


# Each part imports what it touches, so that one that cannot be imported is one that is lacking.


def _install_litellm() -> None:
    from fieldstream.tap.lms import litellm

    litellm.install()


def _install_retrieval() -> None:
    from fieldstream.tap import retrieval

    retrieval.install()


def _install_engines() -> None:
    from fieldstream.tap.lms import attempts

    attempts.install()


def _install_endings() -> None:
    from fieldstream.tap.lms import engine

    engine.install()


def _install_bodies() -> None:
    from fieldstream.tap.lms.stream import body

    body.install()


def _install_responses() -> None:
    from fieldstream.tap.lms import responses

    responses.install()


def _install_httpcore() -> None:
    from fieldstream.tap.waits import sockets

    sockets.install_httpcore()


def _install_waits() -> None:
    from dspy.clients import execution

    from fieldstream.tap.waits import sleep, sockets

    sockets.install_native()
    sleep.install_sleep(execution)
