"""Who may use a server: bearer tokens (RFC 6750)."""

import hashlib
import hmac
import os
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from starlette.requests import HTTPConnection

from fieldstream.server.errors import ApiError

TOKENS = "FIELDSTREAM_TOKENS"
"""The environment variable that holds tokens, with white space or commas between them."""

_SUBPROTOCOL = "bearer."


class Client(NamedTuple):
    """Who asks: the one who has a token, or who is at an address."""

    id: str
    has_token: bool


class Tokens:
    """The tokens that are taken. With none, anyone may come."""

    def __init__(self, tokens: Iterable[str] = ()) -> None:
        given = list(tokens)
        if any(not token or not token.isascii() or not token.isprintable() or " " in token for token in given):
            raise ValueError("a token is empty, or cannot be in a header; take some 32 random letters and digits")
        # Digests are of one length, so that the time that comparing them takes does not tell a token's.
        self._digests = [_digest(token) for token in given]

    def __bool__(self) -> bool:
        return bool(self._digests)

    def client(self, connection: HTTPConnection) -> Client:
        """Who asks. Raises ``ApiError`` 401 for one without a token that is taken."""
        if not self._digests:
            host = connection.client.host if connection.client is not None else ""
            return Client(f"address:{host}", has_token=False)
        given = _given(connection)
        # Each is compared, in a time that does not tell how much of it was right.
        digest = _digest(given)
        matches = [hmac.compare_digest(digest, each) for each in self._digests]
        if not any(matches):
            what = "the token is not one that is taken" if given else "a token is missing"
            raise ApiError(
                401,
                "unauthorized",
                f"{what}; send the header Authorization: Bearer TOKEN",
                headers={"WWW-Authenticate": 'Bearer realm="fieldstream"'},
            )
        return Client(f"token:{digest.hex()[:16]}", has_token=True)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def _given(connection: HTTPConnection) -> str:
    scheme, _, token = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return token.strip()
    if connection.scope["type"] == "websocket":  # A browser can say it there only as a subprotocol.
        for protocol in connection.scope.get("subprotocols", ()):
            if protocol.startswith(_SUBPROTOCOL):
                return protocol.removeprefix(_SUBPROTOCOL)
    return ""


def tokens_of_environment() -> list[str]:
    """The tokens in ``FIELDSTREAM_TOKENS``."""
    return os.environ.get(TOKENS, "").replace(",", " ").split()


def tokens_of_file(path: str | Path) -> list[str]:
    """The tokens in a file, one a line; a line that begins with # is a comment. Raises ``OSError`` as reading does."""
    lines = (line.strip() for line in Path(path).read_text(encoding="utf-8").splitlines())
    return [line for line in lines if line and not line.startswith("#")]
