"""The report that is handed back with a feed (`report.json` in the error bucket)."""

from uuid import UUID

from pydantic import Field

from shared.schemas.base import Contract, Timestamp
from shared.schemas.feed_options import FeedOptions
from shared.schemas.feeds import Counts, FeedError, FeedType, ProcessingStatus, Recognised
from shared.schemas.issues import Issue, IssueTotal


class ReportHeader(Contract):
    """Which feed the report is about. The shape follows SP-API's processing report.

    `replaces` and `corrects` are what the feed did: null unless it is DONE, as in its row and event; what was asked for
    is in `options`. An older version of the same object, whose place it took unasked, is named in row and event only.
    """

    report_version: int = 1
    feed_id: UUID
    seller_id: str
    feed_type: FeedType
    file_name: str
    processing_status: ProcessingStatus
    recognised_layout: str | None = None
    recognised: Recognised | None = Field(default=None, description="What the file was found to be")
    options: FeedOptions | None = Field(default=None, description="What it was read with; null if that cannot be meant")
    duplicate_of: UUID | None = None
    replaces: UUID | None = None
    replaced_by: UUID | None = None
    corrects: UUID | None = None
    created_at: Timestamp


class ReportSummary(Contract):
    """All counts, and per code how many rows it concerns."""

    counts: Counts
    issue_totals: list[IssueTotal]


class FeedReport(Contract):
    """`issues` holds the first ones only, in line order; `summary` counts all of them."""

    header: ReportHeader
    summary: ReportSummary
    error: FeedError | None = None
    issues: list[Issue] = Field(default_factory=list)
    issues_omitted: int = Field(default=0, ge=0)
    rejected_uri: str | None = Field(default=None, description="Every rejected row as it came, as CSV")
