"""Messages of OpenAI's two forms as a chat's turns."""

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict

from fieldstream.server.chat import Turn
from fieldstream.server.routes.openai.errors import OpenAIError

_TEXTS = ("text", "input_text", "output_text")


class Part(BaseModel):
    """A part of a message's content."""

    model_config = ConfigDict(extra="allow")

    type: str
    text: str = ""


class Message(BaseModel):
    """One message: ``content`` is a text, or parts of which each is a text; an assistant's refusal is passed over."""

    model_config = ConfigDict(extra="allow")

    role: str
    content: str | list[Part] | None = None


def turns(messages: Sequence[Message | None], param: str) -> list[Turn]:
    """What user and assistant have said, in order; the last word must be the user's. ``None`` stands for what is no
    message (a call, or its output).

    Raises ``ApiError`` 400 for content that is no text, and where the user has not spoken last.
    """
    said = [
        Turn(message.role, text)
        for at, message in enumerate(messages)
        if message is not None
        and message.role in ("user", "assistant")
        and ((text := _text(message, f"{param}[{at}].content")) or message.role == "user")
    ]
    spoken = [message for message in messages if message is None or message.role not in ("system", "developer")]
    if spoken and (spoken[-1] is None or spoken[-1].role != "user"):
        raise OpenAIError(
            400,
            "unsupported_message",
            f"the last of {param} is not the user's: a program answers what a user says. Results of tools that the "
            "client ran are an input of the program, if it has one: give it by name in `inputs`",
            param=param,
        )
    return said


def _text(message: Message, param: str) -> str:
    if not isinstance(message.content, list):
        return message.content or ""
    other = next((part.type for part in message.content if part.type not in (*_TEXTS, "refusal")), None)
    if other is not None:
        raise OpenAIError(
            400,
            "unsupported_content",
            f"{param} has a part of type {other!r}; a message is a text, or parts of type 'text'. What else a program "
            "takes (an image, say) is an input of its own: give it by name in `inputs`",
            param=param,
        )
    return "".join(part.text for part in message.content)
