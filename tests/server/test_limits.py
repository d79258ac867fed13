"""Limits: places for runs and who waits for one, times, and how long runs are kept."""

import asyncio
import gc
import weakref
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import dspy
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldstream.server import Limits
from fieldstream.server.errors import ApiError
from fieldstream.server.limits import Places
from fieldstream.simulator import Provider, simulate
from tests.server.serving import ASKED, Served, on, served
from tests.support.leftovers import no_threads_left
from tests.support.reading import Gated, chat

SAID = chat(answer="Because.")


@pytest.fixture
def provider() -> Iterator[Provider]:
    with simulate() as provider:
        yield provider


def qa(provider: Provider) -> Any:
    return on(provider, dspy.Predict("question -> answer"))


async def settled() -> None:
    """All that can go on has gone on."""
    for _ in range(5):
        await asyncio.sleep(0)


# Places


def full_for(places: Places, client: str) -> asyncio.Task[None]:
    return asyncio.get_running_loop().create_task(places.take(client))


async def test_who_waits_gets_a_place_in_order() -> None:
    places = Places(Limits(max_runs=1))
    await places.take("a")
    waiting = [full_for(places, "a"), full_for(places, "b"), full_for(places, "a")]
    await settled()
    assert (places.taken, places.queued) == (1, 3)
    for number, client in enumerate("aba"):
        assert [task.done() for task in waiting] == [at < number for at in range(3)]
        places.give_back("a" if number == 0 else "aba"[number - 1])
        await settled()
        assert waiting[number].done(), client
    assert (places.taken, places.queued) == (1, 0)


async def test_who_is_at_his_own_limit_keeps_no_other_waiting() -> None:
    places = Places(Limits(max_runs=3, max_runs_per_client=1))
    await places.take("a")
    waiting = full_for(places, "a")
    await settled()
    await asyncio.wait_for(places.take("b"), 1)
    assert not waiting.done()
    places.give_back("b")
    await settled()
    assert not waiting.done()
    places.give_back("a")
    await asyncio.wait_for(waiting, 1)


async def test_who_leaves_the_queue_holds_no_place() -> None:
    places = Places(Limits(max_runs=1))
    await places.take("a")
    leaver, stayer = full_for(places, "a"), full_for(places, "b")
    await settled()
    leaver.cancel()
    await settled()
    assert places.queued == 1
    places.give_back("a")
    await asyncio.wait_for(stayer, 1)


async def test_who_leaves_as_he_is_given_a_place_gives_it_back() -> None:
    places = Places(Limits(max_runs=1))
    await places.take("a")
    leaver, stayer = full_for(places, "a"), full_for(places, "b")
    await settled()
    places.give_back("a")  # It is the leaver's now, who has not heard of it,
    leaver.cancel()  # and never will.
    with suppress(asyncio.CancelledError):
        await leaver
    await asyncio.wait_for(stayer, 1)
    assert (places.taken, places.queued) == (1, 0)


async def test_who_waits_too_long_is_told_when_to_come_again() -> None:
    places = Places(Limits(max_runs=1, max_queue_seconds=0.01))
    await places.take("a")
    with pytest.raises(ApiError) as refused:
        await places.take("b")
    assert refused.value.status_code == 429
    assert refused.value.headers == {"Retry-After": "1"}
    assert "1 runs go on" in refused.value.message
    assert (places.taken, places.queued) == (1, 0)


async def test_a_queue_has_an_end() -> None:
    places = Places(Limits(max_runs=2, max_runs_per_client=1, max_queued=1))
    await places.take("a")
    waiting = full_for(places, "a")
    await settled()
    with pytest.raises(ApiError) as refused:
        await places.take("a")
    assert "1 of your runs" in refused.value.message
    waiting.cancel()


async def test_who_is_sent_away_hears_why() -> None:
    places = Places(Limits(max_runs=1))
    await places.take("a")
    waiting = [full_for(places, "b"), full_for(places, "c")]
    await settled()
    waiting[1].cancel()
    places.send_away(lambda: ApiError(503, "closed", "no more"))
    with pytest.raises(ApiError, match="no more"):
        await waiting[0]
    with pytest.raises((asyncio.CancelledError, ApiError)):
        await waiting[1]
    assert (places.taken, places.queued) == (1, 0)


_STEPS = st.lists(
    st.tuples(st.sampled_from(["take", "leave", "give_back", "grant_and_leave"]), st.integers(0, 9)), max_size=40
)


