"""A section of the benchmarks: a module with `measure(plan)`, which runs in a process of its own."""

import logging
import multiprocessing
import os
from collections.abc import Iterator
from importlib import import_module
from typing import TYPE_CHECKING

from benchmarks.figures import Figure

if TYPE_CHECKING:
    from multiprocessing.connection import Connection, PipeConnection

SECTIONS = ("chunks", "singly", "litellm", "growth", "memory", "values", "first_text", "load", "serving", "startup")
"""The modules that measure, in the order of the table."""


def measured(name: str, rounds: int, failed: list[str], *, quick: bool) -> Iterator[Figure]:
    """The figures of a section as they come; its name is added to `failed` where it does not come to its end.

    It has a process of its own: what one section leaves behind costs another nothing.
    """
    here, there = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("spawn").Process(target=_section, args=(name, rounds, quick, there))
    process.start()
    there.close()
    try:
        while True:
            yield here.recv()
    except EOFError:
        pass
    process.join()
    if process.exitcode:
        failed.append(name)


def prepare() -> None:
    """Set up DSPy in a process that measures: no cache, no network but the provider's, and no warnings of either."""
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # else LiteLLM asks the network for its price list
    import dspy

    logging.getLogger("dspy").setLevel(logging.ERROR)
    dspy.configure_cache(enable_disk_cache=False, enable_memory_cache=False)


def _section(name: str, rounds: int, quick: bool, figures: "Connection | PipeConnection") -> None:
    from benchmarks.plan import Plan
    from benchmarks.provider import provider

    prepare()
    with provider() as one:
        for figure in import_module(f"benchmarks.{name}").measure(Plan(provider=one, rounds=rounds, quick=quick)):
            figures.send(figure)
