"""The page, as a person finds their way on it: by what things are called."""

from playwright.sync_api import Locator, Page, expect


class Opened:
    """A page of a server."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url

    def open(self, path: str = "/") -> None:
        self.page.goto(self.url + path)
        expect(self.page.get_by_role("button", name="Run", exact=True)).to_be_visible()

    def ask(self, question: str = "Why is the sky blue?") -> None:
        """Run the program with a question."""
        self.page.get_by_label("Question").fill(question)
        self.page.get_by_role("button", name="Run", exact=True).click()

    @property
    def answer(self) -> Locator:
        """The program's answer."""
        return self.page.get_by_role("region", name="Answer")

    @property
    def main(self) -> Locator:
        """Its main part."""
        return self.answer.locator(".output.main")

    @property
    def steps(self) -> Locator:
        return self.page.locator(".steps")

    @property
    def run_id(self) -> str:
        return self.page.evaluate("new URLSearchParams(location.hash.slice(1)).get('run')")

    def ends(self, how: str = "Completed") -> None:
        """Wait for the run's end."""
        expect(self.page.locator(".pill")).to_have_text(how)

    def button(self, name: str) -> Locator:
        return self.page.get_by_role("button", name=name, exact=True)

    def code(self, language: str) -> str:
        """The run as code."""
        self.button("Code").click()
        self.page.get_by_role("tab", name=language).click()
        text = self.page.get_by_role("tabpanel", name=language).inner_text()
        self.page.keyboard.press("Escape")
        return text
