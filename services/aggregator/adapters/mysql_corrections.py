"""What the corrections of a feed count. They end under its lock: who holds that sees all of them."""

from collections.abc import Collection, Mapping
from uuid import UUID

from shared.runtime.mysql import MySqlSession

_COUNTING = """
SELECT feed_id FROM feeds WHERE corrects = %s AND counted_sha256 IS NOT NULL ORDER BY feed_id LIMIT 100"""

_BROUGHT = """
SELECT COALESCE(SUM(rows_accepted), 0) AS brought FROM feeds
WHERE corrects = %s AND counted_sha256 IS NOT NULL AND feed_id <> %s"""


async def counting_corrections(session: MySqlSession, feed_id: UUID) -> list[UUID]:
    """The feeds that correct this one and count now; at most 100."""
    return [UUID(row["feed_id"]) for row in await session.rows(_COUNTING, (str(feed_id),))]


async def corrections_beside(
    session: MySqlSession, feed_id: UUID, replaced: Collection[UUID]
) -> dict[UUID, list[UUID]]:
    """For each feed whose place this one takes, its corrections that count on, but for those that end with it."""
    over = {feed_id, *replaced}
    return {
        each: [left for left in await counting_corrections(session, each) if left not in over]
        for each in sorted(replaced, key=str)
    }


def all_corrections(beside: Mapping[UUID, Collection[UUID]]) -> tuple[UUID, ...]:
    """Each once, in the order in which a report names them."""
    return tuple(sorted({each for of_one in beside.values() for each in of_one}, key=str))


async def rows_brought(session: MySqlSession, feed_id: UUID, besides: UUID) -> int:
    """What the corrections of a feed count now, the one that is `besides` left out."""
    [row] = await session.rows(_BROUGHT, (str(feed_id), str(besides)))
    return int(row["brought"])
