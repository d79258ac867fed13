"""CPU that passes before anything runs: imports, and the command's help."""

import os
import resource
import statistics
import subprocess
import sys
from collections.abc import Iterator
from tempfile import TemporaryDirectory

from benchmarks.figures import Figure
from benchmarks.plan import Plan

IMPORTS = """
import time, dspy
began = time.process_time()
import fieldstream
imported = time.process_time()
fieldstream.stream
print(imported - began, time.process_time() - began)
"""
DSPY = "import time; began = time.process_time(); import dspy; print(time.process_time() - began)"
HELP = [sys.executable, "-m", "fieldstream", "--help"]
HELP_MODULES = """
import sys
from fieldstream.cli import main
try:
    main(["--help"])
except SystemExit:
    pass
print(sum(name.partition(".")[0] == "dspy" for name in sys.modules))
"""


def measure(plan: Plan) -> Iterator[Figure]:
    """Each in new processes, in turn, after one that has written the bytecode, as an installation has it."""
    with TemporaryDirectory() as bytecode:
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        yield from _figures(1 if plan.quick else plan.rounds, environment | {"PYTHONPYCACHEPREFIX": bytecode})


def _figures(rounds: int, environment: dict[str, str]) -> Iterator[Figure]:
    dspy: list[float] = []
    bare: list[float] = []
    used: list[float] = []
    help_: list[float] = []
    for turn in range(-1, rounds):
        (of_dspy,) = _numbers(DSPY, environment)
        bare_import, first_use = _numbers(IMPORTS, environment)
        of_help = _cpu(HELP, environment)
        if turn >= 0:
            dspy.append(of_dspy)
            bare.append(bare_import)
            used.append(first_use)
            help_.append(of_help)
    yield _figure("import dspy", "dspy", dspy)
    yield _figure("beyond import dspy: import fieldstream", "fieldstream", bare, goal=30)
    yield _figure("beyond import dspy: fieldstream.stream", "fieldstream", used, goal=30)
    yield _figure("fieldstream --help, in all", "fieldstream", help_, goal=150)
    modules = _numbers(HELP_MODULES, environment)[-1]
    yield Figure(
        section="starting",
        what="modules of DSPy that it imports",
        arrival="",
        contender="fieldstream",
        value=modules,
        unit="modules",
        goal=0,
    )


def _figure(what: str, contender: str, costs: list[float], goal: float | None = None) -> Figure:
    return Figure(
        section="starting",
        what=what,
        arrival="",
        contender=contender,
        value=statistics.median(costs) * 1e3,
        unit="ms CPU",
        goal=goal,
    )


def _numbers(program: str, environment: dict[str, str]) -> list[float]:
    """The numbers in the last line that a program prints."""
    command = [sys.executable, "-c", program]
    ran = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment)
    return [float(word) for word in ran.stdout.splitlines()[-1].split()]


def _cpu(command: list[str], environment: dict[str, str]) -> float:
    """CPU seconds of a whole process, the interpreter's start included."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True, env=environment)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
