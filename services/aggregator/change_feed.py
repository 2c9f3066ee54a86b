"""THE FLOW of changes that no file brings: withdraw, cancel, reprocess. Safe to repeat, each one transaction.

Nothing is done here but asked of the record of feeds, which locks the feed's row and decides; whatever was committed
is announced by the relay, and a worker learns of reprocessing through the queue, whatever is down in between.
"""

from collections.abc import Callable, Mapping
from uuid import UUID

import structlog

from services.aggregator.errors import NoSuchFeed, Occupied, Outage, StoreUnavailable, WrongState
from services.aggregator.ports import FeedChanges, Receipts
from services.aggregator.rules.callers import Caller
from shared.schemas.feed_changes import FeedChanged
from shared.schemas.feeds import Receipt

log = structlog.get_logger(__name__)


class ChangeFeed:
    """`committed` is called after every commit. Methods raise NoSuchFeed, WrongState, or StoreUnavailable."""

    def __init__(self, changes: FeedChanges, receipts: Receipts, committed: Callable[[], None]) -> None:
        self._changes = changes
        self._receipts = receipts
        self._committed = committed

    async def withdraw(self, feed_id: UUID, caller: Caller) -> FeedChanged:
        """DONE feeds. What it counts leaves the totals; it stays DONE, and its bytes may be handed in again."""
        try:
            changed = await self._changes.withdraw(feed_id, caller)
        except NoSuchFeed:
            await self._refuse_if_waiting(feed_id, caller, "it is not applied yet; cancel it instead")
            raise
        except Outage as error:
            raise _unavailable(error) from error
        return self._told("feed.withdrawn", changed, caller)

    async def cancel(self, feed_id: UUID, caller: Caller) -> FeedChanged:
        """Feeds that wait in the queue, also one that no worker has seen: the event that comes finds it CANCELLED."""
        receipt = await self._receipt(feed_id, caller)
        try:
            changed = await self._changes.cancel(feed_id, caller, receipt)
        except Outage as error:
            raise _unavailable(error) from error
        return self._told("feed.cancelled", changed, caller)

    async def reprocess(self, feed_id: UUID, caller: Caller, overrides: Mapping[str, str | None]) -> FeedChanged:
        """Feeds that have ended. What one counts stays counted until the new result takes its place."""
        try:
            changed = await self._changes.reprocess(feed_id, caller, overrides)
        except NoSuchFeed:
            await self._refuse_if_waiting(feed_id, caller, "it waits to be processed for the first time")
            raise
        except Outage as error:
            raise _unavailable(error) from error
        return self._told("feed.reprocess_requested", changed, caller)

    async def _refuse_if_waiting(self, feed_id: UUID, caller: Caller, hint: str) -> None:
        """Raises WrongState if ingest has accepted it and no worker has seen it yet."""
        if await self._receipt(feed_id, caller):
            raise WrongState(f"This feed is IN_QUEUE: {hint}.", reason="IN_QUEUE")

    async def _receipt(self, feed_id: UUID, caller: Caller) -> Receipt | None:
        try:
            receipt = await self._receipts.find(feed_id)
        except Outage as error:
            raise _unavailable(error) from error
        return receipt if receipt and caller.may_see(receipt.seller_id) else None

    def _told(self, event: str, changed: FeedChanged, caller: Caller) -> FeedChanged:
        self._committed()
        told = {"feed_id": str(changed.feed_id), "status": changed.processing_status.value, "actor": caller.actor}
        log.info(event, **told, rows_taken_back=changed.rows_taken_back)
        return changed


def _unavailable(error: Outage) -> StoreUnavailable:
    return StoreUnavailable(str(error)) if isinstance(error, Occupied) else StoreUnavailable()
