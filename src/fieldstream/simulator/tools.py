"""Tools that a request offers, and calls of them with arguments that fit."""

import ast
import random
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from fieldstream.simulator import prose
from fieldstream.simulator.annotations import Schema
from fieldstream.simulator.answer import ToolCall
from fieldstream.simulator.values import invent

LAST = ("finish", "submit")
"""Tools with which an agent ends: they are called when the others were."""

_DESCRIBED = re.compile(r"(\w+)(?:, whose description is <desc>(.*?)</desc>)?\. It takes arguments (?=\{)")


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool: its arguments by name, each with a schema."""

    name: str
    description: str
    arguments: Mapping[str, Schema]


def described_tools(text: str) -> list[Tool]:
    """The tools that a prompt describes in DSPy's words."""
    return [Tool(match[1], match[2] or "", _literal(text[match.end() :])) for match in _DESCRIBED.finditer(text)]


def _literal(text: str) -> dict[str, Any]:
    """The dictionary that the text begins with, as Python writes it; `{}` where it cannot be read."""
    for end in re.finditer(r"\}\.", text):
        try:
            return ast.literal_eval(text[: end.start() + 1])
        except (ValueError, SyntaxError):
            continue
    return {}


def offered_tools(body: Mapping[str, Any]) -> list[Tool]:
    """The functions in the `tools` of a request (OpenAI API reference, "Function calling")."""
    tools: list[Tool] = []
    offered: Any = body.get("tools")
    for entry in cast("list[Any]", offered) if isinstance(offered, list) else []:
        try:
            function = entry.get("function", entry)  # The Responses API has no such level.
            parameters = cast("Schema", function.get("parameters") or {})
            shared = {key: parameters[key] for key in ("$defs", "definitions") if key in parameters}
            arguments = {name: shared | schema for name, schema in parameters.get("properties", {}).items()}
            tools.append(Tool(str(function["name"]), str(function.get("description") or ""), arguments))
        except (KeyError, TypeError, AttributeError):
            continue
    return tools


def choose(tools: list[Tool], calls: int, steps: int, question: str) -> Tool:
    """The tool to call after `calls` calls: the one that the question's words name, and in the end one of `LAST`."""
    working = [tool for tool in tools if tool.name not in LAST]
    last = [tool for tool in tools if tool.name in LAST]
    if last and (calls >= steps or not working):
        return last[0]
    words = {word.lower() for word in prose.keywords(question, 30)}

    def fits(tool: Tool) -> int:
        return len(words & set(re.findall(r"\w{3,}", f"{tool.name.replace('_', ' ')} {tool.description}".lower())))

    ranked = sorted(working, key=fits, reverse=True)  # stable: equals stay in the order of the prompt
    return ranked[calls % len(ranked)]


def arguments_for(tool: Tool, question: str, rng: random.Random) -> dict[str, Any]:
    """Arguments that fit the tool; what has a default is left to it."""
    return {
        name: invent(name, schema, question, rng) for name, schema in tool.arguments.items() if "default" not in schema
    }


def call_for(tool: Tool, question: str, rng: random.Random) -> ToolCall:
    """A call of the tool."""
    return ToolCall(tool.name, arguments_for(tool, question, rng))
