"""What the flow needs from the outside, as Protocols; adapters/ has the real ones, tests have small fakes."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Protocol

from shared.schemas.feeds import Counts
from shared.schemas.issues import Issue, IssueTotal


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


class ReadFeed(Protocol):
    """A feed that was read: its books, its issues, and its contributions, each group once, in key order."""

    @property
    def layout(self) -> str: ...
    @property
    def counts(self) -> Counts: ...
    @property
    def issue_totals(self) -> list[IssueTotal]: ...
    def first_issues(self, limit: int) -> list[Issue]:
        """The first issues in line order; at most `limit`."""
        ...

    def contributions(self, batch_size: int) -> Iterator[list[Contribution]]:
        """Batches of at most `batch_size`, ordered by the key. Blocking: call it from a thread."""
        ...

    def close(self) -> None:
        """Frees what the engine holds for this feed (tables, spill files). Safe to call twice."""
        ...


class FeedReader(Protocol):
    """Reads one local file. Blocking: the flow calls it from a thread.

    Raises services.aggregator.errors.UnreadableFeed (with `code` and message) for what makes a feed FATAL.
    """

    def read(self, path: Path, *, seller_id: str, object_day: date) -> ReadFeed: ...
