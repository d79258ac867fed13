"""A run as code: what is copied is executed as it is, and gives the same answer."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from fieldstream.simulator import Provider
from tests.server.page.opened import Opened
from tests.support.leftovers import DEADLINE
from tests.support.reading import chat

pytestmark = pytest.mark.timeout(60)

QUESTION = "Why is the sky \"blue\", isn't it?\nSay it's $HOME\\n."
ANSWER = "Because „blue“ light is scattered."
SOURCES = ["a", "b"]


@pytest.fixture
def asked(opened: Opened, provider: Provider) -> Opened:
    provider.script(*[chat(reasoning="…", answer=ANSWER, sources=json.dumps(SOURCES))] * 2)
    opened.ask(QUESTION)
    opened.ends()
    return opened


def same_question(provider: Provider) -> None:
    one, other = (request.messages for request in provider.requests)
    assert one == other


def test_in_a_shell(asked: Opened, provider: Provider) -> None:
    assert shutil.which("curl"), "there is no curl: install it (`apt-get install curl`)"
    said = subprocess.run(
        ["sh", "-c", asked.code("curl")], capture_output=True, text=True, timeout=DEADLINE, check=True
    ).stdout
    last = json.loads(said.strip().splitlines()[-1].removeprefix("data: "))
    assert last["type"] == "run.ended"
    assert last["result"]["answer"] == ANSWER
    same_question(provider)


def test_in_python(asked: Opened, provider: Provider) -> None:
    said = subprocess.run(
        [sys.executable, "-c", asked.code("Python")],
        capture_output=True,
        text=True,
        timeout=2 * DEADLINE,
        check=True,
        env={"PYTHONPATH": str(Path(__file__).parents[3] / "src"), "PATH": "", "LITELLM_LOCAL_MODEL_COST_MAP": "True"},
    ).stdout
    assert said.startswith(f"{ANSWER}\n")
    same_question(provider)


def test_in_javascript(asked: Opened, provider: Provider) -> None:
    code = asked.code("JavaScript")
    # As in the browser's own console, but that what is said there is kept.
    logged: list[Any] = asked.page.evaluate(
        f"async () => {{ const said = [], console = {{ log: (value) => said.push(value) }};\n{code}\nreturn said; }}"
    )
    assert "".join(each for each in logged if isinstance(each, str)) == ANSWER
    assert logged[-1]["sources"] == SOURCES
    same_question(provider)


def test_arrow_keys_choose_the_language(asked: Opened) -> None:
    asked.button("Code").click()
    tabs = asked.page.get_by_role("tab")
    expect(tabs).to_have_text(["curl", "Python", "JavaScript"])
    tabs.first.focus()
    asked.page.keyboard.press("ArrowRight")
    expect(tabs.nth(1)).to_be_focused()
    expect(tabs.nth(1)).to_have_attribute("aria-selected", "true")
    expect(asked.page.get_by_role("tabpanel")).to_contain_text("import fieldstream")
    asked.page.keyboard.press("Escape")
    expect(asked.page.get_by_role("dialog")).to_have_count(0)
    expect(asked.button("Code")).to_be_focused()
