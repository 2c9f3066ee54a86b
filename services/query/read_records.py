"""THE FLOW behind the read endpoints: one page at a time, in a stable order, of what the caller may see."""

from uuid import UUID

from services.query.errors import UnknownFeed
from services.query.ports import ErrorLog, Feeds, History, Receipts, Sales
from services.query.rules.confinement import Confinement
from services.query.rules.page_keys import EntryKey, FeedKey, HistoryKey, ProductKey, TransactionKey
from services.query.rules.records import ErrorFilter, FeedFilter, SalesFilter, SummaryPage, TransactionRecord
from shared.schemas.feeds import FeedView, HistoryEntry, ProcessingStatus, Receipt, minted_at
from shared.schemas.pages import Page
from shared.schemas.processing_log import LogEntry


class ReadRecords:
    """Each method answers one endpoint. `cursor` is one that the same endpoint handed out, else InvalidRequest.

    A page is read with one item more than it shows: the surplus item tells that there is a next page.
    """

    def __init__(self, sales: Sales, feeds: Feeds, receipts: Receipts, error_log: ErrorLog, history: History) -> None:
        self._sales = sales
        self._feeds = feeds
        self._receipts = receipts
        self._error_log = error_log
        self._history = history

    async def transactions(
        self, chosen: SalesFilter, cursor: str | None, limit: int, confinement: Confinement
    ) -> Page[TransactionRecord]:
        after = TransactionKey.from_cursor(cursor) if cursor else None
        found = await self._sales.records(chosen, after, limit + 1, confinement)
        shown = found[:limit]
        return Page(
            items=[keyed.record for keyed in shown],
            next=shown[-1].key.to_cursor() if len(found) > limit else None,
        )

    async def summary(
        self, chosen: SalesFilter, cursor: str | None, limit: int, confinement: Confinement
    ) -> SummaryPage:
        after = ProductKey.from_cursor(cursor) if cursor else None
        found = await self._sales.summary(chosen, after, limit + 1, confinement)
        shown = found.products[:limit]
        following = None
        if len(found.products) > limit:
            last = shown[-1]
            key = ProductKey(last.product_name or "", last.product_id or "", last.currency or "")
            following = key.to_cursor()
        return SummaryPage(items=shown, totals=found.totals, next=following)

    async def errors(
        self, chosen: ErrorFilter, cursor: str | None, limit: int, confinement: Confinement
    ) -> Page[LogEntry]:
        after = EntryKey.from_cursor(cursor) if cursor else None
        entries, last = await self._error_log.newest_errors(chosen, after, limit, confinement)
        return Page(items=entries, next=last.to_cursor() if last else None)

    async def feeds(
        self, chosen: FeedFilter, cursor: str | None, limit: int, confinement: Confinement
    ) -> Page[FeedView]:
        after = FeedKey.from_cursor(cursor) if cursor else None
        found = await self._feeds.newest(chosen, after, limit + 1, confinement)
        shown = found[:limit]
        following = FeedKey(shown[-1].received_at, shown[-1].feed_id).to_cursor() if len(found) > limit else None
        return Page(items=shown, next=following)

    async def feed(self, feed_id: UUID, confinement: Confinement) -> FeedView:
        """Raises UnknownFeed if neither a worker nor a receipt knows it, or it is not the caller's."""
        known = await self._feeds.one(feed_id, confinement)
        if known is not None:
            return known
        receipt = await self._receipts.one(feed_id)
        if receipt is None or confinement.hides(receipt.seller_id):
            raise UnknownFeed
        return _waiting(receipt)

    async def history(
        self, feed_id: UUID, cursor: str | None, limit: int, confinement: Confinement
    ) -> Page[HistoryEntry]:
        """Raises UnknownFeed. A feed of which no step is recorded has been received, and that is all."""
        after = HistoryKey.from_cursor(cursor, feed_id) if cursor else None
        found = await self._history.steps(feed_id, after, limit + 1, confinement)
        if not found and after is None:
            return Page(items=[_received(await self.feed(feed_id, confinement))])
        shown = found[:limit]
        return Page(
            items=[keyed.entry for keyed in shown],
            next=shown[-1].key.to_cursor() if len(found) > limit else None,
        )


def _received(feed: FeedView) -> HistoryEntry:
    actor = "ingest" if minted_at(feed.feed_id) else "s3"
    return HistoryEntry(at=feed.received_at, event="received", actor=actor)


def _waiting(receipt: Receipt) -> FeedView:
    """Stored and accepted, and no worker has begun with it."""
    return FeedView(
        feed_id=receipt.feed_id,
        seller_id=receipt.seller_id,
        feed_type=receipt.feed_type,
        file_name=receipt.file_name,
        processing_status=ProcessingStatus.IN_QUEUE,
        replaces=receipt.options.replaces,
        corrects=receipt.options.corrects,
        sha256=receipt.sha256,
        size_bytes=receipt.size_bytes,
        correlation_id=receipt.correlation_id,
        received_at=receipt.received_at,
    )
