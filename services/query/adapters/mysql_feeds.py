"""Feeds as the aggregator's table has them, shown by what is true of them now."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from pydantic import TypeAdapter

from services.query.adapters.mysql_conditions import confined_select, following
from services.query.adapters.mysql_reads import MySqlReads, Row
from services.query.adapters.mysql_tables import feeds
from services.query.rules.confinement import Confinement
from services.query.rules.page_keys import FeedKey
from services.query.rules.records import FeedFilter
from shared.schemas.feeds import Counts, FeedError, FeedType, FeedView, ProcessingStatus
from shared.schemas.issues import IssueTotal

_ISSUE_TOTALS = TypeAdapter(list[IssueTotal])
_STORED_ALIKE = ("seller_id", "file_name", "report_uri", "sha256", "size_bytes", "correlation_id", "attempts")


class MySqlFeeds:
    """Reads feeds. One that no worker has seen yet is not here; its receipt is (see s3_receipts)."""

    def __init__(self, reads: MySqlReads) -> None:
        self._reads = reads

    async def newest(
        self, chosen: FeedFilter, after: FeedKey | None, limit: int, confinement: Confinement
    ) -> list[FeedView]:
        """At most `limit` feeds received before a key, newest first."""
        async with self._reads.snapshot() as snapshot:
            rows = await snapshot.rows(select_newest(chosen, after, limit, confinement))
        return [_view(row) for row in rows]

    async def one(self, feed_id: UUID, confinement: Confinement) -> FeedView | None:
        async with self._reads.snapshot() as snapshot:
            row = await snapshot.row(select_one(feed_id, confinement))
        return _view(row) if row else None


def select_one(feed_id: UUID, confinement: Confinement) -> sa.Select[Any]:
    return confined_select(_columns(), feeds, confinement).where(feeds.c.feed_id == str(feed_id))


def select_newest(chosen: FeedFilter, after: FeedKey | None, limit: int, confinement: Confinement) -> sa.Select[Any]:
    order = [feeds.c.received_at, feeds.c.feed_id]
    statement = confined_select(_columns(), feeds, confinement).order_by(*(column.desc() for column in order))
    if chosen.seller_id is not None:
        statement = statement.where(feeds.c.seller_id == chosen.seller_id)
    if chosen.status is not None:
        statement = statement.where(shown_status() == chosen.status.value)
    if after is not None:
        stored = after.received_at.astimezone(UTC).replace(tzinfo=None)
        statement = statement.where(following(order, (stored, str(after.feed_id)), descending=True))
    return statement.limit(limit)


def shown_status() -> sa.ColumnElement[str]:
    """A feed whose lease ran out is nobody's work: it waits in the queue until another worker takes it over."""
    lease = feeds.c.lease_expires_at
    # Leases are compared with the clock that set them.
    abandoned = sa.and_(
        feeds.c.processing_status == ProcessingStatus.IN_PROGRESS.value,
        sa.or_(lease.is_(None), lease < sa.func.utc_timestamp(6)),
    )
    return sa.case((abandoned, ProcessingStatus.IN_QUEUE.value), else_=feeds.c.processing_status)


def _columns() -> list[sa.ColumnElement[Any]]:
    plain = [column for column in feeds.c if column.name not in ("processing_status", "lease_expires_at")]
    return [*plain, shown_status().label("shown_status")]


def _view(row: Row) -> FeedView:
    status = ProcessingStatus(row["shown_status"])
    return FeedView(
        **{name: row[name] for name in _STORED_ALIKE},
        feed_id=UUID(row["feed_id"]),
        feed_type=FeedType(row["feed_type"]),
        processing_status=status,
        counts=Counts(**{name: row[name] for name in Counts.model_fields}) if status.is_terminal else None,
        issue_totals=_ISSUE_TOTALS.validate_json(row["issue_totals"]) if row["issue_totals"] else [],
        error=FeedError(code=row["error_code"], message=row["error_message"] or "") if row["error_code"] else None,
        duplicate_of=UUID(row["duplicate_of"]) if row["duplicate_of"] else None,
        received_at=_utc(row["received_at"]),
        started_at=_utc(row["started_at"]) if row["started_at"] else None,
        finished_at=_utc(row["finished_at"]) if row["finished_at"] else None,
    )


def _utc(stored: datetime) -> datetime:
    """Times are stored in UTC, without saying so."""
    return stored.replace(tzinfo=UTC)
