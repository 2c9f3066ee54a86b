"""When to try again: a pure decision, so that every user of it can be tested without waiting."""

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential backoff with equal jitter, capped.

    Source of the shape and the name: "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
    """

    base_seconds: float = 1.0
    max_seconds: float = 300.0
    jitter: bool = True

    def delay(self, attempt: int) -> float:
        """Seconds to wait after failed attempt number `attempt` (from 1)."""
        ceiling = min(self.max_seconds, self.base_seconds * 2.0 ** min(attempt - 1, 32))
        if not self.jitter:
            return ceiling
        # Half fixed, half random: never a hot retry, never a thundering herd.
        return ceiling / 2 + random.random() * ceiling / 2  # noqa: S311 - spreads load, guards nothing
