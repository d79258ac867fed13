"""``python -m benchmarks``: every benchmark, as a table and a JSON file."""

import argparse
import json
import logging
from dataclasses import asdict
from pathlib import Path

import dspy

from benchmarks.chunk_cost import measure
from benchmarks.provider import provider


def main() -> None:
    """Run the benchmarks, print the table and write the file."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--chunks", type=int, default=2000, help="provider chunks in an answer (default: 2000)")
    parser.add_argument("--rounds", type=int, default=15, help="rounds that count (default: 15)")
    parser.add_argument("--json", type=Path, default=Path("build/bench.json"), help="where the figures go")
    arguments = parser.parse_args()
    logging.getLogger("dspy").setLevel(logging.ERROR)
    dspy.configure_cache(enable_disk_cache=False, enable_memory_cache=False)

    figures = []
    print(f"CPU per provider chunk: {arguments.chunks} chunks in bursts, median of {arguments.rounds} rounds in turn")
    print(f"{'':18}{'':20}{'µs':>8}{'of floor':>10}{'of dspy.streamify':>19}   goal")
    with provider() as lm_kwargs:
        for figure in measure(lm_kwargs, chunks=arguments.chunks, rounds=arguments.rounds):
            figures.append(asdict(figure) | {"met": figure.met})
            of_streamify = "" if figure.of_streamify is None else f"{figure.of_streamify:.2f}×"
            goal = "" if figure.goal is None else f"≤ {figure.goal} floor: {'met' if figure.met else 'NOT MET'}"
            print(
                f"{figure.setting:18}{figure.contender:20}{figure.microseconds:8.1f}{figure.of_floor:9.2f}×"
                f"{of_streamify:>19}   {goal}",
                flush=True,
            )
    arguments.json.parent.mkdir(parents=True, exist_ok=True)
    arguments.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
