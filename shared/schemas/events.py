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


class FeedAnnouncement(Contract):
    """What every event about a feed carries.

    `event_id` is stable: a repeated delivery has the same one, and consumers drop repeats by it.
    `sequence` orders the events of one feed; it grows, and may leave numbers out.
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
    counts: Counts

    @property
    def severity(self) -> Severity:
        """How loud to tell it; each kind says."""
        raise NotImplementedError


class FeedOutcome(FeedAnnouncement):
    """What every event about the end of a feed's reading carries."""

    attempt: int = Field(ge=1)
    worker: str
    started_at: Timestamp
    issue_totals: list[IssueTotal] = Field(default_factory=list)
    issues: list[Issue] = Field(default_factory=list, max_length=EVENT_ISSUES_LIMIT)
    report_uri: str | None = None
    rejected_uri: str | None = None
    replaces: UUID | None = None
    corrects: UUID | None = None


class FeedProcessed(FeedOutcome):
    """The feed is DONE: what it contributes is in the totals, and what the feed it replaces had there is not."""

    event_type: Literal["FeedProcessed"] = "FeedProcessed"
    duplicate_of: UUID | None = None

    @property
    def severity(self) -> Severity:
        return Severity.WARNING if self.counts.rows_rejected or self.issue_totals else Severity.INFO


class FeedFailure(FeedOutcome):
    """What every event about a reading that came to nothing carries."""

    error: FeedError
    phase: Phase
    raw_uri: str | None = None

    @property
    def severity(self) -> Severity:
        return Severity.ERROR


class FeedFailed(FeedFailure):
    """The feed is FATAL: nothing of it is in the totals."""

    event_type: Literal["FeedFailed"] = "FeedFailed"


class FeedReprocessFailed(FeedFailure):
    """Reading a DONE feed again failed: its earlier result, whose `counts` these are, stands as it did."""

    event_type: Literal["FeedReprocessFailed"] = "FeedReprocessFailed"


class FeedChange(FeedAnnouncement):
    """What every event about a feed that was not read carries. `counts` are the feed's own books, as they stay."""

    actor: str

    @property
    def severity(self) -> Severity:
        return Severity.INFO


class FeedWithdrawn(FeedChange):
    """The feed stays DONE and counts no longer: `rows_taken_back` rows left the totals."""

    event_type: Literal["FeedWithdrawn"] = "FeedWithdrawn"
    rows_taken_back: int = Field(ge=0)


class FeedReplaced(FeedChange):
    """Another feed has taken this one's place: `rows_taken_back` rows left the totals as the other's came in.

    `still_counting`: corrections of this one, which count on beside the other; at most 100 are named.
    """

    event_type: Literal["FeedReplaced"] = "FeedReplaced"
    replaced_by: UUID
    rows_taken_back: int = Field(ge=0)
    still_counting: list[UUID] = Field(default_factory=list)


class FeedCancelled(FeedChange):
    """The feed was not applied and will not be: by request, or because a newer version of its object counts."""

    event_type: Literal["FeedCancelled"] = "FeedCancelled"
    replaced_by: UUID | None = None


FeedEvent = Annotated[
    FeedProcessed | FeedFailed | FeedReprocessFailed | FeedWithdrawn | FeedReplaced | FeedCancelled,
    Field(discriminator="event_type"),
]
FEED_EVENT: TypeAdapter[FeedEvent] = TypeAdapter(FeedEvent)


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
    replaces: UUID | None = None
    replaced_by: UUID | None = None
    corrects: UUID | None = None
    report_uri: str | None = None
    rejected_uri: str | None = None
