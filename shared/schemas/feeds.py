"""A feed: its identity, its status, its books."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Self
from uuid import UUID

from pydantic import Field, model_validator

from shared.schemas.base import Contract, SellerId, Timestamp
from shared.schemas.feed_options import FeedOptions
from shared.schemas.issues import IssueTotal


class FeedType(StrEnum):
    """What a feed's rows are about; more types will come, so nothing may assume there is one."""

    TRANSACTIONS = "transactions"


class ProcessingStatus(StrEnum):
    """Amazon SP-API's names, which sellers know. DONE = applied; FATAL = nothing applied."""

    IN_QUEUE = "IN_QUEUE"
    IN_PROGRESS = "IN_PROGRESS"
    DONE = "DONE"
    FATAL = "FATAL"
    CANCELLED = "CANCELLED"

    @property
    def is_terminal(self) -> bool:
        return self in (ProcessingStatus.DONE, ProcessingStatus.FATAL, ProcessingStatus.CANCELLED)


RowCount = Annotated[int, Field(ge=0)]


class Counts(Contract):
    """A feed's books. They close, always: received = accepted + rejected + duplicate + skipped (P1)."""

    rows_received: RowCount = 0
    rows_accepted: RowCount = 0
    rows_rejected: RowCount = 0
    rows_duplicate: RowCount = 0
    rows_skipped: RowCount = 0

    @model_validator(mode="after")
    def _books_close(self) -> Self:
        counted = self.rows_accepted + self.rows_rejected + self.rows_duplicate + self.rows_skipped
        if self.rows_received != counted:
            raise ValueError(f"the books do not close: {self.rows_received} rows received, {counted} accounted for")
        return self


def minted_at(feed_id: UUID) -> datetime | None:
    """When ingest minted this id, to the millisecond (RFC 9562, version 7); None for an id of another version."""
    if feed_id.version != 7:
        return None
    milliseconds = feed_id.int >> 80
    # Anyone may write any number into a key: beyond year 9999 it is none of ours.
    return datetime.fromtimestamp(milliseconds / 1000, UTC) if milliseconds < 253_402_300_800_000 else None


class FeedError(Contract):
    """Why a feed is FATAL."""

    code: str = Field(pattern=r"^[a-z]+/[a-z0-9_]+$", examples=["format/unknown_layout"])
    message: str


class Recognised(Contract):
    """What a file was found to be, from its content and never from its name."""

    format: str = Field(examples=["csv", "json_lines", "json_array", "parquet", "xlsx"])
    layout: str = Field(examples=["headerless", "header", "amazon_all_orders", "shopify_orders"])
    compression: str | None = Field(default=None, examples=["gzip", "zstd"])
    charset: str | None = Field(default=None, description="Of text files", examples=["utf-8", "utf-16-le", "cp1252"])
    delimiter: str | None = Field(default=None, description="Of delimited text", examples=[","])
    sheet: str | None = Field(default=None, description="Of workbooks: the sheet that was read")
    columns: dict[str, str] = Field(
        default_factory=dict, description="Field → the column it was read from, as the file names it"
    )
    ignored_columns: list[str] = Field(default_factory=list)


class FeedProgress(Contract):
    """How far a feed is while it is IN_PROGRESS; `percent` never goes back within one attempt.

    Within `store` it stands still while the feed is committed, in one transaction.
    """

    phase: str = Field(examples=["read", "validate", "aggregate", "store"])
    percent: int = Field(ge=0, le=100)


class UploadAccepted(Contract):
    """Ingest's answer to an upload: the bytes are stored, nothing is applied yet.

    `options` holds what the uploader asked for and differs from the defaults; it is left out if nothing does.
    """

    feed_id: UUID
    seller_id: SellerId
    feed_type: FeedType
    file_name: str
    size_bytes: int = Field(ge=0)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    status_url: str
    correlation_id: str
    options: FeedOptions = Field(default_factory=FeedOptions)


class Receipt(Contract):
    """What ingest keeps of an accepted upload, so that its status can be told before a worker sees it.

    Written without what is a default, so that a reader of before knows all that it finds.
    """

    feed_id: UUID
    seller_id: SellerId
    feed_type: FeedType
    file_name: str
    bucket: str
    object_key: str
    size_bytes: int = Field(ge=0)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    correlation_id: str
    received_at: Timestamp
    options: FeedOptions = Field(default_factory=FeedOptions)


class FeedView(Contract):
    """A feed as REST shows it. Counts are null until it has ended for the first time.

    While it is read anew, `processing_status` and `progress` are of the new reading; counts, issues, error, report and
    times of ending are those of the earlier result, which stands, and can be had, until another one is committed.
    Links: `replaces` and `replaced_by`, `corrects` and `corrected_by`, `duplicate_of`. `rows_corrected`: how many of
    its rejected rows were accepted since, in the feeds that correct it. A withdrawn feed stays DONE and counts nothing.
    """

    feed_id: UUID
    seller_id: str
    feed_type: FeedType
    file_name: str
    processing_status: ProcessingStatus
    counts: Counts | None = None
    issue_totals: list[IssueTotal] = Field(default_factory=list)
    error: FeedError | None = None
    duplicate_of: UUID | None = None
    replaces: UUID | None = None
    replaced_by: UUID | None = None
    corrects: UUID | None = None
    corrected_by: list[UUID] = Field(default_factory=list)
    rows_corrected: int = Field(default=0, ge=0)
    withdrawn_at: Timestamp | None = None
    recognised: Recognised | None = None
    progress: FeedProgress | None = None
    report_uri: str | None = None
    rejected_uri: str | None = None
    sha256: str | None = None
    size_bytes: int | None = None
    correlation_id: str
    attempts: int = Field(default=0, ge=0)
    received_at: Timestamp
    started_at: Timestamp | None = None
    finished_at: Timestamp | None = None


class HistoryEntry(Contract):
    """One step in a feed's life, as the aggregator recorded it in the transaction that took the step."""

    at: Timestamp
    event: str = Field(
        examples=[
            "received",
            "claimed",
            "applied",
            "failed",
            "replaced",
            "withdrawn",
            "cancelled",
            "reprocess_requested",
        ]
    )
    actor: str = Field(description="The worker, or who asked for it")
    detail: dict[str, str] = Field(default_factory=dict)
