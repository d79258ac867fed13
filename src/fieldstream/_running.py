"""What a run is to those who read it, wherever its program works."""

from collections.abc import Mapping
from typing import Any, Protocol

from fieldstream import tap
from fieldstream._fields import FieldName
from fieldstream.events import Failure, Outcome


class Running(Protocol):
    """A program at work: in this process (``Execution``), or at a server."""

    @property
    def id(self) -> str: ...

    @property
    def outcome(self) -> Outcome | None: ...

    @property
    def usage(self) -> dict[str, dict[str, Any]]: ...

    @property
    def answers(self) -> Mapping[str, tap.Answer]:
        """What is known of predictors' calls beside their events, by call id."""
        ...

    @property
    def error(self) -> BaseException | None:
        """Why the program failed."""
        ...

    def find_field(self, name: str, *, typed: bool = False) -> FieldName:
        """The field of this name, whose type must be known if ``typed``. Raises ``UnknownFieldError``."""
        ...

    def find_list(self, name: str) -> FieldName:
        """The field of this name, which is a list. Raises ``UnknownFieldError``."""
        ...

    def release(self) -> None:
        """A reader has said what it reads."""
        ...

    def cancel(self, reason: Failure | None = None, /) -> None: ...

    def result(self, wait: str, /) -> Any:
        """What the program returned, or raised. ``wait`` is what an asker who came too early should do."""
        ...

    async def wait(self) -> None: ...

    def wait_blocking(self) -> None: ...
