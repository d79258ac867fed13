"""A server's parts, as its routes find them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from starlette.requests import HTTPConnection

from fieldstream.server.auth import Client, Tokens
from fieldstream.server.errors import ApiError
from fieldstream.server.limits import Limits
from fieldstream.server.metrics import Metrics
from fieldstream.server.mount import Mount
from fieldstream.server.runs import Runs


@dataclass(frozen=True, kw_only=True)
class Options:
    """How a server behaves, beside its limits."""

    debug: bool = False
    """Whether clients see errors as they are."""
    list_runs: bool = False
    """Whether a client without a token may list runs: those of its address."""
    resume_chats: bool = False
    """Whether a chat's run goes on when its reader goes away, to be followed again."""
    page: bool = True
    """Whether there is a page for people at the root."""
    origins: tuple[str, ...] = ()
    """Of which other origins pages may use the server's WebSocket."""


@dataclass(frozen=True, kw_only=True)
class Host:
    """What is served, to whom, and how much of it."""

    mounts: Mapping[str, Mount]
    tokens: Tokens
    limits: Limits
    options: Options
    metrics: Metrics = field(default_factory=Metrics)
    runs: Runs = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "runs", Runs(self.limits, self.metrics, debug=self.options.debug))

    def mount(self, name: str) -> Mount:
        """The program of this name. Raises ``ApiError`` 404 where there is none."""
        if (mount := self.mounts.get(name)) is None:
            raise ApiError(404, "unknown_program", f"there is no program {name!r}; there are: {', '.join(self.mounts)}")
        return mount

    @property
    def max_body(self) -> int:
        """How many bytes a request's body may have."""
        return self.limits.max_body

    def client(self, connection: HTTPConnection) -> Client:
        """Who asks. Raises ``ApiError`` 401 for one who may not."""
        return self.tokens.client(connection)

    def refused(self, error: ApiError) -> None:
        """A request is not served."""
        self.metrics.refused.labels(error.code).inc()
