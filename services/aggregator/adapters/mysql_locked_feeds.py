"""One feed's row, locked to the end of the caller's transaction."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.aggregator.adapters.mysql_times import utc
from services.aggregator.errors import Outage
from services.aggregator.rules.feed_announcements import ChangedFeed
from services.aggregator.rules.feed_identity import ObjectRef
from services.aggregator.rules.feed_lease import is_waiting
from shared.runtime.mysql import MySqlSession, Row
from shared.schemas.feeds import Counts, FeedType, ProcessingStatus

_LOCK = """
SELECT feed_id, seller_id, feed_type, file_name, bucket, object_key, object_version, object_etag, correlation_id,
       processing_status, earlier_status, lease_expires_at, fence, runs, reprocess_options,
       rows_received, rows_accepted, rows_rejected, rows_duplicate, rows_skipped,
       counted_sha256 IS NOT NULL AS counts_now, replaced_by, withdrawn_at, UTC_TIMESTAMP(6) AS now
FROM feeds WHERE feed_id = %s{confined} FOR UPDATE"""

_CORRECTIONS = """
SELECT feed_id FROM feeds WHERE corrects = %s AND counted_sha256 IS NOT NULL ORDER BY feed_id LIMIT 100"""


@dataclass(frozen=True, slots=True)
class LockedFeed:
    """`counts`: its contribution is part of the totals; `counts_of_rows`: the books of the result that stands.

    `earlier_status` is what it was when reprocessing was asked for, until that is over; `waits`: no live worker has it.
    """

    feed_id: UUID
    seller_id: str
    feed_type: FeedType
    file_name: str
    ref: ObjectRef
    correlation_id: str
    status: ProcessingStatus
    earlier_status: ProcessingStatus | None
    waits: bool
    fence: int
    runs: int
    overrides: str | None
    counts_of_rows: Counts
    counts: bool
    replaced_by: UUID | None
    withdrawn_at: datetime | None

    def next_step(self) -> ChangedFeed:
        """For an event about a change that is no reading; its fence has to be stored with it."""
        return ChangedFeed(
            feed_id=self.feed_id,
            seller_id=self.seller_id,
            feed_type=self.feed_type,
            file_name=self.file_name,
            bucket=self.ref.bucket,
            object_key=self.ref.key,
            correlation_id=self.correlation_id,
            counts=self.counts_of_rows,
            fence=self.fence + 1,
        )


async def lock_feed(session: MySqlSession, feed_id: UUID, seller_id: str | None = None) -> LockedFeed | None:
    """None if it is not there, or not `seller_id`'s (None: whosever it is)."""
    confined = "" if seller_id is None else " AND seller_id = %s"
    arguments = (str(feed_id),) if seller_id is None else (str(feed_id), seller_id)
    row = await session.row(_LOCK.format(confined=confined), arguments)
    return _locked(row) if row else None


async def counting_corrections(session: MySqlSession, feed_id: UUID) -> list[UUID]:
    """The feeds that correct this one and count now; at most 100."""
    return [UUID(row["feed_id"]) for row in await session.rows(_CORRECTIONS, (str(feed_id),))]


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


async def database_time(session: MySqlSession) -> datetime:
    """Now, in UTC."""
    row = await session.row("SELECT UTC_TIMESTAMP(6) AS now")
    if row is None:
        raise Outage("the database does not tell its time")
    return utc(row["now"])


def _locked(row: Row) -> LockedFeed:
    status = ProcessingStatus(row["processing_status"])
    return LockedFeed(
        feed_id=UUID(row["feed_id"]),
        seller_id=row["seller_id"],
        feed_type=FeedType(row["feed_type"]),
        file_name=row["file_name"],
        ref=ObjectRef(row["bucket"], row["object_key"], row["object_version"], row["object_etag"]),
        correlation_id=row["correlation_id"],
        status=status,
        earlier_status=ProcessingStatus(row["earlier_status"]) if row["earlier_status"] else None,
        waits=is_waiting(status, row["lease_expires_at"], row["now"]),
        fence=row["fence"],
        runs=row["runs"],
        overrides=row["reprocess_options"],
        counts_of_rows=Counts(**{name: row[name] for name in Counts.model_fields}),
        counts=bool(row["counts_now"]),
        replaced_by=UUID(row["replaced_by"]) if row["replaced_by"] else None,
        withdrawn_at=row["withdrawn_at"],
    )
