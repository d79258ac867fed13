"""``python -m benchmarks``: every benchmark, or some, as a table, a JSON file and plots."""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks import page, plots, table
from benchmarks.figures import Figure
from benchmarks.report import Report, report
from benchmarks.section import SECTIONS, measured


def main() -> None:
    """Run the benchmarks, print the table, write the file and draw."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("sections", nargs="*", metavar="section", help=f"of {', '.join(SECTIONS)} (default: all)")
    parser.add_argument("--rounds", type=int, default=7, help="rounds that count (default: 7)")
    parser.add_argument(
        "--quick", action="store_true", help="smoke-sized, to see that it works: the figures say nothing"
    )
    parser.add_argument("--json", type=Path, default=Path("build/bench.json"), help="where the figures go")
    parser.add_argument("--plots", type=Path, default=Path("build/bench"), help="where the plots go")
    parser.add_argument(
        "--docs", action="store_true", help="write the figures and plots of all sections into docs/, too"
    )
    parser.add_argument("--read", action="store_true", help="measure nothing: take the figures of the JSON file")
    parser.add_argument("--record", action="store_true", help="only record the ratios that the tests guard")
    arguments = parser.parse_args()
    if unknown := [name for name in arguments.sections if name not in SECTIONS]:
        parser.error(f"there is no section {', '.join(unknown)}; there are {', '.join(SECTIONS)}")
    if arguments.record:
        _record()
        return
    if arguments.read:
        done, failed = Report.read(arguments.json), []
        for line in (line for figures in done.sections.values() for line in table.lines(figures)):
            print(line)
    else:
        done, failed = _run(arguments.sections or SECTIONS, arguments.rounds, quick=arguments.quick)
        done.write(arguments.json)
    for name, figures in done.sections.items():
        plots.plot(figures, arguments.plots / f"{name}.svg")
    print(f"\n{_summary(done)}; {arguments.json}, {arguments.plots}/*.svg")
    if failed:
        sys.exit(f"not measured: {', '.join(failed)}")
    if arguments.docs:
        page.update(done)


def _run(names: tuple[str, ...], rounds: int, *, quick: bool) -> tuple[Report, list[str]]:
    """A report, and the names of the sections that failed."""
    sections: dict[str, list[Figure]] = {}
    failed: list[str] = []
    for name in names:
        figures: list[Figure] = []
        for line in table.lines(_kept(measured(name, rounds, failed, quick=quick), figures)):
            print(line, flush=True)
        if name not in failed:
            sections[name] = figures
    return report(sections, rounds=rounds, quick=quick), failed


def _kept(figures: Iterator[Figure], into: list[Figure]) -> Iterator[Figure]:
    for figure in figures:
        into.append(figure)
        yield figure


def _record() -> None:
    from benchmarks.guard import record

    print(record())


def _summary(done: Report) -> str:
    figures = [figure for section in done.sections.values() for figure in section if figure.met is not None]
    missed = sum(figure.met is False for figure in figures)
    return f"{len(figures)} goals, {missed} missed"


if __name__ == "__main__":
    main()
