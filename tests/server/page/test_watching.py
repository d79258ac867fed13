"""Running programs on the page, and watching them: in a real browser, with a real server of real programs."""

import json
import re
from typing import Any

import dspy
import pytest
from playwright.sync_api import Page, expect

from fieldstream.server import Expose
from fieldstream.simulator import Answer, Provider
from tests.server.page.opened import Opened
from tests.support.leftovers import DEADLINE
from tests.support.reading import Gated, chat, cut
from tests.support.serving import on, served

pytestmark = pytest.mark.timeout(60)

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
ANSWER = "Because **blue** light is scattered more than red."
SOURCES = ["https://a.example/1", "a book"]
WHOLE = chat(reasoning="Air scatters.", answer=ANSWER, sources=json.dumps(SOURCES))


def test_a_program_is_run_by_keyboard_alone(opened: Opened, provider: Provider) -> None:
    page = opened.page
    answer = Gated(
        "[[ ## reasoning ## ]]\nAir scatters.\n\n[[ ## answer ## ]]\nBecause **blue** li",
        "ght is scattered ",
        "more than red.\n\n[[ ## sources ## ]]\n" + json.dumps(SOURCES[:1])[:-1] + ", ",
        '"a book"]\n\n[[ ## completed ## ]]',
    )
    provider.script(answer.answer)
    for _ in range(12):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.tagName") == "TEXTAREA":
            break
    page.keyboard.type("Why is the sky blue?")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("article", name="qa")).to_be_visible()
    expect(page.locator(".pill")).to_have_text("Running")

    answer.let()
    expect(opened.main).to_have_text("Because blue li")
    expect(opened.main.locator("strong")).to_have_text("blue")
    expect(opened.steps).to_contain_text("Air scatters.")
    answer.let()
    expect(opened.main).to_have_text("Because blue light is scattered")
    answer.let()
    expect(opened.answer.locator("li")).to_have_count(1)
    answer.finish()
    opened.ends()

    expect(opened.main).to_have_text("Because blue light is scattered more than red.")
    expect(opened.answer.locator("li")).to_have_text(SOURCES)
    expect(opened.answer.get_by_role("link")).to_have_attribute("href", SOURCES[0])
    expect(page.get_by_role("status")).to_contain_text("Run completed after")
    expect(page.locator(".facts")).to_contain_text(re.compile(r"tokens in, \d+ out"))


def test_what_is_copied_is_what_a_plain_call_gives(
    opened: Opened, provider: Provider, programs: dict[str, Any]
) -> None:
    provider.script(Answer(chunks=cut(WHOLE, 3)), WHOLE)
    opened.ask()
    opened.ends()
    opened.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    opened.button("Copy answer").click()
    expect(opened.button("Copied")).to_be_visible()

    plain = programs["qa"](question="Why is the sky blue?")
    assert opened.page.evaluate("navigator.clipboard.readText()") == plain.answer == ANSWER


class TestWithdrawn:
    @pytest.fixture
    def programs(self, provider: Provider) -> dict[str, Any]:
        program = dspy.Predict("question -> answer, sources: list[str]")
        program.set_lm(dspy.LM(provider.model, **provider.lm_kwargs, cache=False, num_retries=2))
        return {"qa": program}

    def test_it_is_struck_through_with_the_reason(self, opened: Opened, provider: Provider) -> None:
        # The first time, its stream breaks after two pieces.
        provider.options = provider.options.updated({"drop": 2, "fault_times": 1})
        provider.script(
            Answer(chunks=["[[ ## answer ## ]]\nIt is the sea", " that", chat(sources="[]").join(("\n\n", ""))])
        )
        opened.ask()
        opened.ends()

        withdrawn = opened.main.get_by_role("group").filter(has_text="Withdrawn: the model’s answer broke off")
        expect(withdrawn).to_be_visible()
        expect(withdrawn.locator("summary")).to_contain_text("It is the sea")
        withdrawn.locator("summary").click()
        expect(withdrawn.locator(".withdrawn-text p")).to_have_css("text-decoration-line", "line-through")
        expect(opened.main.locator(".field-body > .markdown")).to_have_text("It is the sea that")
        expect(opened.page.get_by_role("status")).to_contain_text("Answer withdrawn")


def test_cancel_ends_the_wait_for_the_model(opened: Opened, provider: Provider) -> None:
    answer = Gated("[[ ## reasoning ## ]]\nAir scatters.\n\n[[ ## answer ## ]]\nBecause", " of")
    provider.script(answer.answer)
    opened.ask()
    answer.let()
    expect(opened.main).to_have_text("Because")
    opened.button("Cancel").click()
    opened.ends("Cancelled")

    assert provider.requests[0].disconnected.wait(DEADLINE)
    expect(opened.main).to_have_text("Because")
    expect(opened.answer).to_contain_text("Not finished")
    expect(opened.button("Cancel")).to_be_hidden()
    expect(opened.page.get_by_role("status")).to_contain_text("Run cancelled")


