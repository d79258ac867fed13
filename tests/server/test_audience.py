"""Those who read: how often each is written to."""

from contextlib import ExitStack

import pytest

from fieldstream.server.audience import Audience
from fieldstream.server.metrics import Metrics


@pytest.mark.parametrize(
    ("readers", "interval", "pause"),
    [(1, 0.0001, 0.0001), (100, 0.0001, 0.01), (5_000, 0.0001, 0.05), (1, 3600, 3600), (7, 0.0, 0.0)],
)
def test_the_more_read_the_less_often_each_is_written_to(readers: int, interval: float, pause: float) -> None:
    audience = Audience(Metrics())
    with ExitStack() as stack:
        for _ in range(readers):
            stack.enter_context(audience.reader(lambda: None))
        assert audience.pause(interval) == pytest.approx(pause)
    assert audience.pause(interval) == 0
