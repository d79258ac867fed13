"""The ratios that the tests guard: a benchmark that is small enough for them, and what it gave when it was recorded.

DSPy's own cost changes with its version, and so does fieldstream's way through it: each version has its own record.
"""

import asyncio
import json
import multiprocessing
from collections.abc import Collection, Mapping
from contextlib import closing
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import dspy

from benchmarks.chunks import ADAPTERS, list_contenders, text_contenders
from benchmarks.plan import Plan
from benchmarks.provider import model, provider
from benchmarks.section import prepare
from benchmarks.timing import alternate, ratio

if TYPE_CHECKING:
    from multiprocessing.connection import Connection, PipeConnection


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())


RECORDED = Path(__file__).with_name("recorded.json")
CASES = {"chat, async": "chat-text", "json list, async": "json-models", "chat, sync": "chat-text"}
"""What is watched, and the model that writes it."""
WORSE = 1.5
"""How many times the recorded ratio is too much."""
ROUNDS = 7
_CHUNKS = 1000 if _numbers(version("dspy")) >= (3, 4) else 150
"""In an answer. Before 3.4 all of DSPy's LMs are LiteLLM's, and a chunk costs thirty times as much."""


def ratios(cases: Collection[str] = tuple(CASES), rounds: int = ROUNDS) -> dict[str, float]:
    """What fieldstream's events cost in each case, in floors.

    Measured in a process of its own, so that it is the same in a test, with all that a test process carries.
    Raises `RuntimeError` where it does not come to its end.
    """
    here, there = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("spawn").Process(target=_measure, args=(tuple(cases), rounds, there))
    process.start()
    there.close()
    with closing(here):
        try:
            return here.recv()
        except EOFError:
            raise RuntimeError("the benchmark failed; its process says why") from None
        finally:
            process.join()


def too_slow(ratios: Mapping[str, float], recorded: Mapping[str, float]) -> dict[str, str]:
    """The cases that cost too much, each with a sentence that says so."""
    return {
        case: f"{case}: {ratio:.2f} × floor, recorded were {recorded[case]:.2f}, and {WORSE} × that is too much"
        for case, ratio in ratios.items()
        if ratio > WORSE * recorded[case]
    }


def recorded(of: str | None = None) -> dict[str, float]:
    """The recorded ratios with this version of DSPy, or with the one before it that has a record, or the first."""
    records: dict[str, dict[str, float]] = json.loads(RECORDED.read_text(encoding="utf-8"))
    mine = _numbers(of or version("dspy"))
    versions = sorted(records, key=_numbers)
    return records[max((each for each in versions if _numbers(each) <= mine), key=_numbers, default=versions[0])]


def record() -> str:
    """Measure, and record the ratios with the DSPy that is installed. Gives a line that says what they are."""
    records = json.loads(RECORDED.read_text(encoding="utf-8")) if RECORDED.exists() else {}
    now = {case: round(ratio, 3) for case, ratio in ratios(rounds=3 * ROUNDS).items()}
    records[version("dspy")] = now
    RECORDED.write_text(json.dumps(dict(sorted(records.items())), indent=2) + "\n", encoding="utf-8")
    return f"DSPy {version('dspy')}: {', '.join(f'{case} {ratio} × floor' for case, ratio in now.items())}"


def _measure(cases: tuple[str, ...], rounds: int, result: "Connection | PipeConnection") -> None:
    prepare()
    with provider() as one, asyncio.Runner() as runner:
        plan = Plan(provider=one, rounds=rounds)
        result.send({case: _ratio(plan, runner, case) for case in cases})


def _ratio(plan: Plan, runner: asyncio.Runner, case: str) -> float:
    form, kind = CASES[case].split("-")
    make = text_contenders if kind == "text" else list_contenders
    with dspy.context(adapter=ADAPTERS[form]):
        made = make(plan, runner, case.rpartition(" ")[2], model(form, kind, _CHUNKS))
        costs = alternate({name: made[name] for name in ("fieldstream", "floor")}, rounds=plan.rounds)
    return ratio(costs["fieldstream"], costs["floor"])
