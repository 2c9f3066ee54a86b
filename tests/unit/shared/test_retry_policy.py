"""Backoff: grows, is capped, and never retries hot."""

from hypothesis import given
from hypothesis import strategies as st

from shared.runtime.retry_policy import Backoff


def test_doubles_until_the_cap() -> None:
    backoff = Backoff(base_seconds=1, max_seconds=10, jitter=False)
    assert [backoff.delay(attempt) for attempt in range(1, 7)] == [1, 2, 4, 8, 10, 10]


@given(attempt=st.integers(1, 10_000))
def test_jitter_stays_between_half_and_all_of_the_ceiling(attempt: int) -> None:
    ceiling = Backoff(base_seconds=0.5, max_seconds=60, jitter=False).delay(attempt)
    delay = Backoff(base_seconds=0.5, max_seconds=60).delay(attempt)
    assert ceiling / 2 <= delay <= ceiling <= 60
