"""The outbox in MySQL: which committed events are still to be announced (P3)."""

from collections.abc import Sequence

from services.aggregator.adapters.mysql_outages import mysql_outages
from services.aggregator.outbox_ports import Backlog, OutboxEvent, Publish, Relayed
from shared.runtime.mysql import MySqlPool, MySqlSession, Row

PATIENCE = 3
"""An event that was refused so often waits until no other event does: it must not hold up the others."""

# No lock here; which of these are free is decided by primary key in the next statement. An event whose elder of the
# same feed is published meanwhile is simply found the next time.
_CANDIDATES = """
SELECT o.id FROM outbox AS o
WHERE o.published_at IS NULL AND o.attempts {comparison} %s
  AND NOT EXISTS (SELECT 1 FROM outbox AS elder WHERE elder.feed_id = o.feed_id AND elder.published_at IS NULL
                                                  AND elder.sequence < o.sequence)
ORDER BY o.id LIMIT %s"""

_LOCK = """
SELECT id, event_id, feed_id, event_type, seller_id, feed_type, severity, body FROM outbox
WHERE id IN ({places}) AND published_at IS NULL ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED"""

_PUBLISHED = "UPDATE outbox SET published_at = UTC_TIMESTAMP(6), attempts = attempts + 1 WHERE id IN ({places})"

_REFUSED = "UPDATE outbox SET attempts = attempts + 1 WHERE id IN ({places})"

_BACKLOG = """
SELECT COUNT(*) AS events, COALESCE(TIMESTAMPDIFF(MICROSECOND, MIN(created_at), UTC_TIMESTAMP(6)), 0) AS microseconds
FROM outbox WHERE published_at IS NULL"""

_PURGE = "DELETE FROM outbox WHERE published_at < TIMESTAMPADD(SECOND, -%s, UTC_TIMESTAMP(6)) LIMIT %s"


class MySqlOutbox:
    """Implements ports.Outbox."""

    def __init__(self, pool: MySqlPool) -> None:
        self._pool = pool

    async def publish_next(self, publish: Publish, limit: int) -> Relayed:
        with mysql_outages():
            candidates = await self._candidates(limit)
            if not candidates:
                return Relayed(0, 0)
            async with self._pool.transaction() as session:
                rows = await session.rows(_LOCK.format(places=_places(candidates)), (*candidates, limit))
                if not rows:
                    return Relayed(0, 0)
                taken = await publish([_event(row) for row in rows])
                refused = [row["id"] for row in rows if row["id"] not in taken]
                await _mark(session, _PUBLISHED, [row["id"] for row in rows if row["id"] in taken])
                await _mark(session, _REFUSED, refused)
            return Relayed(published=len(rows) - len(refused), refused=len(refused))

    async def _candidates(self, limit: int) -> list[int]:
        """More than one relay can take, so that another one finds some too."""
        async with self._pool.session() as session:
            for comparison in ("<", ">="):
                sql = _CANDIDATES.format(comparison=comparison)
                rows = await session.rows(sql, (PATIENCE, 4 * limit))
                if rows:
                    return [row["id"] for row in rows]
        return []

    async def backlog(self) -> Backlog:
        with mysql_outages():
            async with self._pool.session() as session:
                row = await session.row(_BACKLOG)
        return Backlog(int(row["events"]), row["microseconds"] / 1_000_000) if row else Backlog(0, 0.0)

    async def purge(self, older_than_seconds: float, limit: int) -> int:
        with mysql_outages():
            async with self._pool.session() as session:
                return await session.change(_PURGE, (int(older_than_seconds), limit))


async def _mark(session: MySqlSession, sql: str, ids: Sequence[int]) -> None:
    if ids:
        await session.change(sql.format(places=_places(ids)), ids)


def _places(ids: Sequence[int]) -> str:
    return ", ".join(["%s"] * len(ids))


def _event(row: Row) -> OutboxEvent:
    return OutboxEvent(
        outbox_id=row["id"],
        event_id=row["event_id"],
        event_type=row["event_type"],
        feed_id=row["feed_id"],
        seller_id=row["seller_id"],
        feed_type=row["feed_type"],
        severity=row["severity"],
        body=row["body"],
    )
