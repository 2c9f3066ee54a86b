"""Feeds as the aggregator's table has them, shown by what is true of them now."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from pydantic import TypeAdapter

from services.query.adapters.mysql_conditions import confined_select, following
from services.query.adapters.mysql_corrections import select_corrections
from services.query.adapters.mysql_reads import MySqlReads, Row, Snapshot
from services.query.adapters.mysql_tables import as_utc, feeds
from services.query.rules.confinement import Confinement
from services.query.rules.page_keys import FeedKey
from services.query.rules.records import FeedFilter
from shared.schemas.feeds import Counts, FeedError, FeedProgress, FeedType, FeedView, ProcessingStatus, Recognised
from shared.schemas.issues import IssueTotal

_ISSUE_TOTALS = TypeAdapter(list[IssueTotal])
_STORED_ALIKE = (
    "seller_id",
    "file_name",
    "report_uri",
    "rejected_uri",
    "sha256",
    "size_bytes",
    "correlation_id",
    "attempts",
)
_LINKS = ("duplicate_of", "replaces", "replaced_by", "corrects")
_TIMES = ("withdrawn_at", "started_at", "finished_at")


@dataclass(slots=True)
class _Corrections:
    """Of one feed."""

    feed_ids: list[UUID]
    rows: int


class MySqlFeeds:
    """Reads feeds. One that no worker has seen yet is not here; its receipt is (see s3_receipts)."""

    def __init__(self, reads: MySqlReads) -> None:
        self._reads = reads

    async def newest(
        self, chosen: FeedFilter, after: FeedKey | None, limit: int, confinement: Confinement
    ) -> list[FeedView]:
        """At most `limit` feeds received before a key, newest first."""
        async with self._reads.snapshot() as snapshot:
            return await _views(snapshot, select_newest(chosen, after, limit, confinement), confinement)

    async def one(self, feed_id: UUID, confinement: Confinement) -> FeedView | None:
        async with self._reads.snapshot() as snapshot:
            found = await _views(snapshot, select_one(feed_id, confinement), confinement)
        return found[0] if found else None


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


async def _views(snapshot: Snapshot, statement: sa.Select[Any], confinement: Confinement) -> list[FeedView]:
    """Two statements for any number of feeds."""
    rows = await snapshot.rows(statement)
    corrected = await _corrections(snapshot, [UUID(row["feed_id"]) for row in rows], confinement) if rows else {}
    return [_view(row, corrected.get(UUID(row["feed_id"]), _Corrections([], 0))) for row in rows]


async def _corrections(
    snapshot: Snapshot, feed_ids: Sequence[UUID], confinement: Confinement
) -> dict[UUID, _Corrections]:
    found: dict[UUID, _Corrections] = {}
    for row in await snapshot.rows(select_corrections(feed_ids, confinement)):
        of_one = found.setdefault(UUID(row["corrects"]), _Corrections([], int(row["rows_corrected"])))
        of_one.feed_ids.append(UUID(row["feed_id"]))
    return found


def _view(row: Row, corrections: _Corrections) -> FeedView:
    status = ProcessingStatus(row["shown_status"])
    # While it is read anew, what is shown is the earlier result, which counts on.
    has_ended = status.is_terminal or row["earlier_status"] is not None
    return FeedView(
        **{name: row[name] for name in _STORED_ALIKE},
        **{name: UUID(row[name]) if row[name] else None for name in _LINKS},
        **{name: as_utc(row[name]) if row[name] else None for name in _TIMES},
        feed_id=UUID(row["feed_id"]),
        feed_type=FeedType(row["feed_type"]),
        processing_status=status,
        counts=Counts(**{name: row[name] for name in Counts.model_fields}) if has_ended else None,
        issue_totals=_ISSUE_TOTALS.validate_json(row["issue_totals"]) if row["issue_totals"] else [],
        error=FeedError(code=row["error_code"], message=row["error_message"] or "") if row["error_code"] else None,
        corrected_by=corrections.feed_ids,
        rows_corrected=corrections.rows,
        recognised=Recognised.model_validate_json(row["recognised"]) if row["recognised"] else None,
        progress=_progress(row) if status is ProcessingStatus.IN_PROGRESS else None,
        received_at=as_utc(row["received_at"]),
    )


def _progress(row: Row) -> FeedProgress | None:
    return FeedProgress(phase=row["phase"], percent=row["percent"] or 0) if row["phase"] else None
