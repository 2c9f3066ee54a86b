"""What it takes to bring one feed to its end: the ports it acts through, its limits, and the feed in hand."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

from services.aggregator.errors import LeaseLost
from services.aggregator.held_lease import HeldLease
from services.aggregator.ports import ErrorBucket, FeedReader, Feeds, Ledger, Receipts, Uploads
from services.aggregator.rules.feed_lease import Claimed
from services.aggregator.rules.reading_progress import ReadingProgress
from shared.schemas.feed_options import FeedOptions
from shared.schemas.feeds import FeedType

ROUNDS = 8
"""How often the store may know better what a feed's end is, because other feeds end meanwhile."""

COMMIT_RESERVE_SECONDS = 10.0
"""For what follows on a commit that was cut off: its statement is ended, and the feed given back."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bytes, seconds, and groups in memory at a time."""

    max_feed_bytes: int
    lease_seconds: float
    contribution_batch: int
    commit_seconds: float = 600.0


@dataclass(frozen=True, slots=True)
class Ports:
    """What the flow acts through."""

    uploads: Uploads
    receipts: Receipts
    error_bucket: ErrorBucket
    feeds: Feeds
    ledger: Ledger
    readers: Mapping[FeedType, FeedReader]


@dataclass(slots=True)
class Work:
    """A feed in hand. `sha256` is known once its bytes are here, `listed` once the order of versions was asked for.

    As far as was seen: `takes_back`: other feeds, or an earlier result, lose their place to it; `still_counting`:
    corrections that count on beside what it replaces.
    """

    claim: Claimed
    lease: HeldLease
    progress: ReadingProgress
    is_last_try: bool = False
    options: FeedOptions = field(default_factory=FeedOptions)
    sha256: str | None = None
    listed: Mapping[str, int] | None = None
    asked_about: set[str] = field(default_factory=set)
    takes_back: bool = False
    still_counting: tuple[UUID, ...] = ()
    rounds_left: int = ROUNDS

    def go_again(self, reason: Exception) -> None:
        """For every reason alike, so that several of them cannot multiply. Raises LeaseLost for once too often."""
        self.rounds_left -= 1
        if self.rounds_left <= 0:
            raise LeaseLost(f"what the end of {self.claim.feed.feed_id} means keeps changing: {reason}") from reason
