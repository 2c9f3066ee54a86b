"""Withdrawing, cancelling and reprocessing in MySQL: each one transaction on the feed's locked row, safe to repeat."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from uuid import UUID

from pymysql.err import MySQLError

from services.aggregator.adapters.mysql_corrections import counting_corrections
from services.aggregator.adapters.mysql_history import write_history
from services.aggregator.adapters.mysql_locked_feeds import LockedFeed, lock_feed
from services.aggregator.adapters.mysql_outages import mysql_outages
from services.aggregator.adapters.mysql_outbox_entries import announce, order_work
from services.aggregator.adapters.mysql_times import database_time, naive, utc
from services.aggregator.adapters.mysql_totals import take_back
from services.aggregator.errors import NoSuchFeed, Occupied
from services.aggregator.rules.callers import Caller
from services.aggregator.rules.feed_announcements import cancelled_event, withdrawn_event
from services.aggregator.rules.feed_history import Step
from services.aggregator.rules.permitted_changes import (
    AlreadySo,
    CancelFeed,
    DropReprocessing,
    FeedState,
    OrderAgain,
    may_cancel,
    may_reprocess,
    may_withdraw,
)
from shared.runtime.mysql import MySqlPool, MySqlSession
from shared.runtime.mysql_errors import DEADLOCK, LOCK_WAIT_TIMEOUT, error_number, retry_contention
from shared.schemas.feed_changes import FeedChanged
from shared.schemas.feeds import ProcessingStatus, Receipt

_WITHDRAW = """
UPDATE feeds SET counted_sha256 = NULL, withdrawn_at = COALESCE(withdrawn_at, %s), fence = %s,
    processing_status = 'DONE', phase = 'store', percent = NULL, earlier_status = NULL, reprocess_options = NULL,
    lease_owner = NULL, lease_expires_at = NULL, updated_at = %s
WHERE feed_id = %s"""

_RECORD_CANCELLED = """
INSERT INTO feeds (feed_id, seller_id, feed_type, file_name, bucket, object_key, size_bytes, sha256, correlation_id,
                   processing_status, received_at, updated_at)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, 'IN_QUEUE', %s, UTC_TIMESTAMP(6))
ON DUPLICATE KEY UPDATE feed_id = feed_id"""

_CANCEL = """
UPDATE feeds SET processing_status = 'CANCELLED', phase = NULL, percent = NULL, fence = %s, lease_owner = NULL,
    lease_expires_at = NULL, finished_at = %s, updated_at = %s
WHERE feed_id = %s"""

_DROP_REPROCESSING = """
UPDATE feeds SET processing_status = earlier_status, phase = NULL, percent = NULL, earlier_status = NULL,
    reprocess_options = NULL, fence = %s, lease_owner = NULL, lease_expires_at = NULL, updated_at = %s
WHERE feed_id = %s"""

_ASK = """
UPDATE feeds SET earlier_status = COALESCE(earlier_status, %s), processing_status = 'IN_QUEUE', phase = NULL,
    percent = NULL, runs = runs + %s, fence = %s, reprocess_options = %s, lease_owner = NULL, lease_expires_at = NULL,
    updated_at = %s
