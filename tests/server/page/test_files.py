"""The page's files: what is served with them, where the page may be, and what is not our own."""

from collections.abc import Iterator

import dspy
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from playwright.sync_api import Page, expect

from fieldstream.server import Expose, app, router
from fieldstream.simulator import Provider
from tests.clients.node import HERE
from tests.server.page.opened import Opened
from tests.support.reading import chat
from tests.support.serving import on, running

pytestmark = pytest.mark.timeout(60)


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    with TestClient(app({"qa": dspy.Predict("question -> answer")}, tokens=["secret"])) as client:
        yield client


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "text/html; charset=utf-8"),
        ("/page/app.js", "text/javascript; charset=utf-8"),
        ("/page/fieldstream.js", "text/javascript; charset=utf-8"),
        ("/page/vendor/markdown-it.esm.min.mjs", "text/javascript; charset=utf-8"),
        ("/page/vendor/markdown-it.LICENSE", "text/plain; charset=utf-8"),
        ("/page/style.css", "text/css; charset=utf-8"),
        ("/page/icon.svg", "image/svg+xml"),
    ],
)
def test_a_file_comes_with_its_type_and_without_a_token(client: TestClient, path: str, kind: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == kind
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.headers["x-content-type-options"] == "nosniff"
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'self';")
    assert "unsafe" not in policy

    again = client.get(path, headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    head = client.head(path)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == answer.headers["content-length"]


@pytest.mark.parametrize(
    "name", ["", "nothing.js", "../errors.py", "%2e%2e/errors.py", "..%2ferrors.py", "vendor", "vendor/"]
)
def test_nothing_else_is_served(client: TestClient, name: str) -> None:
    assert client.get(f"/page/{name}").status_code in (401, 404)


def test_a_server_may_have_no_page() -> None:
    with TestClient(app({"qa": dspy.Predict("question -> answer")}, page=False)) as client:
        assert client.get("/").status_code == 404
        assert client.get("/page/app.js").status_code == 404


# Who may not list runs is told so once.
@pytest.mark.parametrize("complaints", [["403 (Forbidden)"]], ids=["unlisted"])
def test_the_page_may_be_anywhere_in_an_app(page: Page, provider: Provider) -> None:
    provider.script(chat(answer="Yes."))
    application = FastAPI()
    qa = on(provider, dspy.Predict("question -> answer"))
    application.include_router(router({"qa": qa}, expose=Expose.everything()), prefix="/ask/here")
    with running(application) as url:
        page.goto(f"{url}/ask/here")
        opened = Opened(page, f"{url}/ask/here")
        opened.ask()
        opened.ends()
        expect(opened.main).to_have_text("Yes.")
        assert f"'{url}/ask/here/programs/qa/runs'" in opened.code("curl")
        page.reload()
        expect(opened.main).to_have_text("Yes.")
        # What was run here is remembered here.
        expect(page.get_by_role("region", name="Recent runs").get_by_role("link")).to_contain_text("Completed")


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("markdown-it.esm.min.mjs", "dist/browser/markdown-it.esm.min.mjs"),
        ("markdown-it.LICENSE", "LICENSE"),
    ],
)
def test_what_is_not_ours_is_as_its_authors_published_it(client: TestClient, ours: str, theirs: str) -> None:
    published = HERE / "node_modules" / "markdown-it" / theirs
    assert published.exists(), f"the clients are not installed: run `npm ci` in {HERE} (`make test` does)"
    assert client.get(f"/page/vendor/{ours}").content == published.read_bytes()
