"""What the flow needs from the outside, as Protocols; adapters/ has the real ones, tests have small fakes.

What the relay needs is in outbox_ports.py.
"""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Protocol
from uuid import UUID

from services.aggregator.rules.callers import Caller
from services.aggregator.rules.feed_identity import FeedIdentity, ObjectFacts, ObjectRef
from services.aggregator.rules.feed_lease import Claimed, ClaimRefusal
from services.aggregator.rules.feed_outcome import Conclusion
from services.aggregator.rules.feed_succession import Decision
from services.aggregator.rules.reading_progress import Progress
from shared.schemas.events import Phase
from shared.schemas.feed_changes import FeedChanged
from shared.schemas.feed_options import FeedOptions
from shared.schemas.feeds import Counts, Receipt, Recognised
from shared.schemas.issues import Issue, IssueTotal
from shared.schemas.reports import FeedReport


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one feed adds to one group. The key is everything before `quantity`; unknown parts are ''."""

    sale_date: date
    product_id: str
    product_name: str
    category: str
    currency: str
    quantity: int
    amount: Decimal
    revenue: Decimal
    transactions: int


def _untold(phase: Phase, percent: int) -> None:
    """For who does not follow a reading."""


@dataclass(frozen=True, slots=True)
class ReadRequest:
    """What a reader must know beside the bytes. `object_day`: of rows without a date.

    `told` is called from the reading thread, now and then, with the phase and how far it is (0-100).
    """

    seller_id: str
    object_day: date
    options: FeedOptions = field(default_factory=FeedOptions)
    told: Callable[[Phase, int], None] = _untold


class ReadFeed(Protocol):
    """A feed that was read: its books, its issues, and its contributions, each group once, in key order."""

    @property
    def recognised(self) -> Recognised: ...
    @property
    def counts(self) -> Counts: ...
    @property
    def issue_totals(self) -> list[IssueTotal]: ...
    @property
    def issue_count(self) -> int:
        """All issues: a row may have several, and some concern the feed as a whole."""
        ...

    def first_issues(self, limit: int) -> list[Issue]:
        """The first issues in line order; at most `limit`."""
        ...

    def write_rejected(self, path: Path) -> int:
        """Write rejected.csv to `path`: every rejected row as it came, and why; how many rows. Blocking."""
        ...

    def contributions(self, batch_size: int) -> Iterator[list[Contribution]]:
        """Batches of at most `batch_size`, ordered by the key. Blocking: call it from a thread.

        May be called again: a transaction that lost a deadlock starts over.
        """
        ...

    def close(self) -> None:
        """Frees what the engine holds for this feed (tables, spill files). Safe to call twice."""
        ...


class FeedReader(Protocol):
    """Reads one local file. Blocking: the flow calls it from a thread.

    Raises services.aggregator.errors.UnreadableFeed (with `code` and message) for what makes a feed FATAL.
    """

    def read(self, path: Path, request: ReadRequest) -> ReadFeed: ...


ContributionBatches = Callable[[], AsyncIterator[list[Contribution]]]
"""A feed's contributions from the first; asked again when a transaction has to start over."""


class Uploads(Protocol):
    """The bucket in which feeds arrive. Every method may raise Outage."""

    async def describe(self, ref: ObjectRef) -> ObjectFacts:
        """What the bucket knows of exactly this content. Raises MissingObject."""
        ...

    async def download(self, facts: ObjectFacts, path: Path, fetched: Callable[[int], None]) -> str:
        """Stream exactly this content to `path`; its SHA-256 in hex. Raises MissingObject; Outage for a short body.

        `fetched` is told, now and then, how many bytes have come.
        """
        ...

    async def list_versions(self, ref: ObjectRef) -> Mapping[str, int]:
        """The versions of its key that the bucket has, by id; 0 is the newest. The newest 1,000."""
        ...


class Receipts(Protocol):
    """What ingest knows of an upload before any worker has seen it. May raise Outage."""

    async def find(self, feed_id: UUID) -> Receipt | None: ...


class ErrorBucket(Protocol):
    """What is handed back to sellers. Every method may raise Outage."""

    async def keep_raw(self, feed: FeedIdentity) -> str | None:
        """Copy the feed's object; the copy's URI, or None if the object is gone."""
        ...

    async def keep_report(self, report: FeedReport, fence: int) -> str:
        """Store the report; its URI is the only way to it. Replaces an earlier one under the same fence, and none
        under another: its result may stand."""
        ...

    async def keep_rejected(self, feed: FeedIdentity, fence: int, path: Path) -> str:
        """Stream rejected.csv from `path` into the bucket; its URI. Replaces as a report does."""
        ...


class Feeds(Protocol):
    """The record of feeds, and who works on which. Every method may raise Outage."""

    async def claim(self, feed: FeedIdentity, owner: str) -> Claimed | ClaimRefusal:
        """Record the feed if it is new, and take its lease if nobody has it."""
        ...

    async def renew(self, claim: Claimed, progress: Progress, seconds: float | None = None) -> None:
        """Let the lease last so long from now (None: as a claim does); show how far the feed is. Raises LeaseLost."""
        ...

    async def release(self, claim: Claimed) -> None:
        """Give the feed back to the queue. Does nothing if it is no longer ours."""
        ...

    async def options_of(self, feed_id: UUID, seller_id: str) -> FeedOptions | None:
        """What that seller's feed was last read with; None if it is not known, or was not read."""
        ...

    async def find_known(self, feeds: Sequence[FeedIdentity]) -> UUID | None:
        """The id among these under which its object is recorded already."""
        ...

    async def look_ahead(
        self, claim: Claimed, options: FeedOptions, sha256: str | None, listed: Mapping[str, int] | None
    ) -> Decision:
        """What the feed's end would mean now, `still_counting` included; only Ledger.commit decides races. Raises
        OrderUnknown.

        `sha256` None: whether the same bytes count already is not asked. `listed`: see Uploads.list_versions.
        """
        ...


class Ledger(Protocol):
    """Where a feed's end is stored, once."""

    async def commit(
        self,
        claim: Claimed,
        conclusion: Conclusion,
        contributions: ContributionBatches | None,
        listed: Mapping[str, int] | None = None,
    ) -> None:
        """Store everything about the feed's end, its events included, in one transaction, or nothing at all.

        Raises LeaseLost, SameContent, NoLongerSame, RelationRefused, MustWait, NewerVersion, OrderUnknown,
        CorrectionsCountOn, BooksDoNotClose, or Outage; after an Outage it may be stored or not.
        """
        ...


class FeedChanges(Protocol):
    """Changes to a feed that no file brings. Each is one transaction and safe to repeat.

    Every method raises NoSuchFeed (also for a feed that is not the caller's), WrongState, or Outage, of which Occupied
    means that others are at it.
    """

    async def withdraw(self, feed_id: UUID, caller: Caller) -> FeedChanged: ...

    async def cancel(self, feed_id: UUID, caller: Caller, receipt: Receipt | None) -> FeedChanged:
        """`receipt` records a feed that no worker has seen yet."""
        ...

    async def reprocess(self, feed_id: UUID, caller: Caller, overrides: Mapping[str, str | None]) -> FeedChanged:
        """`overrides`: options instead of those that the object came with; None asks for the default."""
        ...
