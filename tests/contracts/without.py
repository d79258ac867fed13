"""A process of its own, in which an internal of DSPy is not what the tap knows: what does a run give there?

Nothing of the tap may be imported before that is so.
"""

import asyncio
import importlib
import logging
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

CHAT = (
    "[[ ## reasoning ## ]]\nAir scatters blue light the most.\n\n[[ ## answer ## ]]\nBlue, as ever.\n\n"
    "[[ ## numbers ## ]]\n[1, 2, 3]\n\n[[ ## share ## ]]\n0.5\n\n[[ ## completed ## ]]"
)


def hide(module: str, name: str) -> None:
    """The module has no such name, where fieldstream asks. It has it for DSPy, which would go on under another."""
    hidden = importlib.import_module(module)

    class Without(ModuleType):
        def __getattr__(self, asked: str) -> Any:
            if asked == name and sys._getframe(1).f_globals["__name__"].startswith("fieldstream."):
                raise AttributeError(f"module {module!r} has no attribute {asked!r}")
            return getattr(hidden, asked)

        def __setattr__(self, asked: str, value: Any) -> None:
            setattr(hidden, asked, value)

    without = Without(module)
    sys.modules[module] = without
    package, _, leaf = module.rpartition(".")
    if package and vars(importlib.import_module(package)).get(leaf) is hidden:
        setattr(importlib.import_module(package), leaf, without)


def change(module: str, path: str) -> None:
    """A function takes its arguments in another way."""
    holder: Any = importlib.import_module(module)
    *above, name = path.split(".")
    for each in above:
        holder = getattr(holder, each)
    original: Any = vars(holder)[name]

    def changed(*arguments: Any, **options: Any) -> Any:
        return original(*arguments, **options)

    changed.__qualname__, changed.__module__, changed.__name__ = path, module, name
    setattr(holder, name, changed)


def replace_time(module: str) -> None:
    """The module's ``time`` is something else."""

    class Clock:
        def __getattr__(self, name: str) -> Any:
            import time

            return getattr(time, name)

    vars(importlib.import_module(module))["time"] = Clock()


WAYS: dict[str, Callable[..., None]] = {"hide": hide, "change": change, "time": replace_time}


class _Log(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


def run(way: str, module: str, *name: str, engine: str | None = None) -> tuple[set[str], list[str], list[int]]:
    """Stream a program where that is so, and check that all is right.

    Gives the parts of the tap that are lacking, what was logged of it, and in how many pieces a text came: in a thread,
    and in a loop.
    """
    WAYS[way](module, *name)
    logging.getLogger("fieldstream").addHandler(log := _Log())

    import dspy

    import fieldstream
    from fieldstream.events import CallEnded, Event, FieldDelta
    from fieldstream.simulator import simulate
    from fieldstream.tap.internals import lacking
    from tests.support.order import check_order
    from tests.support.values import check_exact

    dspy.configure_cache(enable_disk_cache=False, enable_memory_cache=False)
    signature: Any = "question -> answer, numbers: list[int], share: float"
    program = dspy.ChainOfThought(signature)
    inputs = {"question": "Why is the sky blue?"}

    async def awaited() -> tuple[list[Event], Any]:
        async with fieldstream.stream(program, **inputs) as run:
            return [event async for event in run], run.result

    def blocking() -> tuple[list[Event], Any]:
        with fieldstream.stream(program, **inputs) as run:
            return list(run), run.result

    pieces: list[int] = []
    with simulate(lambda _: CHAT) as provider:
        options: dict[str, Any] = {"engine": engine} if engine is not None else {}
        lm = dspy.LM(provider.model, **provider.lm_kwargs, cache=False, **options)
        with dspy.context(lm=lm):
            plain = program(**inputs)
            for events, result in (blocking(), asyncio.run(awaited())):
                assert dict(result) == dict(plain)
                check_order(events)
                check_exact(events)
                fields = [event.fields for event in events if isinstance(event, CallEnded) and event.fields is not None]
                assert fields == [dict(plain)]
                cached = [event for event in events if isinstance(event, CallEnded) and event.cached]
                assert not cached
                pieces.append(sum(isinstance(event, FieldDelta) and event.field == "reasoning" for event in events))
    return set(lacking), log.lines, pieces
