"""Asks the reader, and puts what it says into the oracle's shape."""

from dataclasses import dataclass
from pathlib import Path

from services.aggregator.adapters.duckdb_feeds import DuckDbFeedReader
from services.aggregator.ports import Contribution, ReadFeed, ReadRequest
from shared.schemas.feed_options import FeedOptions
from shared.schemas.feeds import Recognised
from shared.schemas.issues import Issue
from tests.oracle.books import Books, Sums, Told, shown
from tests.oracle.rows import Asked


@dataclass(frozen=True)
class Reading:
    """Everything that the reader said about one feed; `rejected` is its rejected.csv."""

    recognised: Recognised
    books: Books
    issues: list[Issue]
    contributions: list[Contribution]
    rejected: bytes
    rejected_rows: int

    @property
    def layout(self) -> str:
        return self.recognised.layout


def request(asked: Asked) -> ReadRequest:
    given = {"charset": asked.charset, "date_format": asked.date_format, "decimal_separator": asked.decimal_separator}
    options = FeedOptions.from_texts({name: value for name, value in given.items() if value is not None})
    return ReadRequest(asked.seller_id, asked.object_day, options)


@dataclass(frozen=True)
class Readers:
    """One as it comes, which takes most feeds of the tests for small, and one whose `small_file_bytes` is 0."""

    usual: DuckDbFeedReader
    of_large: DuckDbFeedReader


def read(readers: Readers, folder: Path, content: bytes, asked: Asked | None = None) -> Reading:
    """As a small file and as a large one, which must come to the same. Raises UnreadableFeed."""
    small = _read(readers.usual, folder, content, asked)
    large = _read(readers.of_large, folder, content, asked)
    assert large == small
    return large


def _read(reader: DuckDbFeedReader, folder: Path, content: bytes, asked: Asked | None) -> Reading:
    asked = asked or Asked()
    path, rejected = folder / "feed.csv", folder / "rejected.csv"
    path.write_bytes(content)
    rejected.unlink(missing_ok=True)
    feed = reader.read(path, request(asked))
    try:
        issues = feed.first_issues(100_000)
        contributions = [group for batch in feed.contributions(2) for group in batch]
        rows = feed.write_rejected(rejected)
        books = _books(feed, issues, contributions)
        return Reading(feed.recognised, books, issues, contributions, rejected.read_bytes(), rows)
    finally:
        feed.close()


def _books(feed: ReadFeed, issues: list[Issue], contributions: list[Contribution]) -> Books:
    counts = feed.counts
    return Books(
        counts.rows_received,
        counts.rows_accepted,
        counts.rows_rejected,
        counts.rows_duplicate,
        counts.rows_skipped,
        {total.code: total.rows for total in feed.issue_totals if total.rows},
        sorted(Told(i.line or 0, i.code, i.severity, i.field or "", shown(i.raw or "")) for i in issues),
        {
            (c.sale_date, c.product_id, c.product_name, c.category, c.currency): Sums(
                c.quantity, c.amount, c.revenue, c.transactions
            )
            for c in contributions
        },
    )
