"""Packages that only the benchmarks need. `make bench` installs them; no other environment of ours has them."""

from importlib import import_module
from typing import Any


class MissingPeerError(Exception):
    """A package to compare with, or to draw with, is not installed."""


def peer(module: str) -> Any:
    """The module. Raises `MissingPeerError` where its package is not installed."""
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != module.partition(".")[0]:
            raise
        raise MissingPeerError(f"{module} is not installed: `make bench` installs what the benchmarks need") from error
