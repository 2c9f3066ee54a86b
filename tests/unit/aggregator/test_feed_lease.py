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
from services.aggregator.settings import AggregatorSettings
from shared.runtime.sqs_queue import MAX_VISIBILITY_SECONDS
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


@pytest.mark.parametrize("seconds", [0, 10])
def test_waiting_grows_so_that_a_feed_of_the_longest_kind_does_not_wear_a_message_out(seconds: float) -> None:
    """The last receive has to come after that feed has ended: only the waits before it count."""
    defaults = {name: field.default for name, field in AggregatorSettings.model_fields.items()}
    waits = [wait_for_lease(seconds, receives) for receives in range(1, defaults["worker_max_receives"])]
    assert waits[:2] == [seconds + 0.5] * 2
    assert waits == sorted(waits)
    assert sum(waits) > defaults["read_seconds"] + defaults["commit_seconds"]


def test_no_wait_is_longer_than_a_queue_can_hide_a_message() -> None:
    assert wait_for_lease(600, 1_000_000) <= MAX_VISIBILITY_SECONDS
