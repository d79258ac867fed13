"""What the provider writes when nobody tells it what to say: an answer in the format that the request asks for.

The same messages and seed give the same answer, streamed or not.
"""

import json
import random
import re
from collections.abc import Callable
from typing import Any, cast
from xml.sax.saxutils import quoteattr

from fieldstream.simulator import prose
from fieldstream.simulator.answer import Answer, ToolCall
from fieldstream.simulator.options import Options
from fieldstream.simulator.prompt import Output, Task, read_task
from fieldstream.simulator.request import ChatRequest
from fieldstream.simulator.tools import LAST, Tool, arguments_for, call_for, choose
from fieldstream.simulator.values import invent

_OBSERVATION = re.compile(r"^\[\[ ## observation_\d+ ## \]\]\n(.*?)(?=\n*^\[\[ ## \w+ ## \]\]|\Z)", re.M | re.S)
_NESTED = ("array", "object")


def write(request: ChatRequest, options: Options) -> Answer:
    """An answer to the request, with as many choices as it asks for."""
    task = read_task(request)
    content = json.dumps(request.messages, sort_keys=True, default=str)
    choices = [
        _choice(request, task, options, random.Random(f"{options.seed} {index} {content}"))
        for index in range(request.choices)
    ]
    return choices[0] if len(choices) == 1 else Answer(choices=choices)


def _choice(request: ChatRequest, task: Task, options: Options, rng: random.Random) -> Answer:
    thinking = prose.reasoning(task.question, rng) if options.reasoning else ""
    tool = _native_tool(request, task, options, rng)
    if tool is not None:
        return Answer(reasoning=thinking, tool_calls=[_call(tool, task, rng)])
    return Answer(_text(request, task, options, rng), reasoning=thinking)


def _native_tool(request: ChatRequest, task: Task, options: Options, rng: random.Random) -> Tool | None:
    """The tool that the answer calls by the API's own means, if it calls one."""
    asked: Any = request.body.get("tool_choice", "auto")
    if not request.body.get("tools") or not task.tools or asked == "none" or options.tools is False:
        return None
    if isinstance(asked, dict):
        name = cast("dict[str, Any]", asked).get("function", {}).get("name")
        return next((tool for tool in task.tools if tool.name == name), None)
    agent = any(tool.name in LAST for tool in task.tools)
    if asked != "required" and not options.tools and not agent and task.tool_calls >= options.steps:
        return None
    return choose(task.tools, task.tool_calls, options.steps, task.question, rng)


def _text(request: ChatRequest, task: Task, options: Options, rng: random.Random) -> str:
    texts = sum(_is_text(output) for output in task.outputs)
    words = None if options.length is None else -(-options.length // max(texts, 1))
    values = _values(task, options, words, rng)
    match task.format:
        case "chat":
            sections = [f"[[ ## {name} ## ]]\n{_plain(output, value)}" for name, (output, value) in values.items()]
            return "\n\n".join([*sections, "[[ ## completed ## ]]"])
        case "xml":
            return "\n\n".join(_xml_field(output, value) for output, value in values.values())
        case "json":
            strict = "json_schema" in str(request.body.get("response_format"))
            made = {name: value for name, (_, value) in values.items()}
            made = made or {"answer": prose.answer(task.question, rng, words)}
            return json.dumps(made, ensure_ascii=False, indent=None if strict else 2)
        case "text":
            if not values:
                return prose.answer(task.question, rng, options.length)
            return "\n\n".join(f"{name}: {_plain(output, value)}" for name, (output, value) in values.items())


def _values(task: Task, options: Options, words: int | None, rng: random.Random) -> dict[str, tuple[Output, Any]]:
    names = [output.name for output in task.outputs]
    tool: Tool | None = None
    if "next_tool_name" in names and task.tools:
        tool = choose(task.tools, task.tool_calls, options.steps, task.question, rng)
    special: dict[str, Callable[[], Any]] = {}
    if tool is not None:
        special["next_thought"] = lambda: _thought(tool, task)
        special["next_tool_name"] = lambda: tool.name
        special["next_tool_args"] = lambda: _arguments(tool, task, rng)
    seen = [text.strip() for text in _OBSERVATION.findall(task.inputs.get("trajectory", ""))]
    seen = [text for text in seen if text and text != "Completed."]
    if seen and tool is None and words is None:
        special["reasoning"] = lambda: f"The question was: {task.question} The tools found this: {seen[-1]}"
        special["answer"] = lambda: f"As far as the tools can tell: {seen[-1]}"
    made: dict[str, tuple[Output, Any]] = {}
    for output in task.outputs:
        if output.kind == "ToolCalls" or output.name == "tool_calls":
            value: Any = {"tool_calls": _text_calls(task, options, rng)}
        elif output.name in special:
            value = special[output.name]()
        elif output.kind.startswith("Code"):
            value = f"```python\nprint({prose.query(task.question)!r})\n```"
        else:
            value = invent(output.name, output.schema, task.question, rng, words if _is_text(output) else None)
        made[output.name] = (output, value)
    return made


def _thought(tool: Tool, task: Task) -> str:
    if tool.name in LAST:
        return "The tools have told me what I need, so I can finish now."
    again = "Another tool may add something" if task.tool_calls else f"To answer “{task.question[:200]}”, I need facts"
    return f"{again}: {tool.name.replace('_', ' ')} looks right for that."


def _text_calls(task: Task, options: Options, rng: random.Random) -> list[dict[str, Any]]:
    if not task.tools:
        return []
    tool = choose(task.tools, task.tool_calls, options.steps, task.question, rng)
    return [{"name": tool.name, "args": _arguments(tool, task, rng)}]


def _arguments(tool: Tool, task: Task, rng: random.Random) -> dict[str, Any]:
    return arguments_for(tool, task.question, rng)


def _call(tool: Tool, task: Task, rng: random.Random) -> ToolCall:
    return call_for(tool, task.question, rng)


def _is_text(output: Output) -> bool:
    return output.schema.get("type") == "string" and not {"enum", "const", "format"} & set(output.schema)


def _plain(output: Output, value: Any) -> str:
    """A value in a section of its own. DSPy reads what is neither text nor a choice as JSON."""
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, str):
        choices: list[dict[str, Any]] = output.schema.get("anyOf", [])
        quoted = "format" in output.schema or any("format" in choice or "$ref" in choice for choice in choices)
        return json.dumps(value, ensure_ascii=False) if quoted else value
    return json.dumps(value, ensure_ascii=False)


def _xml_field(output: Output, value: Any) -> str:
    kind = output.schema.get("type")
    if kind is None and any(choice.get("type") in _NESTED or "$ref" in choice for choice in output.schema.get("anyOf", [])):
        kind = "object"
    noted = output.kind == "dict" or output.kind == "list"  # asked for as JSON, not as elements
    if isinstance(value, dict | list) and not noted:
        return _xml(output.name, value)
    return f"<{output.name}>\n{_escaped(_plain(output, value))}\n</{output.name}>"


def _xml(tag: str, value: Any, key: str = "") -> str:
    start = f"<{tag} key={quoteattr(key)}>" if key else f"<{tag}>"
    if isinstance(value, dict):
        entries = cast("dict[str, Any]", value).items()
        inner = "".join(_xml(name, part) if name.isidentifier() else _xml("entry", part, name) for name, part in entries)
    elif isinstance(value, list):
        inner = "".join(_xml("item", part) for part in cast("list[Any]", value))
    else:
        inner = "" if value is None else _escaped(str(value))
    return f"{start}{inner}</{tag}>"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")
