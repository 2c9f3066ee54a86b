"""The processing log's item shape: the notifier writes it, the query service reads it.

One DynamoDB table, one item per event of a feed's life. Keys and indexes (declared in
deploy/cloudformation/data-plane.yaml):

    table           feed_id (HASH)        entry_id (RANGE)
    newest-errors   error_stream (HASH)   entry_id (RANGE)   only items with severity WARNING or ERROR
    seller-errors   error_seller (HASH)   entry_id (RANGE)   likewise

`entry_id` is `<occurred_at>#<event_id>`: it sorts by time, and a repeated event has the same one.
"""

from uuid import UUID

from pydantic import Field

from shared.schemas.base import Contract, Timestamp
from shared.schemas.events import Phase
from shared.schemas.feeds import Counts, FeedError, FeedType
from shared.schemas.issues import Issue, IssueTotal, Severity

NEWEST_ERRORS_INDEX = "newest-errors"
SELLER_ERRORS_INDEX = "seller-errors"
ERROR_STREAM = "errors"
"""The one value of `error_stream`; items that are no errors lack the attribute and stay out of the index."""


class LogEntry(Contract):
    """One line of the processing log, as REST shows it and as the item holds it."""

    entry_id: str
    event_id: UUID
    event_type: str
    severity: Severity
    phase: Phase
    occurred_at: Timestamp
    feed_id: UUID
    seller_id: str
    feed_type: FeedType
    file_name: str
    object_uri: str
    message: str
    error: FeedError | None = None
    counts: Counts
    issue_totals: list[IssueTotal] = Field(default_factory=list)
    issues: list[Issue] = Field(default_factory=list)
    report_uri: str | None = None
    rejected_uri: str | None = None
    raw_uri: str | None = None
    duplicate_of: UUID | None = None
    replaces: UUID | None = None
    replaced_by: UUID | None = None
    corrects: UUID | None = None
    attempt: int = Field(ge=0, description="0 for what no worker did, such as a withdrawal")
    worker: str = Field(description="The worker, or who asked for it")
    correlation_id: str
