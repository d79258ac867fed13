"""The page for those who do not see it, or not well, or use no mouse."""

import json
from typing import Any

import dspy
import pytest
from playwright.sync_api import Page, expect

from fieldstream.simulator import Answer, Provider
from tests.server.page.opened import Opened
from tests.server.page.test_forms import Everything
from tests.support.reading import Gated, chat
from tests.support.serving import on

pytestmark = pytest.mark.timeout(60)

CONTROLS = {
    "button",
    "textbox",
    "combobox",
    "checkbox",
    "link",
    "slider",
    "spinbutton",
    "tab",
    "dialog",
    "DisclosureTriangle",
}
"""Roles of what is used, as Chromium names them."""

# Texts whose contrast with what is behind them is below what WCAG 2.2 (1.4.3, AA) asks for.
FAINT = """
() => {
  const channels = (color) => {
    const canvas = new OffscreenCanvas(1, 1).getContext("2d");
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data].map((each) => each / 255);
  };
  const over = ([r, g, b, a], [R, G, B]) => [r * a + R * (1 - a), g * a + G * (1 - a), b * a + B * (1 - a)];
  const light = (rgb) => rgb
    .map((each) => (each <= 0.04045 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4))
    .reduce((sum, each, index) => sum + each * [0.2126, 0.7152, 0.0722][index], 0);
  const behind = (element) => {
    if (!element) return [1, 1, 1];
    const [r, g, b, a] = channels(getComputedStyle(element).backgroundColor);
    const straight = a ? [r, g, b, a] : [0, 0, 0, 0];
    return a === 1 ? [r, g, b] : over(straight, behind(element.parentElement));
  };
  const opacity = (element) => element ? getComputedStyle(element).opacity * opacity(element.parentElement) : 1;
  const faint = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const { parentElement: element, data } = walker.currentNode;
    const seen = element.checkVisibility({ visibilityProperty: true }) && !element.closest("script, noscript");
    if (!data.trim() || !seen) continue;
    const ground = behind(element);
    const [r, g, b, a] = channels(getComputedStyle(element).color);
    const ink = over([r, g, b, a * opacity(element)], ground);
    const [one, other] = [light(ink), light(ground)].sort((x, y) => y - x);
    const ratio = (one + 0.05) / (other + 0.05);
    if (ratio < 4.5) faint.push([data.trim().slice(0, 40), element.className, Math.round(ratio * 100) / 100]);
  }
  return faint;
}
"""


def nameless(page: Page) -> list[Any]:
    """The controls without a name, as a screen reader is told of them."""
    session = page.context.new_cdp_session(page)
    nodes = session.send("Accessibility.getFullAXTree")["nodes"]
    session.detach()
    seen = [node for node in nodes if not node["ignored"] and node["role"]["value"] in CONTROLS]
    assert len(seen) > 3
    return [node for node in seen if not node.get("name", {}).get("value", "").strip()]


@pytest.fixture
def programs(provider: Provider) -> dict[str, Any]:
    qa = dspy.ChainOfThought("question -> answer, sources: list[str]")
    qa.set_lm(dspy.LM(provider.model, **provider.lm_kwargs, cache=False, num_retries=2))
    return {
        "qa": qa,
        "everything": on(provider, dspy.Predict(Everything)),
    }


def ask_for_all(opened: Opened, provider: Provider) -> None:
    """A run that shows much: a table, code, links, a list, and something that was withdrawn."""
    provider.options = provider.options.updated({"drop": 1, "fault_times": 1})
    text = "# Title\n\nSome `code`, *more* and [a link](https://a.example).\n\n> quoted\n\n"
    text += "| a |\n|---|\n| b |\n\n```\nx = 1\n```"
    answer = chat(reasoning="Well.", answer=text, sources=json.dumps(["https://a.example", "b"]))
    provider.script(Answer(chunks=[answer[:60], answer[60:]]))
    opened.ask()
    opened.ends()


