"""Ours in the place of DSPy's own names, for programs that already use those."""

import sys
from typing import Any

_NAMES = (
    "StatusMessage",
    "StatusMessageProvider",
    "StreamListener",
    "StreamResponse",
    "apply_sync_streaming",
    "streamify",
    "streaming_response",
)

_originals: dict[tuple[str, str], Any] = {}


def install() -> None:
    """Put ``streamify`` and its companions in the place of DSPy's: ``dspy.streamify`` and those of its streaming.

    A program that took DSPy's names before (``from dspy import streamify``) keeps what it took. Installing again
    changes nothing.
    """
    import dspy

    import fieldstream

    theirs = f"{dspy.__name__}.streaming"
    for module_name, module in tuple(sys.modules.items()):
        if module is dspy or module_name == theirs or module_name.startswith(f"{theirs}."):
            for name in _NAMES:
                if name in vars(module) and (module_name, name) not in _originals:
                    _originals[module_name, name] = vars(module)[name]
                    setattr(module, name, getattr(fieldstream, name))


def uninstall() -> None:
    """Put DSPy's own names back."""
    while _originals:
        (module_name, name), original = _originals.popitem()
        setattr(sys.modules[module_name], name, original)
