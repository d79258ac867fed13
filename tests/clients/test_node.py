"""How scripts run: what they say comes, and where they fail, a test does."""

import json

import pytest

from tests.clients import node


async def test_a_script_that_fails_says_why() -> None:
    with pytest.raises(AssertionError, match=r"nothing\.mjs failed:\n(.|\n)*Cannot find module"):
        await node.run("nothing.mjs")


async def test_a_script_that_says_nothing_more() -> None:
    async with node.script("nothing.mjs") as script:
        with pytest.raises(AssertionError, match="Cannot find module"):
            await script.line()


async def test_a_script_is_ended_with_its_block() -> None:
    async with node.script("ai_sdk.mjs", {"api": "http://127.0.0.1:9", "id": "c"}) as script:
        await script.send({"send": "Anybody?"})
        assert (await script.line())["status"] == "error"
    assert script.ended


def test_the_clients_come_from_wherever_npm_gets_them() -> None:
    lock = json.loads((node.HERE / "package-lock.json").read_text())
    wanted = json.loads((node.HERE / "package.json").read_text())["dependencies"]
    assert not [name for name, each in lock["packages"].items() if "resolved" in each]
    assert {name: each["version"] for name, each in lock["packages"].items() if name[13:] in wanted} == {
        f"node_modules/{name}": version.rpartition("@")[2] for name, version in wanted.items()
    }
