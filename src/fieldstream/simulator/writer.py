"""What the provider writes when nobody tells it what to say: an answer in the format that the request asks for.

The same messages, temperature and seeds give the same answer, streamed or not.
"""

import json
import random
import re
from typing import Any, cast
from xml.sax.saxutils import quoteattr

from fieldstream.simulator import prose
from fieldstream.simulator.answer import Answer
from fieldstream.simulator.options import Options
from fieldstream.simulator.prompt import Output, Task, read_task
from fieldstream.simulator.request import ChatRequest
from fieldstream.simulator.tools import LAST, Tool, arguments_for, call_for, choose
from fieldstream.simulator.values import invent

_OBSERVATION = re.compile(
    r"^(?:\[\[ ## observation_\d+ ## \]\]|<observation_\d+>)\n(.*?)(?=\n*^\[\[ ## \w+ ## \]\]|\n</observation_|\Z)",
    re.MULTILINE | re.DOTALL,
)


def write(request: ChatRequest, options: Options) -> Answer:
    """An answer to the request, with as many choices as it asks for."""
    task = read_task(request)
    content = json.dumps([request.messages, request.body.get("temperature"), request.body.get("seed")])
    choices = [
        _choice(request, task, options, random.Random(f"{options.seed} {index} {content}"))
        for index in range(request.choices)
    ]
    return choices[0] if len(choices) == 1 else Answer(choices=choices)


def _choice(request: ChatRequest, task: Task, options: Options, rng: random.Random) -> Answer:
    thinking = prose.reasoning(task.question, rng) if options.reasoning else ""
    tool = _native_tool(request, task, options)
    if tool is not None:
        return Answer(reasoning=thinking, tool_calls=[call_for(tool, task.question, rng)])
    return Answer(_text(request, task, options, rng), reasoning=thinking)


def _native_tool(request: ChatRequest, task: Task, options: Options) -> Tool | None:
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
    return choose(task.tools, task.tool_calls, options.steps, task.question)


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
    known = _agent_step(task, options, rng) or _extracted(task) or ({} if words else _observed(task))
    made: dict[str, tuple[Output, Any]] = {}
    for output in task.outputs:
        if output.name in known:
            value = known[output.name]
        elif output.kind.startswith("Code"):
            value = f"```python\nprint({prose.query(task.question)!r})\n```"
        else:
            value = invent(output.name, output.schema, task.question, rng, words if _is_text(output) else None)
        made[output.name] = (output, value)
    return made


def _agent_step(task: Task, options: Options, rng: random.Random) -> dict[str, Any]:
    """The fields of an agent's turn: the next tool, with arguments, and why."""
    calls = next((output.name for output in task.outputs if output.kind == "ToolCalls"), "")
    if not task.tools or not (calls or any(output.name == "next_tool_name" for output in task.outputs)):
        return {}
    tool = choose(task.tools, task.tool_calls, options.steps, task.question)
    arguments = arguments_for(tool, task.question, rng)
    return {
        "next_thought": _thought(tool, task),
        "next_tool_name": tool.name,
        "next_tool_args": arguments,
        calls: {"tool_calls": [{"name": tool.name, "args": arguments}]},
    }


def _thought(tool: Tool, task: Task) -> str:
    if tool.name in LAST:
        return "The tools have told me what I need, so I can finish now."
    again = "Another tool may add something" if task.tool_calls else f"To answer “{task.question[:200]}”, I need facts"
    return f"{again}: {tool.name.replace('_', ' ')} looks right for that."


def _extracted(task: Task) -> dict[str, Any]:
    """The fields that a draft of ours lays out, where they are to be extracted from it."""
    draft = task.inputs.get("text", "")
    names = [output.name for output in task.outputs]
    parts = re.split(rf"(?:^|\n\n)({'|'.join(names)}): ", draft) if names else []
    texts = dict(zip(parts[1::2], parts[2::2], strict=True))
    if len(texts) != len(names):
        return {}
    read = {output.name: _read(output, texts[output.name]) for output in task.outputs}
    return {name: value for name, value in read.items() if value is not None}


def _read(output: Output, text: str) -> Any:
    """The value that a draft gives a field; `None` where it does not fit, for a draft knows less of types."""
    if _is_text(output):
        return text
    try:
        value: Any = json.loads(text)
    except ValueError:
        value = text == "True" if text in ("True", "False") else text
    schema = output.schema
    if "enum" in schema:
        return value if value in schema["enum"] else None
    kinds: dict[str, type | tuple[type, ...]] = {"integer": int, "number": (int, float), "boolean": bool}
    kind = kinds.get(schema.get("type", ""))
    strings = schema.get("type") == "array" and schema.get("items", {}).get("type") == "string"
    anything = schema.get("additionalProperties") is True
    expected = kind or (list if strings else dict if anything else ())
    return value if isinstance(value, expected) else None


def _observed(task: Task) -> dict[str, Any]:
    """What an agent's tools have found, put into words."""
    seen = [text.strip(" \n«»") for text in _OBSERVATION.findall(task.inputs.get("trajectory", ""))]
    seen = [text for text in seen if text and text != "Completed."]
    if not seen:
        return {}
    return {
        "reasoning": f"The question was: {task.question} A tool was asked, and this is what it found: {seen[-1]}",
        "answer": f"As far as the tools can tell: {seen[-1]}",
    }


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
    # Arguments of tools stay JSON, as their prompt asks: elements would lose whether 5 is a number.
    if isinstance(value, dict | list) and output.nested and output.name != "next_tool_args":
        return _xml(output.name, value)
    return f"<{output.name}>\n{_escaped(_plain(output, value))}\n</{output.name}>"


def _xml(tag: str, value: Any, key: str = "") -> str:
    start = f"<{tag} key={quoteattr(key)}>" if key else f"<{tag}>"
    if isinstance(value, dict):
        entries = cast("dict[str, Any]", value).items()
        inner = "".join(
            _xml(name, part) if name.isidentifier() else _xml("entry", part, name) for name, part in entries
        )
    elif isinstance(value, list):
        inner = "".join(_xml("item", part) for part in cast("list[Any]", value))
    else:
        inner = "" if value is None else _escaped(str(value))
    return f"{start}{inner}</{tag}>"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")
