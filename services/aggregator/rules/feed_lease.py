"""Who may work on a feed, and until when."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from services.aggregator.rules.feed_identity import FeedIdentity, ObjectRef
from shared.schemas.feeds import ProcessingStatus

MOST_PATIENCE_SECONDS = 2_880.0


@dataclass(frozen=True, slots=True)
class FeedRow:
    """What the store knows of a feed when somebody asks for it. `now` is the store's clock."""

    ref: ObjectRef
    status: ProcessingStatus
    lease_expires_at: datetime | None
    now: datetime


@dataclass(frozen=True, slots=True)
class Claimed:
    """The feed is ours until the lease ends; `fence` is what the store will ask for.

    `run` is 1, and one more for every time that reprocessing was asked for; `overrides` are the options asked for
    then, by name, null for the default. `stands`: an earlier result is DONE, and stays unless this run ends DONE.
    """

    feed: FeedIdentity
    fence: int
    attempt: int
    owner: str
    started_at: datetime
    run: int = 1
    overrides: Mapping[str, str | None] = field(default_factory=dict)
    stands: bool = False


@dataclass(frozen=True, slots=True)
class AlreadyTerminal:
    """Nothing to do: its outcome is stored."""

    feed_id: UUID
    status: ProcessingStatus


@dataclass(frozen=True, slots=True)
class HeldElsewhere:
    """A live worker has it, for `seconds` at least."""

    feed_id: UUID
    seconds: float


@dataclass(frozen=True, slots=True)
class OtherObject:
    """The id belongs to another object."""


ClaimRefusal = AlreadyTerminal | HeldElsewhere | OtherObject


def is_waiting(status: ProcessingStatus, lease_expires_at: datetime | None, now: datetime) -> bool:
    """Whether no live worker has it: it is queued, or its worker's lease ran out."""
    if status is ProcessingStatus.IN_PROGRESS:
        return lease_expires_at is None or lease_expires_at <= now
    return status is ProcessingStatus.IN_QUEUE


def refusal(feed: FeedIdentity, row: FeedRow) -> ClaimRefusal | None:
    """Why `feed` may not be claimed, or None if it may: it is new, released, or its worker's lease ran out."""
    if not feed.ref.is_same_as(row.ref):
        return OtherObject()
    if row.status.is_terminal:
        return AlreadyTerminal(feed.feed_id, row.status)
    if row.lease_expires_at and not is_waiting(row.status, row.lease_expires_at, row.now):
        return HeldElsewhere(feed.feed_id, (row.lease_expires_at - row.now).total_seconds())
    return None


def wait_for_lease(seconds: float, receive_count: int) -> float:
    """How long to hide a message whose feed another worker has, or which waits for another feed (0 seconds).

    Just past the lease at first (that worker may be dead), ever longer later: 45 s at the third receive, doubled each
    time up to 48 minutes. So the waits before a tenth receive, which may be the last, last longer together than a feed
    may be read and committed with the settings' defaults. Whoever sets fewer receives, or longer readings, shortens
    that: what has to wait longer still ends in the dead-letter queue, from where it can be sent again.
    """
    patience = 0.0 if receive_count <= 2 else min(MOST_PATIENCE_SECONDS, 45.0 * 2.0 ** min(receive_count - 3, 16))
    return seconds + 0.5 + patience