def test_a_reload_in_the_middle_goes_on(opened: Opened, provider: Provider) -> None:
    answer = Gated(
        "[[ ## reasoning ## ]]\nAir.\n\n[[ ## answer ## ]]\nBecause", " of", " air.\n\n[[ ## sources ## ]]\n[]"
    )
    provider.script(answer.answer)
    opened.ask()
    answer.let()
    expect(opened.main).to_have_text("Because")
    run = opened.run_id

    opened.page.reload()
    expect(opened.main).to_have_text("Because")
    expect(opened.page.locator(".asked")).to_contain_text("Why is the sky blue?")
    expect(opened.page.get_by_label("Question")).to_have_value("Why is the sky blue?")
    answer.let()
    expect(opened.main).to_have_text("Because of")
    answer.finish()
    opened.ends()
    expect(opened.main).to_have_text("Because of air.")
    assert opened.run_id == run
    assert len(provider.requests) == 1, "the run was not started again"


def test_a_replay_shows_the_same(opened: Opened, provider: Provider) -> None:
    provider.script(Answer(chunks=cut(WHOLE, 4), options={"rate": 200.0}))
    opened.ask()
    opened.ends()
    expect(opened.answer.locator("li")).to_have_count(2)
    shown = opened.answer.inner_text()

    opened.button("Replay").click()
    expect(opened.page.get_by_role("group", name="Replay")).to_be_visible()
    expect(opened.button("Play")).to_be_visible()
    opened.ends()
    assert opened.answer.inner_text() == shown

    place = opened.page.get_by_role("slider", name="Place in the run")
    place.press("Home")
    expect(opened.page.locator(".pill")).to_have_text("Running")
    expect(opened.answer).to_be_hidden()
    place.press("End")
    opened.ends()
    opened.button("End replay").click()
    expect(opened.page.get_by_role("group", name="Replay")).to_be_hidden()
    opened.ends()
    assert opened.answer.inner_text() == shown
    assert len(provider.requests) == 1


def test_recent_runs_are_there_to_go_back_to(opened: Opened, provider: Provider) -> None:
    for text in ("the first", "the second"):
        provider.script(chat(reasoning="…", answer=f"This is {text}.", sources="[]"))
        opened.ask(f"What is {text}?")
        expect(opened.main).to_have_text(f"This is {text}.")
        opened.ends()
    recent = opened.page.get_by_role("region", name="Recent runs").get_by_role("link")
    expect(recent).to_have_count(2)
    expect(recent.first).to_contain_text("What is the second?")
    expect(recent.first).to_contain_text("Completed")
    recent.last.click()
    expect(opened.main).to_have_text("This is the first.")
    expect(opened.page.locator(".pill")).to_have_text("Completed")
    opened.page.go_back()
    expect(opened.main).to_have_text("This is the second.")


class TestTools:
    @pytest.fixture
    def programs(self, provider: Provider) -> dict[str, Any]:
        def look_up(word: str) -> dict[str, Any]:
            """Look a word up."""
            return {"word": word, "pages": [4, 8]}

        agent: Any = dspy.ReAct
        return {"agent": on(provider, agent("question -> answer", tools=[look_up], max_iters=3))}

    def test_arguments_and_results_are_shown(self, opened: Opened, provider: Provider) -> None:
        provider.script(
            chat(next_thought="Look.", next_tool_name="look_up", next_tool_args='{"word": "sky"}'),
            chat(next_thought="Done.", next_tool_name="finish", next_tool_args="{}"),
            chat(reasoning="It says so.", answer="On page 4."),
        )
        opened.ask()
        opened.ends()
        tool = opened.steps.locator(".call.tool").first
        expect(tool.locator(".call-name")).to_have_text("look_up")
        expect(tool.locator(".call-time")).to_have_text(re.compile(r"\d s$"))
        expect(tool.locator(".value-row").first).to_contain_text("sky")
        expect(tool.locator(".value-row").last.locator(".scalar.number")).to_have_text(["4", "8"])
        expect(tool).to_contain_text("Calling tool look_up")
        expect(opened.main).to_have_text("On page 4.")
        # An agent's steps are the program's, too, but not its answer.
        expect(opened.answer.get_by_text("Also returned: Trajectory, Reasoning")).to_be_visible()


class TestFailing:
    @pytest.fixture
    def programs(self, provider: Provider) -> dict[str, Any]:
        predict = on(provider, dspy.Predict("question -> answer"))

        class Failing(dspy.Module):
            def forward(self, question: str) -> None:
                predict(question=question)
                raise ValueError("the books are gone")

        return {"failing": Failing()}

    def test_the_error_is_told_plainly(self, opened: Opened, provider: Provider) -> None:
        provider.script(chat(answer="So far so good."))
        opened.ask()
        opened.ends("Failed")
        expect(opened.page.locator(".failure")).to_contain_text("ValueError: the books are gone")
        expect(opened.steps.locator(".call.failed").first).to_contain_text("failed")
        expect(opened.page.get_by_role("status")).to_contain_text("Run failed")