WHERE feed_id = %s"""

Change = Callable[[MySqlSession], Awaitable[FeedChanged]]


class MySqlFeedChanges:
    """Implements ports.FeedChanges.

    At most `at_once` changes run at once, and none waits longer than `wait_seconds` for its turn, or for more than one
    lock timeout: connections are there for the feeds in work, whose leases have to be renewed.
    """

    def __init__(self, pool: MySqlPool, at_once: int = 2, wait_seconds: float = 5.0) -> None:
        self._pool = pool
        self._turns = asyncio.Semaphore(at_once)
        self._wait_seconds = wait_seconds

    async def withdraw(self, feed_id: UUID, caller: Caller) -> FeedChanged:
        async def change(session: MySqlSession) -> FeedChanged:
            feed = await _lock(session, feed_id, caller)
            if isinstance(may_withdraw(_state(feed)), AlreadySo):
                return await _answer(session, feed, feed.status, feed.withdrawn_at)
            rows = await take_back(session, feed_id) if feed.counts else 0
            at, step = await database_time(session), feed.next_step()
            await session.change(_WITHDRAW, (naive(at), step.fence, naive(at), str(feed_id)))
            event = withdrawn_event(step, caller.actor, at, rows)
            await announce(session, event, event.model_dump_json(), at)
            await write_history(session, Step(feed_id, "withdrawn", caller.actor, {"rows_taken_back": rows}))
            return await _answer(session, feed, ProcessingStatus.DONE, feed.withdrawn_at or naive(at), rows)

        return await self._in_one_transaction(change)

    async def cancel(self, feed_id: UUID, caller: Caller, receipt: Receipt | None) -> FeedChanged:
        async def change(session: MySqlSession) -> FeedChanged:
            if receipt and await session.change(_RECORD_CANCELLED, _from_receipt(receipt)):
                received = {"object": f"s3://{receipt.bucket}/{receipt.object_key}", "size_bytes": receipt.size_bytes}
                await write_history(session, Step(feed_id, "received", "ingest", received, receipt.received_at))
            feed = await _lock(session, feed_id, caller)
            match may_cancel(_state(feed)):
                case AlreadySo():
                    return await _answer(session, feed, feed.status, feed.withdrawn_at)
                case DropReprocessing(status):
                    return await _drop_reprocessing(session, feed, status, caller)
                case CancelFeed():
                    return await _cancel(session, feed, caller)

        return await self._in_one_transaction(change)

    async def reprocess(self, feed_id: UUID, caller: Caller, overrides: Mapping[str, str | None]) -> FeedChanged:
        async def change(session: MySqlSession) -> FeedChanged:
            feed = await _lock(session, feed_id, caller)
            plan = may_reprocess(_state(feed))
            asked = json.dumps(dict(sorted(overrides.items())))
            at, fence = await database_time(session), feed.fence + 1
            # Of a feed that waits already the order goes out again: the message may lie in the dead-letter queue.
            is_first, earlier = not isinstance(plan, OrderAgain), feed.earlier_status or plan.earlier
            ask = (earlier.value if earlier else None, int(is_first), fence, asked, naive(at), str(feed_id))
            await session.change(_ASK, ask)
            await order_work(session, feed, fence, at)
            if is_first or _options(feed.overrides) != _options(asked):
                run = feed.runs + int(is_first)
                options = json.dumps(_options(asked)) if overrides else None
                step = Step(feed_id, "reprocess_requested", caller.actor, {"run": run, "options": options})
                await write_history(session, step)
            return await _answer(session, feed, ProcessingStatus.IN_QUEUE, feed.withdrawn_at)

        return await self._in_one_transaction(change)

    async def _in_one_transaction(self, change: Change) -> FeedChanged:
        async def attempt() -> FeedChanged:
            async with self._pool.transaction() as session:
                return await change(session)

        try:
            async with asyncio.timeout(self._wait_seconds):
                await self._turns.acquire()
        except TimeoutError as error:
            raise Occupied from error
        try:
            with mysql_outages():
                return await _once_unless_deadlocked(attempt)
        finally:
            self._turns.release()


async def _once_unless_deadlocked(attempt: Callable[[], Awaitable[FeedChanged]]) -> FeedChanged:
    """Who asked can ask again, and knows better than we whether it is worth it."""
    try:
        return await retry_contention(attempt, retried={DEADLOCK})
    except MySQLError as error:
        if error_number(error) == LOCK_WAIT_TIMEOUT:
            raise Occupied from error
        raise


async def _lock(session: MySqlSession, feed_id: UUID, caller: Caller) -> LockedFeed:
    """Raises NoSuchFeed for what is not there or not the caller's: here is where callers are confined (P6)."""
    feed = await lock_feed(session, feed_id, caller.seller_id)
    if feed is None:
        raise NoSuchFeed
    return feed


async def _cancel(session: MySqlSession, feed: LockedFeed, caller: Caller) -> FeedChanged:
    at, step = await database_time(session), feed.next_step()
    await session.change(_CANCEL, (step.fence, naive(at), naive(at), str(feed.feed_id)))
    event = cancelled_event(step, caller.actor, at)
    await announce(session, event, event.model_dump_json(), at)
    await write_history(session, Step(feed.feed_id, "cancelled", caller.actor))
    return await _answer(session, feed, ProcessingStatus.CANCELLED, None)


async def _drop_reprocessing(
    session: MySqlSession, feed: LockedFeed, status: ProcessingStatus, caller: Caller
) -> FeedChanged:
    """Nothing of what is announced changes, so nothing is announced."""
    at = await database_time(session)
    await session.change(_DROP_REPROCESSING, (feed.fence + 1, naive(at), str(feed.feed_id)))
    await write_history(session, Step(feed.feed_id, "reprocess_cancelled", caller.actor, {"run": feed.runs}))
    return await _answer(session, feed, status, feed.withdrawn_at)


async def _answer(
    session: MySqlSession, feed: LockedFeed, status: ProcessingStatus, withdrawn_at: datetime | None, rows: int = 0
) -> FeedChanged:
    return FeedChanged(
        feed_id=feed.feed_id,
        processing_status=status,
        withdrawn_at=utc(withdrawn_at) if withdrawn_at else None,
        rows_taken_back=rows,
        corrections_counting=await counting_corrections(session, feed.feed_id) if withdrawn_at else [],
        status_url=f"/api/feeds/{feed.feed_id}",
    )


def _state(feed: LockedFeed) -> FeedState:
    return FeedState(
        status=feed.status,
        waits=feed.waits,
        earlier_status=feed.earlier_status,
        replaced_by=feed.replaced_by,
        withdrawn=feed.withdrawn_at is not None,
    )


def _options(stored: str | None) -> dict[str, str | None]:
    options: dict[str, str | None] = json.loads(stored) if stored else {}
    return options


def _from_receipt(receipt: Receipt) -> tuple[object, ...]:
    return (
        str(receipt.feed_id),
        receipt.seller_id,
        receipt.feed_type.value,
        receipt.file_name,
        receipt.bucket,
        receipt.object_key,
        receipt.size_bytes,
        receipt.sha256,
        receipt.correlation_id,
        naive(receipt.received_at),
    )
