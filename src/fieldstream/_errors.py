"""What fieldstream itself raises.

    FieldstreamError
    ├── UnknownFieldError (also a ValueError)    a field name that fits nothing, or more than one thing
    ├── RunNotEndedError (also a RuntimeError)   asked for what is only there at the end
    ├── RunCancelledError                        asked for the result of a run that was cancelled
    ├── RemoteError                              the program failed, at the server that runs it
    ├── HttpError                                a server refused what a ``Client`` asked for
    ├── ConnectionLostError (also a ConnectionError)  a server cannot be reached, or no longer
    └── MissingExtraError (also an ImportError)  a part whose packages are not installed

An exception of a program in this process reaches its reader as itself, and is none of these.
"""


class FieldstreamError(Exception):
    """What fieldstream itself raises."""


class UnknownFieldError(FieldstreamError, ValueError):
    """A field's name fits nothing in the program, or more than one thing."""


class RunNotEndedError(FieldstreamError, RuntimeError):
    """The run has not begun or has not ended, and what was asked for is only there then."""


class RunCancelledError(FieldstreamError):
    """The run was cancelled, so that it has no result."""


class RemoteError(FieldstreamError):
    """The program failed at its server: its exception's class and message, as far as the server tells them."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(f"{kind}: {message}")
        self.kind = kind
        self.message = message


class HttpError(FieldstreamError):
    """A server refused a request: its status, a code for programs, a message for people, and perhaps details.

    ``retry_after`` is after how many seconds it may be asked again, where it says so.
    """

    def __init__(
        self, status: int, code: str, message: str, *, details: object = None, retry_after: float | None = None
    ) -> None:
        super().__init__(f"{message} ({status} {code})")
        self.status = status
        self.code = code
        self.message = message
        self.details = details
        self.retry_after = retry_after


class ConnectionLostError(FieldstreamError, ConnectionError):
    """A server cannot be reached, or no longer. What it runs goes on."""


class MissingExtraError(FieldstreamError, ImportError):
    """A part of fieldstream was used whose packages are not installed."""

    def __init__(self, part: str, extra: str) -> None:
        super().__init__(f"{part} needs packages that are not installed; run: pip install 'fieldstream[{extra}]'")
