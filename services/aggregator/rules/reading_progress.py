"""How far a feed is: one number over all its phases, that never goes back."""

import threading
from collections.abc import Callable
from dataclasses import dataclass

from shared.schemas.events import Phase

_SPANS: dict[Phase, tuple[int, int]] = {
    Phase.RECEIVE: (0, 20),
    Phase.READ: (20, 40),
    Phase.VALIDATE: (40, 70),
    Phase.AGGREGATE: (70, 90),
    Phase.STORE: (90, 99),
}
"""From where to where each phase takes the feed, in percent; 100 is when it is no longer in progress."""


@dataclass(frozen=True, slots=True)
class Progress:
    """`percent` is of the whole, 0-99."""

    phase: Phase = Phase.RECEIVE
    percent: int = 0


class ReadingProgress:
    """Told from the event loop and from the reading thread; asked by whoever renews the lease."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._now = Progress()

    def told(self, phase: Phase, percent: int) -> None:
        """`percent` of that phase. What would be a step back is not one."""
        start, end = _SPANS.get(phase, (0, 0))
        reached = start + (end - start) * min(max(percent, 0), 100) // 100
        with self._lock:
            if reached > self._now.percent:
                self._now = Progress(phase, reached)

    @property
    def now(self) -> Progress:
        with self._lock:
            return self._now


Reached = Callable[[int], None]
"""Hears how much of a source was consumed, in whatever is counted there."""


class Preparing:
    """One phase that goes through several sources, or through one several times: `told` hears its percents, 1-100.

    Each percent is told once at most, and none after a higher one.
    """

    def __init__(self, told: Callable[[int], None]) -> None:
        self._told = told
        self._percent = 0

    def stage(self, size: int, share: float = 1.0) -> Reached:
        """For one pass over a source of `size`; it takes up this `share` of what is left of the phase."""
        start = self._percent
        span = (100 - start) * share

        def reached(consumed: int) -> None:
            percent = start + int(span * min(consumed, size) / max(size, 1))
            if percent > self._percent:
                self._percent = percent
                self._told(percent)

        return reached
