"""Who may claim a feed."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from services.aggregator.rules.feed_identity import ObjectFacts, ObjectRef, identify
from services.aggregator.rules.feed_lease import (
    AlreadyTerminal,
    FeedRow,
    HeldElsewhere,
    OtherObject,
    refusal,
    wait_for_lease,
)
from shared.schemas.feeds import ProcessingStatus

NOW = datetime(2026, 11, 22, 13, 0, tzinfo=UTC)
REF = ObjectRef("uploads", "acme/a.csv", "v1", "e1")
FEED = identify(REF, ObjectFacts(ref=REF, size_bytes=1, last_modified=NOW, metadata={}), "house")[0]


def row(status: ProcessingStatus, lease_seconds: float | None = None) -> FeedRow:
    expires = None if lease_seconds is None else NOW + timedelta(seconds=lease_seconds)
    return FeedRow(ref=REF, status=status, lease_expires_at=expires, now=NOW)


@pytest.mark.parametrize(
    "free",
    [
        row(ProcessingStatus.IN_QUEUE),
        row(ProcessingStatus.IN_PROGRESS, -0.001),
        row(ProcessingStatus.IN_PROGRESS, 0),
        row(ProcessingStatus.IN_PROGRESS),
    ],
)
def test_a_feed_that_nobody_works_on_may_be_claimed(free: FeedRow) -> None:
    assert refusal(FEED, free) is None


def test_a_live_lease_is_left_alone_and_says_how_long() -> None:
    assert refusal(FEED, row(ProcessingStatus.IN_PROGRESS, 7.5)) == HeldElsewhere(FEED.feed_id, 7.5)


@pytest.mark.parametrize("status", [ProcessingStatus.DONE, ProcessingStatus.FATAL, ProcessingStatus.CANCELLED])
def test_a_terminal_feed_is_never_worked_on_again(status: ProcessingStatus) -> None:
    assert refusal(FEED, row(status, -100)) == AlreadyTerminal(FEED.feed_id, status)


@pytest.mark.parametrize("status", list(ProcessingStatus))
def test_an_id_of_another_object_is_refused_whatever_its_state(status: ProcessingStatus) -> None:
    other = replace(row(status), ref=replace(REF, key="bob/b.csv"))
    assert refusal(FEED, other) == OtherObject()


def test_waiting_for_a_lease_grows_so_that_a_long_feed_does_not_wear_its_message_out() -> None:
    waits = [wait_for_lease(10, receives) for receives in range(1, 12)]
    assert waits[:2] == [10.5, 10.5]
    assert waits == sorted(waits)
    assert sum(waits) > 3_600
    assert max(waits) <= 910.5
