"""The steps of a feed's life, as the aggregator recorded them."""

import json
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from services.query.adapters.mysql_conditions import confined_select
from services.query.adapters.mysql_reads import MySqlReads, Row
from services.query.adapters.mysql_tables import as_utc, feed_history, feeds
from services.query.ports import KeyedStep
from services.query.rules.confinement import Confinement
from services.query.rules.page_keys import HistoryKey
from shared.schemas.feeds import HistoryEntry


class MySqlHistory:
    """Reads histories."""

    def __init__(self, reads: MySqlReads) -> None:
        self._reads = reads

    async def steps(
        self, feed_id: UUID, after: HistoryKey | None, limit: int, confinement: Confinement
    ) -> list[KeyedStep]:
        """At most `limit` steps of one feed after a key, in the order in which they were taken."""
        async with self._reads.snapshot() as snapshot:
            rows = await snapshot.rows(select_steps(feed_id, after, limit, confinement))
        return [_keyed_step(row) for row in rows]


def select_steps(feed_id: UUID, after: HistoryKey | None, limit: int, confinement: Confinement) -> sa.Select[Any]:
    statement = (
        confined_select(list(feed_history.c), feeds, confinement)
        .join(feed_history, feed_history.c.feed_id == feeds.c.feed_id)
        .where(feeds.c.feed_id == str(feed_id))
        .order_by(feed_history.c.id)
        .limit(limit)
    )
    return statement if after is None else statement.where(feed_history.c.id > after.number)


def _keyed_step(row: Row) -> KeyedStep:
    entry = HistoryEntry(at=as_utc(row["at"]), event=row["event"], actor=row["actor"], detail=json.loads(row["detail"]))
    return KeyedStep(HistoryKey(UUID(row["feed_id"]), row["id"]), entry)
