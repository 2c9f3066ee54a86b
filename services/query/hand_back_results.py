"""THE FLOW that hands a feed's report and its rejected rows back to whom they belong."""

from collections.abc import Awaitable, Callable
from uuid import UUID

from services.query.errors import FeedNotFinished, NoLongerKept, NoRejectedRows
from services.query.ports import ErrorBucket, OpenObject
from services.query.rules.confinement import Confinement
from services.query.rules.handed_back import plain_report, rejected_file_name
from shared.schemas.feeds import FeedView
from shared.schemas.reports import FeedReport

KnownFeed = Callable[[UUID, Confinement], Awaitable[FeedView]]


class HandBackResults:
    """`known_feed` shows a feed to whom it belongs, else raises UnknownFeed: confinement is its part (P6).

    What is opened is where the feed's own row says, never where the caller does.
    """

    def __init__(self, known_feed: KnownFeed, error_bucket: ErrorBucket) -> None:
        self._known_feed = known_feed
        self._error_bucket = error_bucket

    async def report(self, feed_id: UUID, confinement: Confinement) -> OpenObject | FeedReport:
        """As it was stored. A feed without anything to report has none stored: its books are its report.

        Raises UnknownFeed, FeedNotFinished, NoLongerKept, StoreUnavailable.
        """
        feed = await self._finished(feed_id, confinement)
        if feed.report_uri is None:
            return plain_report(feed)
        return await self._open(feed, feed.report_uri)

    async def rejected_rows(self, feed_id: UUID, confinement: Confinement) -> tuple[OpenObject, str]:
        """All of them, as CSV, and a name for the file.

        Raises UnknownFeed, FeedNotFinished, NoRejectedRows, NoLongerKept, StoreUnavailable.
        """
        feed = await self._finished(feed_id, confinement)
        if feed.rejected_uri is not None:
            return await self._open(feed, feed.rejected_uri), rejected_file_name(feed.file_name)
        if feed.counts is not None and feed.counts.rows_rejected:
            raise NoLongerKept(
                "Of this feed no rejected rows were kept as a file; `report` has the first issues with their rows."
            )
        raise NoRejectedRows

    async def _finished(self, feed_id: UUID, confinement: Confinement) -> FeedView:
        feed = await self._known_feed(feed_id, confinement)
        # A feed that is read anew shows the counts of its earlier result, which can be had until there is another.
        if not feed.processing_status.is_terminal and feed.counts is None:
            raise FeedNotFinished(
                f"The feed is {feed.processing_status}: there is nothing to hand back yet. Ask again."
            )
        return feed

    async def _open(self, feed: FeedView, uri: str) -> OpenObject:
        opened = await self._error_bucket.open(uri, feed.seller_id, feed.feed_id)
        if opened is None:
            raise NoLongerKept
        return opened
