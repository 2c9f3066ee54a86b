"""What the aggregator announces on SNS feed-events, and what the notifier tells clients."""

from enum import StrEnum
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, TypeAdapter

from shared.schemas.base import Contract, SellerId, Timestamp
from shared.schemas.feeds import Counts, FeedError, FeedType
from shared.schemas.issues import Issue, IssueTotal, Severity

EVENT_ISSUES_LIMIT = 20
"""How many issues an event carries; the report has more, and `issue_totals` counts all of them."""


class Phase(StrEnum):
    """Where in a feed's life something happened."""

    RECEIVE = "receive"
    READ = "read"
    VALIDATE = "validate"
    AGGREGATE = "aggregate"
    STORE = "store"
    ANNOUNCE = "announce"
    NOTIFY = "notify"


class FeedOutcome(Contract):
    """What every event about a feed's end carries.

    `event_id` is stable: a repeated delivery has the same one, and consumers drop repeats by it.
    `sequence` orders the events of one feed.
    """

    event_id: UUID
    event_version: Literal[1] = 1
    occurred_at: Timestamp
    sequence: int = Field(ge=1)
    correlation_id: str
    feed_id: UUID
    seller_id: SellerId
    feed_type: FeedType
    file_name: str
    bucket: str
    object_key: str
    attempt: int = Field(ge=1)
    worker: str
    started_at: Timestamp
    counts: Counts
    issue_totals: list[IssueTotal] = Field(default_factory=list)
    issues: list[Issue] = Field(default_factory=list, max_length=EVENT_ISSUES_LIMIT)
    report_uri: str | None = None


class FeedProcessed(FeedOutcome):
    """The feed is DONE: what it contributes is in the totals."""

    event_type: Literal["FeedProcessed"] = "FeedProcessed"
    duplicate_of: UUID | None = None

    @property
    def severity(self) -> Severity:
        return Severity.WARNING if self.counts.rows_rejected or self.issue_totals else Severity.INFO


class FeedFailed(FeedOutcome):
    """The feed is FATAL: nothing of it is in the totals."""

    event_type: Literal["FeedFailed"] = "FeedFailed"
    error: FeedError
    phase: Phase
    raw_uri: str | None = None

    @property
    def severity(self) -> Severity:
        return Severity.ERROR


FeedEvent = Annotated[FeedProcessed | FeedFailed, Field(discriminator="event_type")]
FEED_EVENT: TypeAdapter[FeedProcessed | FeedFailed] = TypeAdapter(FeedEvent)


class ClientNotification(Contract):
    """The JSON form of what clients are told; the plain text says the same in sentences."""

    notification_id: UUID
    event_type: str
    severity: Severity
    feed_id: UUID
    seller_id: str
    feed_type: FeedType
    file_name: str
    occurred_at: Timestamp
    correlation_id: str
    subject: str
    text: str
    counts: Counts
    issue_totals: list[IssueTotal] = Field(default_factory=list)
    error: FeedError | None = None
    duplicate_of: UUID | None = None
    report_uri: str | None = None
