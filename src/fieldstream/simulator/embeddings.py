"""Texts as vectors, as the OpenAI API gives them: "Create embeddings", "The embedding object".

A vector is made of the text's words: each word adds to a few of the numbers, which ones its hash tells. So a text has
the same vector in any process, and texts that share words are near each other. Its length is 1, as OpenAI's are.
"""

import base64
import hashlib
import math
import re
import struct
from typing import Any, cast

from fieldstream.simulator.request import BadRequest, ChatRequest
from fieldstream.simulator.tokens import count
from fieldstream.simulator.wire import encode

_DIMENSIONS = 1536
"""As `text-embedding-3-small` has, unless the request asks for another number."""
_MOST_DIMENSIONS = 1 << 16
_MOST_INPUTS = 2048
_WORD = re.compile(r"\w+")
_PLACES = 8
"""How many numbers a word adds to."""

Input = str | list[int]
"""A text, or the numbers of its tokens."""


def embeddings_body(request: ChatRequest) -> bytes:
    """The vectors of what a request gives, in its order. Raises `BadRequest` where it is not what the API asks for."""
    inputs = _inputs(request.body.get("input"))
    dimensions = request.body.get("dimensions")
    if dimensions is None:
        dimensions = _DIMENSIONS
    elif not (type(dimensions) is int and 1 <= dimensions <= _MOST_DIMENSIONS):
        raise BadRequest(400, f"Invalid 'dimensions': expected an integer from 1 on, got {dimensions!r}")
    encoding = request.body.get("encoding_format") or "float"
    if encoding not in ("float", "base64"):
        raise BadRequest(400, f"Invalid 'encoding_format': expected 'float' or 'base64', got {encoding!r}")
    data = [
        {"object": "embedding", "index": index, "embedding": _encoded(vector(given, dimensions), encoding)}
        for index, given in enumerate(inputs)
    ]
    tokens = sum(count(given) if isinstance(given, str) else len(given) for given in inputs)
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return encode({"object": "list", "data": data, "model": request.model, "usage": usage})


def vector(given: Input, dimensions: int) -> bytes:
    """The vector of a text, as 32-bit floats, little end first."""
    numbers = [0.0] * dimensions
    words = _WORD.findall(given.lower()) if isinstance(given, str) else map(str, given)
    for word in words or [given]:
        digest = hashlib.blake2b(str(word).encode(errors="surrogatepass"), digest_size=4 * _PLACES).digest()
        for (place,) in struct.iter_unpack("<I", digest):
            numbers[(place >> 1) % dimensions] += 1.0 if place & 1 else -1.0
    length = math.hypot(*numbers)
    if length == 0:  # Its words have cancelled each other.
        numbers[0] = length = 1.0
    return struct.pack(f"<{dimensions}f", *(number / length for number in numbers))


def _encoded(packed: bytes, encoding: str) -> str | list[float]:
    if encoding == "base64":
        return base64.b64encode(packed).decode()
    return list(struct.unpack(f"<{len(packed) // 4}f", packed))


def _inputs(given: Any) -> list[Input]:
    """What is to be embedded: one text or several, each in words or in tokens."""
    if isinstance(given, str) or _is_tokens(given):
        given = [given]
    if not isinstance(given, list) or not given:
        raise BadRequest(400, "Missing required parameter: 'input', a string or a list of at least one")
    inputs = cast("list[Any]", given)
    if len(inputs) > _MOST_INPUTS:
        raise BadRequest(400, f"Invalid 'input': expected at most {_MOST_INPUTS} texts, got {len(inputs)}")
    for each in inputs:
        if not ((isinstance(each, str) and each) or _is_tokens(each)):
            raise BadRequest(400, "Invalid 'input': each must be a text that is not empty, or a list of its tokens")
    return inputs


def _is_tokens(given: Any) -> bool:
    if not isinstance(given, list):
        return False
    tokens = cast("list[Any]", given)
    return bool(tokens) and all(type(token) is int for token in tokens)
