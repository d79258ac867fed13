"""A chat's messages as a program's inputs."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pydantic

from fieldstream.server.errors import ApiError, invalid
from fieldstream.server.mount import Mount


class Turn(NamedTuple):
    """What one side of a chat said."""

    role: str
    """``user`` or ``assistant``; what any other says is passed over."""
    text: str


def chat_inputs(mount: Mount, turns: Sequence[Turn], inputs: Mapping[str, Any]) -> dict[str, Any]:
    """The program's inputs: what ``inputs`` gives by name; the last user message as its main text; what was said before
    as its history, if it has one.

    Raises ``ApiError`` 422 where they do not fit the program.
    """
    said = [turn for turn in turns if turn.role in ("user", "assistant")]
    given = dict(inputs)
    last = max((at for at, turn in enumerate(said) if turn.role == "user"), default=None)
    if last is not None and mount.input not in given:
        if mount.input is None:
            raise ApiError(
                422,
                "no_main_input",
                f"it is not clear which input of {mount.name!r} a chat's message is: {_texts(mount)}; "
                "mount the program with input=..., or give its inputs by name in `inputs`",
            )
        given[mount.input] = said[last].text
    if mount.history is not None and mount.input is not None and mount.history not in given:
        given[mount.history] = {"messages": _history(mount, said[: last or 0])}
    try:
        return mount.inputs.model_validate(given).given()
    except pydantic.ValidationError as error:
        raise invalid(error.errors(include_url=False, include_context=False)) from None


def _texts(mount: Mount) -> str:
    return f"it has several texts ({', '.join(mount.texts)})" if mount.texts else "none of them is a text"


def _history(mount: Mount, turns: Sequence[Turn]) -> list[dict[str, Any]]:
    """DSPy's history: a message a turn, which holds a question's input and its answer's output by their names."""
    messages: list[dict[str, Any]] = []
    output = mount.output.field if mount.output is not None else "answer"
    for turn in turns:
        if turn.role == "user":
            messages.append({str(mount.input): turn.text})
        elif messages and output not in messages[-1]:
            messages[-1][output] = turn.text
        elif messages:  # Two answers in a row are one.
            messages[-1][output] += f"\n\n{turn.text}"
    return [message for message in messages if output in message]