class TestAttempts:
    @pytest.fixture
    def programs(self, provider: Provider) -> dict[str, Any]:
        def reward(_: Any, prediction: Any) -> float:
            return float(len(prediction.answer))

        best = dspy.BestOfN(dspy.Predict("question -> answer"), N=2, reward_fn=reward, threshold=99.0)
        return {"best": on(provider, best)}

    def test_the_chosen_one_is_the_answer(self, opened: Opened, provider: Provider) -> None:
        provider.script(chat(answer="A long answer."), chat(answer="Short."))
        opened.ask()
        opened.ends()
        expect(opened.main).to_have_text("A long answer.")
        expect(opened.answer).to_contain_text("From attempt 1")
        attempts = opened.steps.locator(".call.predictor")
        expect(attempts.first.locator(".badges").first).to_contain_text("chosen")
        expect(attempts.last).to_contain_text("not chosen")
        expect(attempts.last).to_contain_text("Short.")


def test_a_reader_who_has_scrolled_up_stays_there(opened: Opened, provider: Provider) -> None:
    page = opened.page
    line = "A line of the answer.\n\n"
    answer = Gated(
        "[[ ## reasoning ## ]]\n…\n\n[[ ## answer ## ]]\n" + line * 30,
        line * 10,
        line * 10,
        "\n[[ ## sources ## ]]\n[]",
    )
    provider.script(answer.answer)
    opened.ask()
    paragraphs = opened.main.locator("p")
    answer.let()
    expect(paragraphs).to_have_count(30)
    expect(paragraphs.last).to_be_in_viewport()
    answer.let()
    expect(paragraphs).to_have_count(40)
    expect(paragraphs.last).to_be_in_viewport()

    page.mouse.move(800, 400)
    page.mouse.wheel(0, -300)
    newest = opened.button("Newest")
    expect(newest).to_be_visible()
    before = page.evaluate("scrollY")
    answer.let()
    expect(paragraphs).to_have_count(50)
    assert page.evaluate("scrollY") == before
    newest.click()
    expect(paragraphs.last).to_be_in_viewport()
    expect(newest).to_be_hidden()
    answer.finish()
    opened.ends()


def test_a_long_stream_is_shown_whole(opened: Opened, provider: Provider) -> None:
    words = [f"word{number} " for number in range(8_000)]
    head, tail = (
        "[[ ## reasoning ## ]]\n…\n\n[[ ## answer ## ]]\n",
        "\n\n[[ ## sources ## ]]\n[]\n\n[[ ## completed ## ]]",
    )
    provider.script(Answer(chunks=[head, *words, tail]))
    opened.ask()
    expect(opened.page.locator(".pill")).to_have_text("Completed", timeout=40_000)
    assert opened.main.inner_text().split() == "".join(words).split()


@pytest.mark.parametrize("look", [PHONE], ids=["phone"])
def test_a_phone_shows_all_without_scrolling_sideways(opened: Opened, provider: Provider) -> None:
    page = opened.page
    wide = (
        "| "
        + " | ".join(f"column {number}" for number in range(12))
        + " |\n"
        + "|--" * 12
        + "|\n"
        + "| cell " * 12
        + "|"
    )
    code = "```\n" + "x" * 200 + "\n```"
    address = "https://a.example/" + "long" * 60
    provider.script(chat(reasoning="…" * 300, answer=f"{wide}\n\n{code}\n\n{'w' * 300}", sources=json.dumps([address])))
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    opened.ask("q" * 300)
    opened.ends()
    expect(opened.answer.locator("table")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    opened.button("Replay").click()
    expect(page.get_by_role("group", name="Replay")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    opened.button("Code").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == 390


@pytest.mark.parametrize("complaints", [["401 (Unauthorized)"]], ids=["refused"])
def test_a_server_with_tokens_is_given_one(page: Page, provider: Provider, programs: dict[str, Any]) -> None:
    provider.script(WHOLE)
    with served(programs, expose=Expose.everything(), tokens=["right"]) as url:
        page.goto(url)
        dialog = page.get_by_role("dialog", name="A token is needed")
        dialog.get_by_label("Token").fill("wrong")
        dialog.get_by_role("button", name="Go on").click()
        expect(dialog).to_contain_text("did not take that token")
        dialog.get_by_label("Token").fill("right")
        page.keyboard.press("Enter")
        opened = Opened(page, url)
        opened.ask()
        opened.ends()
        page.reload()
        opened.ends()
        expect(opened.main).to_contain_text("Because blue light")
        assert "right" not in opened.code("curl")
        assert "right" not in page.evaluate("JSON.stringify(localStorage)")
