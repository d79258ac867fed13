"""Makes ``docs/page.png``, the page while an answer is written: ``python -m tests.server.page.picture``."""

import json
import os
from pathlib import Path
from typing import Any

import dspy
from playwright.sync_api import expect, sync_playwright

from fieldstream.server import Expose
from fieldstream.simulator import simulate
from tests.server.page.opened import Opened
from tests.support.chromium import chromium
from tests.support.reading import Gated
from tests.support.serving import on, served

_PICTURE = Path(__file__).parents[3] / "docs" / "page.png"

_REASONING = (
    "Both questions are about how air scatters light. Passage 2 gives the law, passage 1 the numbers; "
    "the long way through the air at sunset follows from them."
)
_ANSWER = """\
Air molecules scatter **short waves far more strongly** than long ones: with 1/λ⁴, as Rayleigh found.

- Blue light, at 450 nm, is scattered about four times as much as red, so it comes from *all over the sky*.
- In the evening the light has crossed so much air that the blue is gone,"""
_REST = " and what is left is red."
_PASSAGES = ["Colours of the sky (2019)", "On the light from the sky (1871)"]


def search(query: str) -> list[str]:
    """Find passages about something."""
    assert query
    return _PASSAGES


class Library(dspy.Module):
    """Answers questions from what is in the library."""

    def __init__(self) -> None:
        super().__init__()  # pyright: ignore[reportUnknownMemberType]
        self.search: Any = dspy.Tool(search)
        self.respond: Any = dspy.ChainOfThought("passages: list[str], question -> answer, sources: list[str]")

    def forward(self, question: str) -> dspy.Prediction:
        return self.respond(
            passages=[str(each) for each in self.search(query="scattering of light")], question=question
        )


def main() -> None:
    """Make the picture."""
    answer = Gated(
        f"[[ ## reasoning ## ]]\n{_REASONING}\n\n[[ ## answer ## ]]\n{_ANSWER}",
        f"{_REST}\n\n[[ ## sources ## ]]\n{json.dumps(_PASSAGES)}\n\n[[ ## completed ## ]]",
    )
    with simulate([answer.answer]) as provider, sync_playwright() as playwright:
        library = on(provider, Library())
        with served({"library": library}, expose=Expose.everything(), debug=True, list_runs=True) as url:
            arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
            browser = playwright.chromium.launch(executable_path=chromium(), args=arguments)
            opened = Opened(browser.new_page(viewport={"width": 1200, "height": 980}, color_scheme="light"), url)
            opened.open()
            opened.ask("Why is the sky blue, and the sunset red?")
            answer.let()
            expect(opened.main).to_contain_text("the blue is gone,")
            opened.page.screenshot(path=_PICTURE)
            answer.finish()
            opened.ends()
            browser.close()


if __name__ == "__main__":
    main()
