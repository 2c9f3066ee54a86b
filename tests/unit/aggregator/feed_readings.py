"""Reads feeds given as text or bytes and shows all that a reading says, for the tests of the feed reader."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Protocol

from services.aggregator.adapters.duckdb_feeds import DuckDbFeedReader
from services.aggregator.errors import UnreadableFeed
from services.aggregator.ports import Contribution, ReadRequest
from shared.schemas.feed_options import FeedOptions
from shared.schemas.feeds import Counts, Recognised
from shared.schemas.issues import Issue

SELLER, OBJECT_DAY = "seller-1", date(2026, 3, 4)


@dataclass(frozen=True)
class Reading:
    """All that one reading says, or the code with which the feed was refused."""

    layout: str
    counts: Counts
    issues: list[Issue]
    totals: dict[str, int]
    contributions: list[Contribution]
    recognised: Recognised

    @property
    def codes(self) -> list[tuple[int | None, str]]:
        """(line, code) of every issue."""
        return [(issue.line, issue.code) for issue in self.issues]


class Read(Protocol):
    """Reads what is given, with options as an uploader would write them."""

    def __call__(self, text: str | bytes, /, **options: str) -> Reading: ...


def read_path(
    reader: DuckDbFeedReader, path: Path, batch_size: int = 1_000, options: Mapping[str, str] | None = None
) -> Reading:
    feed = reader.read(path, ReadRequest(SELLER, OBJECT_DAY, FeedOptions.from_texts(options or {})))
    try:
        contributions = [c for batch in feed.contributions(batch_size) for c in batch]
        issues = feed.first_issues(100_000)
        assert len(issues) == feed.issue_count
        totals = {total.code: total.rows for total in feed.issue_totals}
        return Reading(feed.recognised.layout, feed.counts, issues, totals, contributions, feed.recognised)
    finally:
        feed.close()


def refusal(read: Read, text: str | bytes, **options: str) -> UnreadableFeed:
    """The error with which `text` is refused."""
    try:
        reading = read(text, **options)
    except UnreadableFeed as error:
        return error
    raise AssertionError(f"was read: {reading}")