@given(_STEPS)
def test_no_place_is_lost_and_none_given_twice(steps: list[tuple[str, int]]) -> None:
    async def play() -> None:
        limits = Limits(max_runs=3, max_runs_per_client=2, max_queue_seconds=60)
        places = Places(limits)
        held: list[str] = []
        waiting: list[tuple[str, asyncio.Task[None]]] = []

        def collect() -> None:
            for each in tuple(waiting):
                client, task = each
                if task.done():
                    waiting.remove(each)
                    if not task.cancelled():
                        held.append(client)

        for what, which in steps:
            match what:
                case "take":
                    client = "abc"[which % 3]
                    waiting.append((client, full_for(places, client)))
                case "leave" if waiting:
                    waiting[which % len(waiting)][1].cancel()
                case "give_back" if held:
                    places.give_back(held.pop(which % len(held)))
                case "grant_and_leave" if held and waiting:
                    places.give_back(held.pop(which % len(held)))
                    waiting[which % len(waiting)][1].cancel()
                case _:
                    pass
            await settled()
            collect()
            counts = {client: held.count(client) for client in "abc"}
            assert places.taken == len(held) <= limits.max_runs
            assert max(counts.values()) <= 2
            assert places.queued == len(waiting)
            for client, _ in waiting:  # Nobody waits for what is free.
                assert len(held) == limits.max_runs or counts[client] == 2
        for _, task in waiting:
            task.cancel()
        await settled()

    asyncio.run(play())


@pytest.mark.parametrize(
    "limits", [{"max_runs": 0}, {"max_body": 0}, {"keep_seconds": -1}, {"max_runs_per_client": 0}, {"max_queued": -1}]
)
def test_a_limit_that_makes_no_sense_is_an_error(limits: Any) -> None:
    with pytest.raises(ValueError, match=next(iter(limits))):
        Limits(**limits)


# Over HTTP


def test_a_run_waits_for_its_turn(provider: Provider) -> None:
    with served({"qa": qa(provider)}, limits=Limits(max_runs=1)) as server:
        gated = Gated(SAID)
        provider.script(gated.answer, SAID)
        first = server.start()
        with server.http.stream("GET", f"/runs/{first}/events"):
            second = _asking(server)
            server.until(lambda: server.host.runs.places.queued == 1)
            gated.finish()
            assert second.result()["outcome"] == "completed"
        assert server.ended(first)["outcome"] == "completed"
        assert (server.host.runs.places.taken, server.host.runs.places.queued) == (0, 0)


def _asking(server: Served, **options: Any) -> Any:
    """Ask for a run, in the server's loop; a future of its answer."""

    async def ask() -> Any:
        async with httpx.AsyncClient(base_url=server.url, timeout=30) as client:
            wanted: dict[str, Any] = {"json": ASKED, "headers": {"Accept": "application/json"}, **options}
            answer = await client.post("/programs/qa/runs", **wanted)
            return answer.json()

    return asyncio.run_coroutine_threadsafe(ask(), server.loop)


def test_who_goes_away_while_he_waits_leaves_the_queue(provider: Provider) -> None:
    with served({"qa": qa(provider)}, limits=Limits(max_runs=1)) as server:
        gated = Gated(SAID)
        provider.script(gated.answer)
        first = server.start()
        with pytest.raises(httpx.ReadTimeout):
            server.http.post("/programs/qa/runs", json=ASKED, timeout=httpx.Timeout(5, read=0.1))
        server.until(lambda: server.host.runs.places.queued == 0)
        gated.finish()
        server.ended(first)
        server.until(lambda: server.host.runs.places.taken == 0)
        assert server.figure("runs_started_total", program="qa") == 1


def test_too_many_are_told_when_to_come_again(provider: Provider) -> None:
    with served({"qa": qa(provider)}, limits=Limits(max_runs=1, max_queued=0, max_queue_seconds=7)) as server:
        gated = Gated(SAID)
        provider.script(gated.answer)
        first = server.start()
        answer = server.http.post("/programs/qa/runs", json=ASKED)
        assert answer.status_code == 429
        assert answer.headers["retry-after"] == "7"
        assert answer.json()["error"]["code"] == "too_many_runs"
        assert server.figure("requests_refused_total", code="too_many_runs") == 1
        gated.finish()
        server.ended(first)


