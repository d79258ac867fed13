"""How much a server does at once, and for how long."""

import asyncio
import math
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from fieldstream.server.errors import ApiError


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a server takes on. Sizes are in bytes, times in seconds."""

    max_body: int = 1024 * 1024
    """The largest body of a request."""
    max_runs: int = 100
    """How many runs go on at once."""
    max_runs_per_client: int | None = None
    """How many of one client's: of one token's, or without tokens of one address's."""
    max_queued: int = 100
    """How many more may wait for their turn; any further is refused with 429."""
    max_queue_seconds: float = 30.0
    """How long one waits for its turn, at most."""
    max_run_seconds: float | None = 3600.0
    """How long a run may take. One that takes longer is cancelled."""
    max_idle_seconds: float | None = 600.0
    """How long a run may say nothing. One that is silent for longer is cancelled."""
    keep_seconds: float = 600.0
    """How long a finished run can be followed and looked at."""
    keep_bytes: int = 64 * 1024 * 1024
    """How large the finished runs that are kept may be in all. The oldest are forgotten first."""
    heartbeat_seconds: float = 15.0
    """How long a connection may be silent before it is told that the run goes on."""
    stall_seconds: float = 60.0
    """How long a reader may take nothing of what is written to it. Then its connection is closed."""
    write_interval: float = 0.0001
    """The least time between two writes to one reader, for each reader that there is, up to a twentieth of a second.
    What comes meanwhile goes out as one: so few readers get each text at once, and many leave time for the programs."""
    shutdown_seconds: float = 10.0
    """How long a server that is told to end waits for its runs. Those that are left are cancelled."""

    def __post_init__(self) -> None:
        least = {"max_body": 1, "max_runs": 1, "max_runs_per_client": 1}
        for name in self.__dataclass_fields__:
            value = getattr(self, name)
            if value is not None and not least.get(name, 0) <= value:
                raise ValueError(f"{name} is {value!r}; it must be {least.get(name, 0)} or more")
        if not self.heartbeat_seconds or not self.stall_seconds:
            raise ValueError("heartbeat_seconds and stall_seconds must be more than 0")


class _Waiting(NamedTuple):
    client: str
    turn: asyncio.Future[None]


class Places:
    """The places for runs that go on: in all, and for each client. Who finds none waits for one, in order."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._taken: Counter[str] = Counter()
        self._queue: deque[_Waiting] = deque()

    @property
    def taken(self) -> int:
        """How many runs go on."""
        return self._taken.total()

    @property
    def queued(self) -> int:
        """How many wait."""
        return len(self._queue)

    async def take(self, client: str) -> None:
        """Take a place for this client's run, perhaps after a wait. Raises ``ApiError`` 429 where there is none."""
        if self._is_free(client):
            self._taken[client] += 1
            return
        if len(self._queue) >= self._limits.max_queued:
            raise self._full(client)
        waiting = _Waiting(client, asyncio.get_running_loop().create_future())
        self._queue.append(waiting)
        try:
            async with asyncio.timeout(self._limits.max_queue_seconds):
                await waiting.turn
        except BaseException as error:
            if waiting in self._queue:
                self._queue.remove(waiting)
            elif waiting.turn.exception() is None:
                self.give_back(client)  # It was given just as nobody wanted it any more.
            if isinstance(error, TimeoutError):
                raise self._full(client) from None
            raise

    def give_back(self, client: str) -> None:
        """The run has ended. Its place is another's."""
        self._taken[client] -= 1
        if not self._taken[client]:
            del self._taken[client]
        for waiting in tuple(self._queue):
            if not waiting.turn.done() and self._is_free(waiting.client):
                self._taken[waiting.client] += 1
                self._queue.remove(waiting)
                waiting.turn.set_result(None)

    def send_away(self, why: Callable[[], ApiError]) -> None:
        """Nobody who waits gets a place any more."""
        for waiting in tuple(self._queue):
            if not waiting.turn.done():
                self._queue.remove(waiting)
                waiting.turn.set_exception(why())

    def _is_free(self, client: str) -> bool:
        most = self._limits.max_runs_per_client
        return self.taken < self._limits.max_runs and (most is None or self._taken[client] < most)

    def _full(self, client: str) -> ApiError:
        limits = self._limits
        if self.taken < limits.max_runs:
            busy = f"{self._taken[client]} of your runs go on, which is the most for one client"
        else:
            busy = f"{self.taken} runs go on, which is the most at once"
        wait = max(1, math.ceil(limits.max_queue_seconds))
        return ApiError(429, "too_many_runs", f"{busy}; try again in {wait} s", headers={"Retry-After": str(wait)})
