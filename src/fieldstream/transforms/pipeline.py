"""Several transforms, one after the other, for one reader."""

from collections.abc import Iterable

from msgspec.structs import replace

from fieldstream.events import Event, Failure, RunEnded
from fieldstream.transforms.stage import Paced, Stage, Transform

_STOPPED = Failure(kind="stopped", message="a transform ended the run")


class Pipeline:
    """A run's events in, a reader's events out, with a ``seq`` of their own.

    Which events come out, and in which order, depends on those that were fed alone, not on when that was: so ``seq``
    is a cursor that holds for every reader who has the same transforms.
    """

    def __init__(self, transforms: Iterable[Transform]) -> None:
        self._stages: list[Stage | Paced] = [transform.start() for transform in transforms]
        self._paced = [index for index, stage in enumerate(self._stages) if isinstance(stage, Paced)]
        self._out: list[Event] = []
        self._at = 0.0
        self.count = 0
        # Why a transform stopped the run, where one did; and whether the reader's closing event is out.
        self.stopped: Failure | None = None
        self.ended = False

    @property
    def due(self) -> float | None:
        """When there is more without more being fed: the time for ``advance``; ``None`` where there will not be."""
        times = [time for index in self._paced if (time := self._pace(index).due()) is not None]
        return min(times, default=None)

    def feed(self, event: Event, now: float) -> None:
        """Take the run's next event. After a transform stopped the run nothing is taken any more."""
        if self.stopped is None:
            self._pass(event, 0, now)

    def advance(self, now: float, upto: int = 0) -> list[Event]:
        """What has come out by ``now``; the first ``upto`` of all events come whether it is time for them or not."""
        for index in self._paced:
            stage = self._pace(index)
            while (due := stage.due()) is not None and (due <= now or self.count < upto):
                self._pass(stage.release(now), index + 1, now)
        out, self._out = self._out, []
        return out

    def _pace(self, index: int) -> Paced:
        stage = self._stages[index]
        assert isinstance(stage, Paced)
        return stage

    def _pass(self, event: Event, index: int, now: float) -> None:
        """Hand an event to the stage with this number, and what it gives to the next one."""
        if index == len(self._stages):
            self._give(event)
            return
        stage = self._stages[index]
        if isinstance(stage, Paced):
            stage.hold(event, now)
            return
        for given in stage.feed(event):
            if type(given) is RunEnded and type(event) is not RunEnded and self.stopped is None:
                self.stopped = given.error or _STOPPED
            self._pass(given, index + 1, now)

    def _give(self, event: Event) -> None:
        if self.ended:
            return
        self._at = max(self._at, event.at)
        self._out.append(replace(event, seq=self.count, at=self._at))
        self.count += 1
        self.ended = type(event) is RunEnded