def test_a_tokens_limit_is_no_others(provider: Provider) -> None:
    limits = Limits(max_runs=5, max_runs_per_client=1, max_queued=0)
    with served({"qa": qa(provider)}, limits=limits, tokens=["one", "two"]) as server:
        gated = [Gated(SAID), Gated(SAID)]
        provider.script(*[each.answer for each in gated])

        def ask(token: str) -> int:
            headers = {"Prefer": "respond-async", "Authorization": f"Bearer {token}"}
            return server.http.post("/programs/qa/runs", json=ASKED, headers=headers).status_code

        assert [ask("one"), ask("one"), ask("two"), ask("two")] == [202, 429, 202, 429]
        for each in gated:
            each.finish()


@pytest.mark.parametrize(
    ("limits", "error"),
    [
        (Limits(max_run_seconds=0.05), {"kind": "timeout", "message": "the run took longer than 0.05 s"}),
        (Limits(max_idle_seconds=0.05), {"kind": "idle", "message": "the run said nothing for 0.05 s"}),
    ],
)
def test_a_run_that_takes_too_long_is_ended_and_says_so(
    provider: Provider, limits: Limits, error: dict[str, str]
) -> None:
    with served({"qa": qa(provider)}, limits=limits) as server:
        gated = Gated(SAID)
        provider.script(gated.answer)
        state = server.ended(server.start())
        assert (state["outcome"], state["error"]) == ("cancelled", error)
        provider.wait_for(lambda: provider.requests[-1].disconnected.is_set())
        gated.finish()


def test_what_is_not_shown_is_a_sign_of_life_all_the_same(provider: Provider) -> None:
    program = on(provider, dspy.ChainOfThought("question -> answer"))
    with served({"qa": program}, limits=Limits(max_idle_seconds=30)) as server:
        gated = Gated("[[ ## reasoning ## ]]\n", "thinking ", "harder ", "[[ ## answer ## ]]\nyes")
        provider.script(gated.answer)
        id = server.start()
        run = server.run(id)
        gated.let(2)
        provider.wait_for(lambda: provider.requests and provider.requests[-1].chunks_sent >= 2)
        before, shown = run.heard_at, len(run.log)
        gated.let()
        server.until(lambda: run.heard_at > before)
        assert len(run.log) == shown
        gated.finish()
        server.ended(id)


# Keeping


def test_a_run_is_forgotten_after_its_time(provider: Provider) -> None:
    with served({"qa": qa(provider)}, limits=Limits(keep_seconds=0.05)) as server:
        id = server.http.post("/programs/qa/runs", json=ASKED).headers["x-fieldstream-run"]
        server.until(lambda: not server.host.runs._finished)
        answer = server.http.get(f"/runs/{id}/events")
        assert answer.status_code == 404
        assert "0.05 s" in answer.json()["error"]["message"]


def test_the_oldest_are_forgotten_where_there_is_no_room(provider: Provider) -> None:
    with served({"qa": qa(provider)}) as server:
        server.ended(server.start())
        size = server.host.runs._kept
    with served({"qa": qa(provider)}, limits=Limits(keep_bytes=int(2.5 * size))) as server:
        provider.script(*[SAID] * 4)
        ids: list[str] = []
        for _ in range(4):
            ids.append(server.start())
            server.ended(ids[-1])
        known = [server.http.get(f"/runs/{id}").status_code for id in ids]
        assert known == sorted(known, reverse=True), "the oldest go first"
        assert known[0] == 404
        assert known[-1] == 200
        assert server.host.runs._kept <= 2.5 * size


def test_inputs_count_as_what_is_kept(provider: Provider) -> None:
    with served({"qa": qa(provider)}, limits=Limits(keep_bytes=20_000)) as server:
        provider.script(SAID)
        id = server.start(question="why " * 10_000)
        server.until(lambda: not server.host.runs._open)
        assert server.http.get(f"/runs/{id}").status_code == 404


def test_nothing_is_left_of_what_was_forgotten(provider: Provider) -> None:
    with no_threads_left(), served({"qa": qa(provider)}, limits=Limits(keep_bytes=0)) as server:
        runs: list[weakref.ref[Any]] = []
        for _ in range(3):
            with server.http.stream("POST", "/programs/qa/runs", json=ASKED) as answer:
                id = answer.headers["x-fieldstream-run"]
                runs.append(weakref.ref(server.run(id)))
                answer.read()
        server.until(lambda: not server.host.runs._open and not server.host.runs._keepers)
        server.within(gc.collect)
        assert [run() for run in runs] == [None, None, None]
