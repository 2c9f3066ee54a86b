"""The record of feeds in MySQL: claims with a lease and a fence. The database's clock decides, not a worker's."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from uuid import UUID

from services.aggregator.errors import LeaseLost, Outage, SameContent
from services.aggregator.rules.feed_identity import FeedIdentity, ObjectRef
from services.aggregator.rules.feed_lease import Claimed, ClaimRefusal, FeedRow, refusal
from shared.runtime.mysql import MySqlPool, MySqlSession, Row
from shared.runtime.mysql_errors import OUTAGES, retry_contention
from shared.schemas.events import Phase
from shared.schemas.feeds import ProcessingStatus

_SEEN = """
SELECT bucket, object_key, object_version, object_etag, processing_status, lease_expires_at, fence, attempts,
       UTC_TIMESTAMP(6) AS now
FROM feeds WHERE feed_id = %s"""

_RECORD_AS = """
INSERT INTO feeds (feed_id, seller_id, feed_type, file_name, bucket, object_key, object_version, object_etag,
                   size_bytes, correlation_id, received_at, updated_at, {columns})
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, COALESCE(%s, UTC_TIMESTAMP(6)), UTC_TIMESTAMP(6), {values})
ON DUPLICATE KEY UPDATE feed_id = feed_id"""

_RECORD = _RECORD_AS.format(columns="processing_status", values="'IN_QUEUE'")

# Most feeds are new to the one who asks for them: recorded and taken in one statement, without a transaction.
_RECORD_TAKEN = _RECORD_AS.format(
    columns="processing_status, phase, fence, attempts, lease_owner, lease_expires_at, started_at",
    values="'IN_PROGRESS', %s, 1, 1, %s, TIMESTAMPADD(MICROSECOND, %s, UTC_TIMESTAMP(6)), %s",
)

_LOOK = """
SELECT clock.now, feeds.feed_id, bucket, object_key, object_version, object_etag, processing_status, lease_expires_at
FROM (SELECT UTC_TIMESTAMP(6) AS now) AS clock LEFT JOIN feeds ON feeds.feed_id = %s"""

_TAKE = """
UPDATE feeds SET processing_status = 'IN_PROGRESS', phase = %s, fence = fence + 1, attempts = attempts + 1,
    lease_owner = %s, lease_expires_at = TIMESTAMPADD(MICROSECOND, %s, UTC_TIMESTAMP(6)),
    started_at = UTC_TIMESTAMP(6), updated_at = UTC_TIMESTAMP(6)
WHERE feed_id = %s"""

_RENEW = """
UPDATE feeds SET lease_expires_at = TIMESTAMPADD(MICROSECOND, %s, UTC_TIMESTAMP(6)), updated_at = UTC_TIMESTAMP(6)
WHERE feed_id = %s AND fence = %s AND processing_status = 'IN_PROGRESS'"""

_RELEASE = """
UPDATE feeds SET processing_status = 'IN_QUEUE', phase = NULL, lease_owner = NULL, lease_expires_at = NULL,
    updated_at = UTC_TIMESTAMP(6)
WHERE feed_id = %s AND fence = %s AND processing_status = 'IN_PROGRESS'"""

_SAME_CONTENT = """
SELECT feed_id, rows_received FROM feeds
WHERE seller_id = %s AND feed_type = %s AND counted_sha256 = %s AND feed_id <> %s"""


@contextmanager
def store_outages() -> Iterator[None]:
    """Turns what the pool raises when the server is at fault into an Outage."""
    try:
        yield
    except OUTAGES as error:
        raise Outage(f"the database does not answer: {error!r}") from error


def utc(moment: datetime) -> datetime:
    """MySQL's DATETIME has no zone; ours are UTC."""
    return moment.replace(tzinfo=UTC)


