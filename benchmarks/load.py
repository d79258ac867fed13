"""Many streams at once, in one process on one core: what a chunk costs, how late it is seen, how many streams it bears.

Every contender has a process, whose streams stay open: in turn, they go on for a while, and wait. So what is measured
is streams in their midst, and nothing of how they begin and end. The generator is on the other core.
"""

import statistics
import time
from collections.abc import Generator as Generating
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from benchmarks.figures import Figure
from benchmarks.load_provider import Generator, Pace, Paced, generator
from benchmarks.load_readers import WAYS, Reader, Sample, reader
from benchmarks.plan import Plan
from benchmarks.provider import NotKeptUpError
from benchmarks.timing import ratio

SECTION = "load"
RATE = 20.0
STREAMS = 200
CPU_GOALS = {"async": 1.05, "sync": 0.5}
"""What fieldstream may cost, in floors."""
DELAY_GOAL = 5.0
"""Milliseconds by which its chunks may be later than the floor's, 99 of 100 of them."""
PATIENT = 0.25
"""Seconds of delay (99 of 100 chunks) with which there are too many streams."""
STEP = 100
"""By how many streams the load grows; by a fifth, where that is more."""
MOST = 4_000
ROUNDS = 5
"""At most: the clock passes here."""
LATE = 0.01
"""Seconds by which the generator may be late, with 99 of 100 chunks."""
SETTLE = 0.3
"""Seconds before and after a turn in which streams go on."""
TRIES = 8
"""So often a turn is taken in which the generator was later: another process has taken its core."""
OPENING = 60.0
"""Seconds in which streams must be open."""


def measure(plan: Plan) -> Iterator[Figure]:
    """A load that every contender bears, awaited and called; then, awaited, as much as it bears."""
    for way in WAYS:
        with _readers(plan, way) as (load, readers):
            yield from _steady(plan, load, readers, way)
            if way == "async":
                yield from _growing(plan, load, readers)


@contextmanager
def _readers(plan: Plan, way: str) -> Generating[tuple[Generator, dict[str, Reader]]]:
    with ExitStack() as stack:
        load = stack.enter_context(generator(plan.provider.core))
        readers = {
            contender: stack.enter_context(reader(f"{number}-{way}", way, contender, load.lm_kwargs))
            for number, contender in enumerate(WAYS[way])
        }
        yield load, readers


def _steady(plan: Plan, load: Generator, readers: dict[str, Reader], way: str) -> Iterator[Figure]:
    streams = 20 if plan.quick else STREAMS
    for each in readers.values():
        _open(load, each, streams)
    samples: dict[str, list[Sample]] = {name: [] for name in readers}
    late: list[float] = []
    names = list(readers)
    for turn in range(min(plan.rounds, ROUNDS)):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            sample, paced = _sample(load, readers[name], 0.5 if plan.quick else 1.5)
            samples[name].append(sample)
            late.append(paced.late)
    what = f"{streams} streams, {way}"
    arrival = f"paced, {RATE:g}/s each"
    cpu = {name: [sample.cpu for sample in each] for name, each in samples.items()}
    delays = {name: statistics.median(sample.delay * 1e3 for sample in each) for name, each in samples.items()}
    for name in readers:
        yield Figure(
            section=SECTION,
            what=what,
            arrival=arrival,
            contender=name,
            value=statistics.median(cpu[name]) * 1e6,
            unit="µs/chunk",
            against=None if name == "floor" else "floor",
            ratio=None if name == "floor" else ratio(cpu[name], cpu["floor"]),
            goal=CPU_GOALS[way] if name == "fieldstream" else None,
        )
    for name in readers:
        yield Figure(
            section=SECTION,
            what=f"{what}: delay, p99",
            arrival=arrival,
            contender=name,
            value=delays[name],
            unit="ms",
            goal=delays["floor"] + DELAY_GOAL if name == "fieldstream" else None,
        )
    yield Figure(
        section=SECTION,
        what=f"{what}: later than due, p99",
        arrival=arrival,
        contender="generator",
        value=max(late) * 1e3,
        unit="ms",
        goal=LATE * 1e3,
    )


def _growing(plan: Plan, load: Generator, readers: dict[str, Reader]) -> Iterator[Figure]:
    most = {name: _most(load, each, 40 if plan.quick else MOST, quick=plan.quick) for name, each in readers.items()}
    for name, streams in most.items():
        yield Figure(
            section=SECTION,
            what=f"streams with p99 over {PATIENT * 1e3:g} ms, async",
            arrival=f"paced, {RATE:g}/s each",
            contender=name,
            value=streams,
            unit="streams",
            against="floor" if name == "fieldstream" else None,
            ratio=streams / most["floor"] if name == "fieldstream" else None,
            goal=1.0 if name == "fieldstream" else None,
            at_least=True,
        )


def _most(load: Generator, reader: Reader, limit: int, *, quick: bool) -> int:
    """The number of streams at which a reader's delay is too long; the limit where it never is."""
    while (streams := load.waiting(reader.name)) < limit:
        _open(load, reader, 10 if quick else max(STEP, streams // 5))
        if _delay(load, reader, 0.5 if quick else 1.5) > PATIENT:
            return load.waiting(reader.name)
    return streams


def _delay(load: Generator, reader: Reader, seconds: float) -> float:
    """A reader's delay; where it is too long, the median of three turns."""
    delays = [_sample(load, reader, seconds)[0].delay]
    if delays[0] > PATIENT:
        delays += [_sample(load, reader, seconds)[0].delay for _ in range(2)]
    return statistics.median(delays)


def _sample(load: Generator, reader: Reader, seconds: float) -> tuple[Sample, Paced]:
    """What a reader and the generator did in a turn. Raises ``NotKeptUpError`` where the generator never kept up."""
    late = 0.0
    for _ in range(TRIES):
        reader.collect()
        begin = time.monotonic_ns() + int(2 * SETTLE * 1e9)
        reader.watch(begin, seconds)
        paced = load.pace(Pace(name=reader.name, rate=RATE, begin=begin, seconds=seconds, settle=SETTLE))
        sample = reader.sample(paced.chunks)
        late = paced.late
        if late <= LATE:
            return sample, paced
    raise NotKeptUpError(f"the generator was {late * 1e3:.0f} ms late, in the last of {TRIES} tries")


def _open(load: Generator, reader: Reader, streams: int) -> None:
    """Have more streams, and wait until there are."""
    expected = load.waiting(reader.name) + streams
    reader.open(streams)
    limit = time.monotonic() + OPENING
    while load.waiting(reader.name) < expected:
        if time.monotonic() > limit:
            raise TimeoutError(f"{load.waiting(reader.name)} of {expected} streams of {reader.name} are open")
        time.sleep(0.05)
    time.sleep(0.5)  # for the last ones to be read to where they wait
