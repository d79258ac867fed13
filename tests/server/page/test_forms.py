"""Forms made from programs' signatures: what is put in arrives, and what is wrong is told in its place."""

import datetime
from typing import Any, Literal

import dspy
import pydantic
import pytest
from playwright.sync_api import expect

from fieldstream.simulator import Provider
from tests.server.page.opened import Opened
from tests.support.serving import on

pytestmark = pytest.mark.timeout(60)


class Place(pydantic.BaseModel):
    name: str
    height: float = 0.0

    @pydantic.field_validator("name")
    @classmethod
    def known(cls, name: str) -> str:
        if name == "Nowhere":
            raise ValueError("it is on no map")
        return name


class Everything(dspy.Signature):
    """All kinds of inputs."""

    text: str = dspy.InputField(desc="Some words")
    count: int = dspy.InputField()
    ratio: float = dspy.InputField()
    flag: bool = dspy.InputField()
    choice: Literal["red", "green"] = dspy.InputField()
    day: datetime.date = dspy.InputField()
    names: list[str] = dspy.InputField()
    place: Place = dspy.InputField()
    places: list[Place] = dspy.InputField()
    mapping: dict[str, int] = dspy.InputField()
    history: dspy.History = dspy.InputField()
    answer: str = dspy.OutputField()


@pytest.fixture
def given() -> list[dict[str, Any]]:
    """What the program was called with."""
    return []


@pytest.fixture
def programs(provider: Provider, given: list[dict[str, Any]]) -> dict[str, Any]:
    class Keeping(dspy.Predict):
        async def acall(self, *args: Any, **kwargs: Any) -> dspy.Prediction:
            given.append(kwargs)
            return await super().acall(*args, **kwargs)

    return {"qa": on(provider, dspy.Predict("question -> answer")), "everything": on(provider, Keeping(Everything))}


@pytest.fixture
def form(opened: Opened) -> Opened:
    opened.page.get_by_label("Program").select_option("everything")
    return opened


def fill(form: Opened, mountain: str = "Pilatus") -> None:
    page = form.page
    page.get_by_label("Text").fill("Hello")
    page.get_by_label("Count").fill("4")
    page.get_by_label("Ratio").fill("0.5")
    page.get_by_label("Flag").check()
    page.get_by_label("Choice").select_option("green")
    page.get_by_label("Day").fill("2024-02-29")
    names = page.get_by_role("group", name="Names")
    names.get_by_label("Item 1", exact=True).fill("Ada")
    page.keyboard.press("Enter")
    page.keyboard.type("Grace")
    place = page.get_by_role("group", name="Place required")
    place.get_by_label("Name").fill("Rigi")
    place.get_by_label("Height").fill("1798")
    places = page.get_by_role("group", name="Places", exact=True)
    places.get_by_label("Name").fill(mountain)
    page.get_by_label("Mapping").fill('{"a": 1}')
    page.get_by_label("History").fill('[{"text": "hi", "answer": "hello"}]')


def test_what_is_put_in_arrives_as_what_it_is(form: Opened, provider: Provider, given: list[dict[str, Any]]) -> None:
    fill(form)
    form.page.keyboard.press("Control+Enter")
    form.ends()
    [inputs] = given
    assert inputs.pop("history").messages == [{"text": "hi", "answer": "hello"}]
    assert inputs == {
        "text": "Hello",
        "count": 4,
        "ratio": 0.5,
        "flag": True,
        "choice": "green",
        "day": datetime.date(2024, 2, 29),
        "names": ["Ada", "Grace"],
        "place": Place(name="Rigi", height=1798.0),
        "places": [Place(name="Pilatus", height=0.0)],
        "mapping": {"a": 1},
    }
    # And the form is filled so again when the run is gone back to.
    form.page.reload()
    form.ends()
    expect(form.page.get_by_role("group", name="Names").get_by_label("Item 2", exact=True)).to_have_value("Grace")
    expect(form.page.get_by_label("Choice")).to_have_value("1")
    expect(form.page.get_by_role("group", name="Place required").get_by_label("Height")).to_have_value("1798")


def test_what_is_missing_is_told_where_it_is(form: Opened, given: list[dict[str, Any]]) -> None:
    form.button("Run").click()
    text = form.page.get_by_label("Text")
    expect(text).to_be_focused()
    expect(text).to_have_accessible_description("Some words Fill this in.")
    expect(form.page.get_by_label("Choice")).to_have_attribute("aria-invalid", "true")
    text.fill("Hello")
    expect(text).to_have_accessible_description("Some words")
    assert not given


def test_what_is_no_json_is_told_at_once(form: Opened) -> None:
    mapping = form.page.get_by_label("Mapping")
    mapping.fill('{"a": ')
    mapping.blur()
    expect(form.page.get_by_text("This is not JSON:")).to_be_visible()
    mapping.fill("[1]")
    mapping.blur()
    expect(form.page.get_by_text("This has to be an object")).to_be_visible()


@pytest.mark.parametrize("complaints", [["422 (Unprocessable"]], ids=["refused"])
def test_what_the_server_refuses_is_told_in_its_place(form: Opened, given: list[dict[str, Any]]) -> None:
    fill(form, mountain="Nowhere")
    form.page.keyboard.press("Control+Enter")
    name = form.page.get_by_role("group", name="Places", exact=True).get_by_label("Name")
    expect(name).to_be_focused()
    expect(name).to_have_accessible_description("Value error, it is on no map")
    assert not given


def test_items_are_taken_away_and_added(form: Opened) -> None:
    names = form.page.get_by_role("group", name="Names")
    names.get_by_label("Item 1", exact=True).fill("Ada")
    names.get_by_role("button", name="Add").click()
    form.page.keyboard.type("Grace")
    names.get_by_role("button", name="Remove item 1").click()
    item = names.get_by_label("Item 1", exact=True)
    expect(item).to_have_value("Grace")
    expect(item).to_be_focused()
    expect(names.get_by_label("Item 2", exact=True)).to_have_count(0)
