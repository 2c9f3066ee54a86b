"""What the aggregator answers when somebody withdraws, cancels or reprocesses a feed."""

from uuid import UUID

from pydantic import Field

from shared.schemas.base import Contract, Timestamp
from shared.schemas.feeds import ProcessingStatus


class FeedChanged(Contract):
    """The feed after the change. Asking for what is so already changes nothing and gets the same answer."""

    feed_id: UUID
    processing_status: ProcessingStatus
    withdrawn_at: Timestamp | None = None
    rows_taken_back: int = Field(default=0, ge=0, description="Rows that left the totals by this very call")
    corrections_counting: list[UUID] = Field(
        default_factory=list,
        max_length=100,
        description="Feeds that correct this one and count on: withdraw them too if their rows are to go. At most 100.",
    )
    status_url: str = Field(description="On the query service")