class MySqlFeeds:
    """Implements ports.Feeds."""

    def __init__(self, pool: MySqlPool, lease_seconds: float) -> None:
        self._pool = pool
        self._lease_microseconds = int(lease_seconds * 1_000_000)

    async def claim(self, feed: FeedIdentity, owner: str) -> Claimed | ClaimRefusal:
        with store_outages():
            # Without a lock at first: a repeated message must not wait for the commit of the worker that has the feed.
            async with self._pool.session() as session:
                [seen] = await session.rows(_LOOK, (str(feed.feed_id),))
            if seen["feed_id"] is None:
                if new := await retry_contention(lambda: self._take_new(feed, owner, seen["now"])):
                    return new
            elif refused := refusal(feed, _feed_row(seen)):
                return refused
            return await retry_contention(lambda: self._take(feed, owner))

    async def _take_new(self, feed: FeedIdentity, owner: str, now: datetime) -> Claimed | None:
        """None if somebody else recorded it meanwhile."""
        taken = (Phase.READ.value, owner, self._lease_microseconds, now)
        async with self._pool.session() as session:
            recorded = await session.change(_RECORD_TAKEN, (*_columns(feed), *taken))
        if not recorded:
            return None
        return Claimed(feed=feed, fence=1, attempt=1, owner=owner, started_at=utc(now))

    async def _take(self, feed: FeedIdentity, owner: str) -> Claimed | ClaimRefusal:
        async with self._pool.transaction() as session:
            await session.change(_RECORD, _columns(feed))
            seen = await session.row(f"{_SEEN} FOR UPDATE", (str(feed.feed_id),))
            if seen is None:
                raise LeaseLost(f"feed {feed.feed_id} vanished")
            if refused := refusal(feed, _feed_row(seen)):
                return refused
            await session.change(_TAKE, (Phase.READ.value, owner, self._lease_microseconds, str(feed.feed_id)))
        return Claimed(
            feed=feed,
            fence=seen["fence"] + 1,
            attempt=seen["attempts"] + 1,
            owner=owner,
            started_at=utc(seen["now"]),
        )

    async def renew(self, claim: Claimed) -> None:
        with store_outages():
            async with self._pool.session() as session:
                changed = await session.change(_RENEW, (self._lease_microseconds, str(claim.feed.feed_id), claim.fence))
        if not changed:
            raise LeaseLost

    async def release(self, claim: Claimed) -> None:
        async def release() -> None:
            async with self._pool.session() as session:
                await session.change(_RELEASE, (str(claim.feed.feed_id), claim.fence))

        with store_outages():
            await retry_contention(release)

    async def find_known(self, feeds: Sequence[FeedIdentity]) -> UUID | None:
        with store_outages():
            async with self._pool.session() as session:
                for feed in feeds:
                    seen = await session.row(_SEEN, (str(feed.feed_id),))
                    if seen and feed.ref.is_same_as(_feed_row(seen).ref):
                        return feed.feed_id
        return None

    async def refuse_same_content(self, claim: Claimed, sha256: str) -> None:
        with store_outages():
            async with self._pool.session() as session:
                if same := await find_same_content(session, claim, sha256):
                    raise SameContent(*same)


async def find_same_content(session: MySqlSession, claim: Claimed, sha256: str) -> tuple[UUID, int] | None:
    """The feed that counts with these bytes, and how many rows it received."""
    feed = claim.feed
    row = await session.row(_SAME_CONTENT, (feed.seller_id, feed.feed_type.value, sha256, str(feed.feed_id)))
    return (UUID(row["feed_id"]), row["rows_received"]) if row else None


def _columns(feed: FeedIdentity) -> tuple[object, ...]:
    return (
        str(feed.feed_id),
        feed.seller_id,
        feed.feed_type.value,
        feed.file_name,
        feed.ref.bucket,
        feed.ref.key,
        feed.ref.version_id,
        feed.ref.etag,
        feed.size_bytes,
        feed.correlation_id,
        feed.received_at.astimezone(UTC).replace(tzinfo=None) if feed.received_at else None,
    )


def _feed_row(row: Row) -> FeedRow:
    return FeedRow(
        ref=ObjectRef(row["bucket"], row["object_key"], row["object_version"], row["object_etag"]),
        status=ProcessingStatus(row["processing_status"]),
        lease_expires_at=row["lease_expires_at"],
        now=row["now"],
    )
