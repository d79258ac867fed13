"""What fieldstream itself raises.

    FieldstreamError
    ├── UnknownFieldError (also a ValueError)    a field name that fits nothing, or more than one thing
    ├── RunNotEndedError (also a RuntimeError)   asked for what is only there at the end
    ├── RunCancelledError                        asked for the result of a run that was cancelled
    └── MissingExtraError (also an ImportError)  a part whose packages are not installed

An exception of the program reaches its reader as itself, and is none of these.
"""


class FieldstreamError(Exception):
    """What fieldstream itself raises."""


class UnknownFieldError(FieldstreamError, ValueError):
    """A field's name fits nothing in the program, or more than one thing."""


class RunNotEndedError(FieldstreamError, RuntimeError):
    """The run has not begun or has not ended, and what was asked for is only there then."""


class RunCancelledError(FieldstreamError):
    """The run was cancelled, so that it has no result."""


class MissingExtraError(FieldstreamError, ImportError):
    """A part of fieldstream was used whose packages are not installed."""

    def __init__(self, part: str, extra: str) -> None:
        super().__init__(f"{part} needs packages that are not installed; run: pip install 'fieldstream[{extra}]'")
