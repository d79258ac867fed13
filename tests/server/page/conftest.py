"""A real Chromium, the system's, and pages in it that may load nothing from elsewhere and complain of nothing."""

import os
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import dspy
import pytest
from playwright.sync_api import Browser, Page, Playwright, Request, sync_playwright

from fieldstream.server import Expose, Limits
from fieldstream.simulator import Provider, simulate
from tests.server.page.opened import Opened
from tests.support.chromium import chromium
from tests.support.serving import on, served

LIMITS = Limits(shutdown_seconds=0.5)
"""A test that fails may leave runs that nobody ends."""


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="module")
def browser(playwright: Playwright) -> Iterator[Browser]:
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    browser = playwright.chromium.launch(executable_path=chromium(), args=arguments)
    yield browser
    browser.close()


@pytest.fixture
def look() -> dict[str, Any]:
    """How the browser's window is; tests may say another."""
    return {}


@pytest.fixture
def complaints() -> list[str]:
    """What the browser may complain of; tests may say more."""
    return []


@pytest.fixture
def page(browser: Browser, look: dict[str, Any], complaints: list[str]) -> Iterator[Page]:
    """A page, in which nothing may have gone wrong at its end."""
    window: dict[str, Any] = {"viewport": {"width": 1280, "height": 800}, **look}
    context = browser.new_context(**window)
    context.set_default_timeout(10_000)
    page = context.new_page()
    said: list[str] = []
    hosts: set[str | None] = set()

    def requested(request: Request) -> None:
        hosts.add(urlsplit(request.url).hostname)

    page.on("console", lambda message: said.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", requested)
    yield page
    context.close()
    assert not [each for each in said if not any(part in each for part in complaints)]
    assert hosts <= {"127.0.0.1"}, "the page asks another host"


@pytest.fixture
def provider() -> Iterator[Provider]:
    with simulate() as provider:
        yield provider


@pytest.fixture
def programs(provider: Provider) -> dict[str, Any]:
    """What is served; tests may replace it."""
    return {"qa": on(provider, dspy.ChainOfThought("question -> answer, sources: list[str]"))}


@pytest.fixture
def url(programs: dict[str, Any]) -> Iterator[str]:
    with served(programs, expose=Expose.everything(), debug=True, list_runs=True, limits=LIMITS) as url:
        yield url


@pytest.fixture
def opened(url: str, page: Page) -> Opened:
    """The page of the server, open. It is closed before the server, which waits for its connections."""
    opened = Opened(page, url)
    opened.open()
    return opened
