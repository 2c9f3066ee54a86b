"""The one transaction that stores a feed's end: fence, contributions, totals, status, counts, and the event (P1-P3)."""

import json
from datetime import UTC, datetime

import structlog
from pymysql.err import IntegrityError

from services.aggregator.adapters.mysql_contributions import MySqlContributions
from services.aggregator.adapters.mysql_feeds import find_same_content, store_outages, utc
from services.aggregator.errors import BooksDoNotClose, LeaseLost, Outage, SameContent
from services.aggregator.ports import ContributionBatches
from services.aggregator.rules.feed_lease import Claimed
from services.aggregator.rules.feed_outcome import Conclusion, event_body
from shared.runtime.mysql import MySqlPool, MySqlSession
from shared.runtime.mysql_errors import DUPLICATE_KEY, error_number, retry_contention
from shared.schemas.feeds import ProcessingStatus

log = structlog.get_logger(__name__)

_FENCE = """
SELECT fence, processing_status FROM feeds WHERE feed_id = %s FOR UPDATE"""

_COUNT_CONTENT = "UPDATE feeds SET counted_sha256 = %s WHERE feed_id = %s"

_ADDED = """
SELECT COALESCE(SUM(transactions), 0) AS transactions, UTC_TIMESTAMP(6) AS now FROM contributions WHERE feed_id = %s"""

# In key order, so that feeds of one seller wait for each other instead of deadlocking.
_ADD_TO_TOTALS = """
INSERT INTO totals (seller_id, sale_date, group_key, product_id, product_name, category, currency,
                    quantity, amount, revenue, transactions)
SELECT seller_id, sale_date, group_key, product_id, product_name, category, currency,
       quantity, amount, revenue, transactions
FROM contributions WHERE feed_id = %s ORDER BY sale_date, group_key
ON DUPLICATE KEY UPDATE
    quantity = totals.quantity + contributions.quantity,
    amount = totals.amount + contributions.amount,
    revenue = totals.revenue + contributions.revenue,
    transactions = totals.transactions + contributions.transactions"""

_FINISH = """
UPDATE feeds SET processing_status = %s, phase = %s, sha256 = %s, layout = %s,
    rows_received = %s, rows_accepted = %s, rows_rejected = %s, rows_duplicate = %s, rows_skipped = %s,
    issue_totals = %s, error_code = %s, error_message = %s, report_uri = %s, raw_uri = %s, duplicate_of = %s,
    lease_owner = NULL, lease_expires_at = NULL, finished_at = %s, updated_at = %s
WHERE feed_id = %s"""

_ANNOUNCE = """
INSERT INTO outbox (event_id, feed_id, sequence, event_type, seller_id, feed_type, severity, correlation_id, body,
                    created_at)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"""


class MySqlLedger:
    """Implements ports.Ledger."""

    def __init__(self, pool: MySqlPool, contributions: MySqlContributions | None = None) -> None:
        self._pool = pool
        self._contributions = contributions or MySqlContributions()

    async def commit(self, claim: Claimed, conclusion: Conclusion, contributions: ContributionBatches | None) -> None:
        def told(number: int, code: int) -> None:
            log.info("ledger.contended", feed_id=str(claim.feed.feed_id), attempt=number, mysql_error=code)

        with store_outages():
            await retry_contention(lambda: self._attempt(claim, conclusion, contributions), on_retry=told)

    async def _attempt(self, claim: Claimed, conclusion: Conclusion, contributions: ContributionBatches | None) -> None:
        async with self._pool.transaction() as session:
            await _hold_fence(session, claim)
            if conclusion.adds_to_totals:
                await _count_content(session, claim, conclusion)
                if contributions:
                    await self._contributions.insert(session, claim, contributions)
                await session.change(_ADD_TO_TOTALS, (str(claim.feed.feed_id),))
                # Asked last: what comes before may take a minute, and the feed is not finished until then.
                at = await _close_books(session, claim, conclusion)
            else:
                at = await _database_time(session)
            await _finish(session, claim, conclusion, at)
            await _announce(session, claim, conclusion, at)


async def _hold_fence(session: MySqlSession, claim: Claimed) -> None:
    """Locks the feed's row to the end of the transaction. Raises LeaseLost."""
    row = await session.row(_FENCE, (str(claim.feed.feed_id),))
    if row is None or row["fence"] != claim.fence or row["processing_status"] != ProcessingStatus.IN_PROGRESS:
        raise LeaseLost


async def _database_time(session: MySqlSession) -> datetime:
    row = await session.row("SELECT UTC_TIMESTAMP(6) AS now")
    if row is None:
        raise Outage("the database does not tell its time")
    return utc(row["now"])


async def _count_content(session: MySqlSession, claim: Claimed, conclusion: Conclusion) -> None:
    """Claims these bytes for this feed. The unique key lets one feed win, also when several come at once."""
    try:
        await session.change(_COUNT_CONTENT, (conclusion.sha256, str(claim.feed.feed_id)))
    except IntegrityError as error:
        if error_number(error) != DUPLICATE_KEY:
            raise
        same = await find_same_content(session, claim, conclusion.sha256 or "")
        if same is None:
            raise Outage("a feed with the same bytes is about to change") from error
        raise SameContent(*same) from error


async def _close_books(session: MySqlSession, claim: Claimed, conclusion: Conclusion) -> datetime:
    """P1, asked of what was stored rather than of what was meant; when it was asked."""
    [row] = await session.rows(_ADDED, (str(claim.feed.feed_id),))
    added = int(row["transactions"])
    if added != conclusion.counts.rows_accepted:
        raise BooksDoNotClose(f"{conclusion.counts.rows_accepted} rows accepted, {added} in the contributions")
    return utc(row["now"])


async def _finish(session: MySqlSession, claim: Claimed, conclusion: Conclusion, at: datetime) -> None:
    counts, error = conclusion.counts, conclusion.error
    await session.change(
        _FINISH,
        (
            conclusion.status.value,
            conclusion.phase.value,
            conclusion.sha256,
            conclusion.layout,
            counts.rows_received,
            counts.rows_accepted,
            counts.rows_rejected,
            counts.rows_duplicate,
            counts.rows_skipped,
            json.dumps([total.model_dump(mode="json") for total in conclusion.issue_totals]),
            error.code if error else None,
            error.message if error else None,
            conclusion.report_uri,
            conclusion.raw_uri,
            str(conclusion.duplicate_of) if conclusion.duplicate_of else None,
            _naive(at),
            _naive(at),
            str(claim.feed.feed_id),
        ),
    )


async def _announce(session: MySqlSession, claim: Claimed, conclusion: Conclusion, at: datetime) -> None:
    event, body = event_body(claim, conclusion, at)
    await session.change(
        _ANNOUNCE,
        (
            str(event.event_id),
            str(event.feed_id),
            event.sequence,
            event.event_type,
            event.seller_id,
            event.feed_type.value,
            event.severity.value,
            event.correlation_id,
            body,
            _naive(at),
        ),
    )


def _naive(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None)