@pytest.mark.parametrize("look", [{"color_scheme": "light"}, {"color_scheme": "dark"}], ids=["light", "dark"])
def test_all_has_a_name_and_can_be_read(opened: Opened, provider: Provider) -> None:
    page = opened.page
    assert nameless(page) == []
    assert page.evaluate(FAINT) == []
    ask_for_all(opened, provider)
    assert nameless(page) == []
    assert page.evaluate(FAINT) == []
    opened.button("Replay").click()
    expect(opened.button("Play")).to_be_visible()
    assert nameless(page) == []
    assert page.evaluate(FAINT) == []
    opened.button("Code").click()
    assert nameless(page) == []
    assert page.evaluate(FAINT) == []
    page.keyboard.press("Escape")
    page.get_by_label("Program").select_option("everything")
    opened.button("Run").click()
    expect(page.get_by_text("Fill this in.").first).to_be_visible()
    assert nameless(page) == []
    assert page.evaluate(FAINT) == []


def test_what_happens_is_announced_but_not_each_word(opened: Opened, provider: Provider) -> None:
    page = opened.page
    page.evaluate("""() => {
        window.said = [];
        const region = document.querySelector("[aria-live=polite]");
        new MutationObserver(() => window.said.push(region.textContent)).observe(region, { childList: true });
    }""")
    words = [f"word{number} " for number in range(50)]
    answer = Gated("[[ ## reasoning ## ]]\n…\n\n[[ ## answer ## ]]\n", *words, "\n\n[[ ## sources ## ]]\n[]")
    provider.script(answer.answer)
    opened.ask()
    expect(page.get_by_role("status")).to_have_text("Run started.")
    answer.let(51)
    expect(opened.main).to_contain_text("word49")
    answer.finish()
    opened.ends()
    expect(page.get_by_role("status")).to_contain_text("Run completed after")
    said = " ".join(page.evaluate("window.said"))
    assert "Run started." in said
    assert "Answer is finished." in said
    assert "Sources is finished." in said
    assert "word" not in said


def test_all_can_be_reached_and_is_seen_to_be(opened: Opened, provider: Provider) -> None:
    page = opened.page
    ask_for_all(opened, provider)
    page.reload()
    opened.ends()
    reached: list[str] = []
    for _ in range(40):
        page.keyboard.press("Tab")
        name, outline = page.evaluate("""() => {
            const focused = document.activeElement;
            const { outlineStyle, outlineWidth } = getComputedStyle(focused);
            const name = focused.getAttribute("aria-label") || focused.innerText || focused.id;
            return [name, `${outlineStyle} ${outlineWidth}`];
        }""")
        if page.evaluate("document.activeElement === document.body"):
            break
        assert outline == "solid 2px", f"the focus is not seen on {name}"
        reached.append(name)
    for wanted in ("Skip to the run", "Light or dark", "qa\neverything", "Run", "Replay", "Code", "Copy answer"):
        assert any(wanted in name for name in reached), f"{wanted} is not reached: {reached}"
    assert any("Withdrawn" in name for name in reached)


def test_the_theme_is_kept(opened: Opened) -> None:
    page = opened.page
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)
    page.get_by_role("button", name="Light or dark").click()
    dark = page.evaluate(ground)
    assert light != dark
    opened.open()
    assert page.evaluate(ground) == dark


@pytest.mark.parametrize("look", [{"reduced_motion": "reduce"}], ids=["calm"])
def test_nothing_moves_for_those_who_want_it_calm(opened: Opened, provider: Provider) -> None:
    answer = Gated("[[ ## reasoning ## ]]\n…\n\n[[ ## answer ## ]]\nBecause")
    provider.script(answer.answer)
    opened.ask()
    answer.let()
    expect(opened.main).to_have_text("Because")
    assert opened.page.evaluate("document.getAnimations().length") == 0
    answer.finish()
    opened.ends()
