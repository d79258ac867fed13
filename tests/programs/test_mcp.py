"""Tools of an MCP server, in this process and in another one."""

# DSPy's signatures are made at run time, and its keyword arguments are many.
# pyright: reportArgumentType=false, reportCallIssue=false, reportAttributeAccessIssue=false
# pyright: reportIncompatibleMethodOverride=false, reportReturnType=false
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

import asyncio
import sys
from pathlib import Path
from typing import Any

import dspy
import mcp
import pytest
from dspy.utils.callback import BaseCallback

from tests.programs.mcp_server import server as in_process
from tests.programs.tree import tree
from tests.support.sameness import LITELLM_WARNS, WAYS, Way, chat, same

pytestmark = LITELLM_WARNS


class Agent(dspy.Module):
    """Connects to the server, for as long as it takes to answer."""

    def __init__(self, server: Any) -> None:
        super().__init__()
        self.server = [server]  # In a list, so that DSPy does not look into it.

    async def aforward(self, question: str) -> Any:
        async with mcp.Client(self.server[0]) as client:
            tools = [dspy.Tool.from_mcp_tool(client, tool) for tool in (await client.list_tools()).tools]
            return await dspy.ReAct("question -> answer", tools=tools, max_iters=2).acall(question=question)

    def forward(self, question: str) -> Any:
        return asyncio.run(self.aforward(question))


def step(tool: str, arguments: str) -> str:
    return chat(next_thought="Look.", next_tool_name=tool, next_tool_args=arguments)


def check(way: Way, server: Any) -> None:
    run = same(
        way,
        lambda: Agent(server),
        [
            step("weather", '{"city": "Paris", "days": 2}'),
            step("climate", '{"city": "Rome"}'),
            chat(reasoning="I looked.", answer="Sunny."),
        ],
        around=lambda: dspy.context(callbacks=[BaseCallback()]),  # Else a traceback, which the LM sees, differs.
    )
    assert tree(run.events) == [
        "module Agent",
        "  module ReAct",
        "    predictor ReAct.react",
        "      lm openai/sim",
        "    tool weather",
        "    predictor ReAct.react",
        "      lm openai/sim",
        "    tool climate",
        "    module ReAct.extract",
        "      predictor ReAct.extract.predict",
        "        lm openai/sim",
    ]
    weather, climate = run.calls("tool")
    assert weather.arguments == {"city": "Paris", "days": 2}
    assert run.ended(weather.call).result == "2 sunny days in Paris"
    error = run.ended(climate.call).error
    assert error is not None
    assert "Error executing tool climate" in error.message


@pytest.mark.parametrize("way", WAYS)
def test_a_server_in_this_process(way: Way) -> None:
    check(way, in_process)


def test_a_server_in_another_process() -> None:
    script = Path(__file__).with_name("mcp_server.py")
    check("async", mcp.StdioServerParameters(command=sys.executable, args=[str(script)]))
