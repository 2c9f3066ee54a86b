"""What a feed contributes, in and out of the totals, always within the caller's transaction (P1).

Rows of `totals` are touched in key order, so that feeds of one seller wait for each other instead of deadlocking.
"""

from uuid import UUID

from services.aggregator.errors import BooksDoNotClose
from shared.runtime.mysql import MySqlSession

_OF_FEED = """
SELECT COUNT(*) AS feed_groups, COALESCE(SUM(transactions), 0) AS transactions
FROM contributions WHERE feed_id = %s"""

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

# The join is written in the order in which it has to be walked: contributions by their key, which is the totals' too.
_SUBTRACT_FROM_TOTALS = """
UPDATE contributions AS c STRAIGHT_JOIN totals AS t
    ON t.seller_id = c.seller_id AND t.sale_date = c.sale_date AND t.group_key = c.group_key
SET t.quantity = t.quantity - c.quantity, t.amount = t.amount - c.amount,
    t.revenue = t.revenue - c.revenue, t.transactions = t.transactions - c.transactions
WHERE c.feed_id = %s"""

_DELETE_EMPTY_TOTALS = """
DELETE t FROM contributions AS c STRAIGHT_JOIN totals AS t
    ON t.seller_id = c.seller_id AND t.sale_date = c.sale_date AND t.group_key = c.group_key
WHERE c.feed_id = %s AND t.transactions = 0"""

_DELETE_CONTRIBUTIONS = "DELETE FROM contributions WHERE feed_id = %s"


async def add_to_totals(session: MySqlSession, feed_id: UUID, rows_accepted: int) -> None:
    """Raises BooksDoNotClose: asked of what was stored rather than of what was meant."""
    _, added = await _of_feed(session, feed_id)
    if added != rows_accepted:
        raise BooksDoNotClose(f"{rows_accepted} rows accepted, {added} in the contributions")
    await session.later(_ADD_TO_TOTALS, (str(feed_id),))


async def take_back(session: MySqlSession, feed_id: UUID) -> int:
    """A feed's contribution leaves the totals and is no more; how many accepted rows that were."""
    groups, taken_back = await _of_feed(session, feed_id)
    # A group has at least one row, so that each of them changes its total.
    changed = await session.change(_SUBTRACT_FROM_TOTALS, (str(feed_id),))
    if changed != groups:
        raise BooksDoNotClose(f"feed {feed_id} adds to {groups} groups, {changed} of them are in the totals")
    await session.later(_DELETE_EMPTY_TOTALS, (str(feed_id),))
    await session.later(_DELETE_CONTRIBUTIONS, (str(feed_id),))
    return taken_back


async def _of_feed(session: MySqlSession, feed_id: UUID) -> tuple[int, int]:
    row = await session.row(_OF_FEED, (str(feed_id),))
    return (int(row["feed_groups"]), int(row["transactions"])) if row else (0, 0)
