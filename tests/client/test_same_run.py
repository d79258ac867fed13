"""A run at a server is to its readers what the same run is in this process."""

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any, Literal

import dspy
import pytest
from msgspec.structs import replace

import fieldstream
from fieldstream import Redact, Run, SyncRun, Text
from fieldstream._merged import merged
from fieldstream.events import CallEnded, Event, RunStarted
from fieldstream.server import Expose, Limits
from fieldstream.simulator import Provider, simulate
from tests.client.programs import FIELDS, INPUTS, LISTS, STEPS, never, program, said
from tests.support.leftovers import no_threads_left
from tests.support.serving import Cuts, cut, on, served

NAMES = list(INPUTS)


@pytest.fixture
def provider() -> Iterator[Provider]:
    with no_threads_left(), simulate(never) as provider:
        yield provider


@contextmanager
def server(provider: Provider, name: str) -> Generator[str]:
    """A server of the program of this name, whose readers are told all."""
    options: Any = {"expose": Expose.everything(), "debug": True, "limits": Limits(write_interval=0.0)}
    adapter = dspy.JSONAdapter() if name == "json" else None
    with dspy.context(adapter=adapter), served({name: on(provider, program(name))}, **options) as url:
        yield url


def plain(events: list[Event]) -> list[Event]:
    """The events without their times, and without what tells one run from another."""
    found: list[Event] = []
    for event in merged(events):
        members: dict[str, Any] = {"at": 0.0}
        if isinstance(event, RunStarted):
            members |= {"run": "", "program": ""}
        elif isinstance(event, CallEnded):
            members["seconds"] = 0.0
        found.append(replace(event, **members))
    return found


def unnumbered(events: list[Event]) -> list[Event]:
    """The same of what went through transforms, where deltas have other numbers if some came as one."""
    return [replace(event, seq=0) for event in plain(events)]


def words(pieces: list[Text]) -> list[tuple[Any, ...]]:
    """Pieces of text, those joined that belong together."""
    found: list[tuple[Any, ...]] = []
    for piece in pieces:
        if found and found[-1][1] == piece.call and piece.reset is None:
            found[-1] = (found[-1][0] + str(piece), *found[-1][1:])
        else:
            found.append((str(piece), piece.call, piece.reset, piece.withdrawn))
    return found


def read(run: SyncRun, name: str, *, typed: bool) -> dict[str, Any]:
    """All that there is to read, when the run has ended."""
    result = run.wait()
    seen: dict[str, Any] = {"result": result, "outcome": run.outcome, "usage": run.usage}
    seen["events"] = plain(list(run))
    for field in FIELDS[name]:
        seen[f"text {field}"] = words(list(run.text(field)))
        seen[f"values {field}"] = list(run.values(field))
        if typed:
            seen[f"typed {field}"] = list(run.values(field, typed=True))
    for field in LISTS.get(name, []):
        seen[f"elements {field}"] = list(run.elements(field)) if typed else None
    seen["redacted"] = unnumbered(list(run.through(Redact("e"))))
    return seen


async def aread(run: Run, name: str, *, typed: bool) -> dict[str, Any]:
    """The same, while it goes on."""
    events = [event async for event in run]
    seen: dict[str, Any] = {}
    seen["events"] = plain(events)
    for field in FIELDS[name]:
        seen[f"text {field}"] = words([piece async for piece in run.text(field)])
        seen[f"values {field}"] = [value async for value in run.values(field)]
        if typed:
            seen[f"typed {field}"] = [value async for value in run.values(field, typed=True)]
    for field in LISTS.get(name, []):
        seen[f"elements {field}"] = [each async for each in run.elements(field)] if typed else None
    seen["redacted"] = unnumbered([event async for event in run.through(Redact("e"))])
    return {"result": await run.wait(), "outcome": run.outcome, "usage": run.usage, **seen}


@pytest.mark.parametrize("way", ["sync", "async"])
@pytest.mark.parametrize("name", NAMES)
async def test_it_reads_as_in_this_process(provider: Provider, name: str, way: Literal["sync", "async"]) -> None:
    provider.script(*said(name), *said(name))
    local = on(provider, program(name))
    with server(provider, name) as url:
        client = fieldstream.Client(url, programs={name: program(name)})
        if way == "sync":
            with fieldstream.stream(local, **INPUTS[name]) as run:
                expected = read(run, name, typed=True)
            with client.stream(name, **INPUTS[name]) as run:
                seen = read(run, name, typed=True)
        else:
            async with fieldstream.stream(local, **INPUTS[name]) as run:
                expected = await aread(run, name, typed=True)
            async with client.stream(name, **INPUTS[name]) as run:
                seen = await aread(run, name, typed=True)
    if "steps" in expected["result"]:
        # What a program returns is told in JSON.
        expected["result"] = dspy.Prediction(**{**expected["result"], "steps": STEPS})
    for what, value in expected.items():
        assert seen[what] == value, what


@pytest.mark.parametrize("name", NAMES)
def test_connections_that_break_change_nothing(provider: Provider, name: str) -> None:
    count = 12
    provider.script(*[answer for _ in range(count + 1) for answer in said(name)])
    with server(provider, name) as url:
        with fieldstream.Client(url).stream(name, **INPUTS[name]) as run:
            expected = read(run, name, typed=False)
        cuts = Cuts((450 + 200 * step for step in range(count)), (600 + 300 * (step % 9) for step in range(400)))
        with cut(url, cuts) as broken_url:
            client = fieldstream.Client(broken_url, backoff=0.001, retries=50)
            for _ in range(count):
                with client.stream(name, **INPUTS[name]) as run:
                    seen = read(run, name, typed=False)
                assert seen == expected
        assert cuts.starts == count
        assert cuts.broken > count // 2


@pytest.mark.parametrize("name", NAMES)
def test_who_follows_reads_the_same(provider: Provider, name: str) -> None:
    provider.script(*said(name))
    with server(provider, name) as url:
        client = fieldstream.Client(url)
        with client.stream(name, **INPUTS[name]) as run:
            expected = read(run, name, typed=False)
            seqs = [event.seq for event in run]
        with client.follow(run.id) as again:
            assert read(again, name, typed=False) == expected
        with client.follow(run.id, after=seqs[5]) as tail:
            assert plain(list(tail)) == plain([event for event in list(run) if event.seq > seqs[5]])
            assert tail.result == run.result
        with client.follow(run.id, after=seqs[-1]) as nothing:
            assert nothing.wait() == run.result
        with client.follow(run.id, snapshot=True) as whole:
            seen = read(whole, name, typed=False)
        for what, value in expected.items():
            if what.startswith("values"):
                assert seen[what][-1:] == value[-1:], what
            elif what in ("result", "outcome", "usage"):
                assert seen[what] == value, what
