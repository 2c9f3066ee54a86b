"""The record of feeds in MySQL: claims with a lease and a fence. The database's clock decides, not a worker's."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from services.aggregator.adapters.mysql_corrections import all_corrections, corrections_beside
from services.aggregator.adapters.mysql_history import write_history
from services.aggregator.adapters.mysql_outages import mysql_outages
from services.aggregator.adapters.mysql_relations import Relations
from services.aggregator.adapters.mysql_times import naive, utc
from services.aggregator.errors import LeaseLost
from services.aggregator.rules.feed_history import Step
from services.aggregator.rules.feed_identity import FeedIdentity, ObjectRef
from services.aggregator.rules.feed_lease import Claimed, ClaimRefusal, FeedRow, refusal
from services.aggregator.rules.feed_succession import Decision, Succession
from services.aggregator.rules.reading_progress import Progress
from shared.runtime.mysql import MySqlPool, Row
from shared.runtime.mysql_errors import retry_contention
from shared.schemas.events import Phase
from shared.schemas.feed_options import FeedOptions
from shared.schemas.feeds import FeedType, ProcessingStatus

_SEEN = """
SELECT seller_id, feed_type, file_name, correlation_id, bucket, object_key, object_version, object_etag,
       processing_status, lease_expires_at, fence, attempts, runs, earlier_status, reprocess_options,
       UTC_TIMESTAMP(6) AS now
FROM feeds WHERE feed_id = %s"""

_RECORD_AS = """
INSERT INTO feeds (feed_id, seller_id, feed_type, file_name, bucket, object_key, object_version, object_etag,
                   size_bytes, correlation_id, object_modified_at, object_sequencer, received_at, updated_at, {columns})
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, COALESCE(%s, UTC_TIMESTAMP(6)), UTC_TIMESTAMP(6), {values})
ON DUPLICATE KEY UPDATE feed_id = feed_id"""

_RECORD = _RECORD_AS.format(columns="processing_status", values="'IN_QUEUE'")

# Most feeds are new to the one who asks for them: recorded and taken in one statement.
_RECORD_TAKEN = _RECORD_AS.format(
    columns="processing_status, phase, percent, fence, attempts, lease_owner, lease_expires_at, started_at",
    values="'IN_PROGRESS', %s, 0, 1, 1, %s, TIMESTAMPADD(MICROSECOND, %s, UTC_TIMESTAMP(6)), %s",
)

_LOOK = """
SELECT clock.now, feeds.feed_id, bucket, object_key, object_version, object_etag, processing_status, lease_expires_at
FROM (SELECT UTC_TIMESTAMP(6) AS now) AS clock LEFT JOIN feeds ON feeds.feed_id = %s"""

# A feed that was known from its receipt alone learns here what exactly its object is.
_TAKE = """
UPDATE feeds SET processing_status = 'IN_PROGRESS', phase = %s, percent = 0, fence = fence + 1, attempts = attempts + 1,
    lease_owner = %s, lease_expires_at = TIMESTAMPADD(MICROSECOND, %s, UTC_TIMESTAMP(6)),
    object_version = COALESCE(object_version, %s), object_etag = COALESCE(object_etag, %s),
    object_modified_at = COALESCE(object_modified_at, %s), object_sequencer = COALESCE(object_sequencer, %s),
    started_at = UTC_TIMESTAMP(6), updated_at = UTC_TIMESTAMP(6)
WHERE feed_id = %s"""

_RENEW = """
UPDATE feeds SET lease_expires_at = TIMESTAMPADD(MICROSECOND, %s, UTC_TIMESTAMP(6)), phase = %s, percent = %s,
    updated_at = UTC_TIMESTAMP(6)
WHERE feed_id = %s AND fence = %s AND processing_status = 'IN_PROGRESS'"""

_HELD = "SELECT fence FROM feeds WHERE feed_id = %s AND fence = %s AND processing_status = 'IN_PROGRESS' FOR UPDATE"

_OPTIONS = "SELECT options FROM feeds WHERE feed_id = %s AND seller_id = %s"

_RELEASE = """
UPDATE feeds SET processing_status = 'IN_QUEUE', phase = NULL, percent = NULL, lease_owner = NULL,
    lease_expires_at = NULL, updated_at = UTC_TIMESTAMP(6)
WHERE feed_id = %s AND fence = %s AND processing_status = 'IN_PROGRESS'"""


class MySqlFeeds:
    """Implements ports.Feeds."""

    def __init__(self, pool: MySqlPool, lease_seconds: float) -> None:
        self._pool = pool
        self._lease_microseconds = int(lease_seconds * 1_000_000)

    async def claim(self, feed: FeedIdentity, owner: str) -> Claimed | ClaimRefusal:
        with mysql_outages():
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
        taken = (Phase.RECEIVE.value, owner, self._lease_microseconds, now)
        claim = Claimed(feed=feed, fence=1, attempt=1, owner=owner, started_at=utc(now))
        async with self._pool.transaction() as session:
            if not await session.change(_RECORD_TAKEN, (*_columns(feed), *taken)):
                return None
            await write_history(session, *_first_steps(claim, is_new=True))
        return claim

    async def _take(self, feed: FeedIdentity, owner: str) -> Claimed | ClaimRefusal:
        async with self._pool.transaction() as session:
            is_new = bool(await session.change(_RECORD, _columns(feed)))
            seen = await session.row(f"{_SEEN} FOR UPDATE", (str(feed.feed_id),))
            if seen is None:
                raise LeaseLost(f"feed {feed.feed_id} vanished")
            if refused := refusal(feed, _feed_row(seen)):
                return refused
            await session.change(
                _TAKE,
                (Phase.RECEIVE.value, owner, self._lease_microseconds, *_object(feed), str(feed.feed_id)),
            )
            claim = _claimed(feed, owner, seen)
            await write_history(session, *_first_steps(claim, is_new))
        return claim

    async def renew(self, claim: Claimed, progress: Progress, seconds: float | None = None) -> None:
        lasts = self._lease_microseconds if seconds is None else int(seconds * 1_000_000)
        lease = (lasts, progress.phase.value, progress.percent)
        with mysql_outages():
            async with self._pool.session() as session:
                changed = await session.change(_RENEW, (*lease, str(claim.feed.feed_id), claim.fence))
        if not changed:
            raise LeaseLost

    async def release(self, claim: Claimed) -> None:
        key = (str(claim.feed.feed_id), claim.fence)

        async def release() -> None:
            async with self._pool.transaction() as session:
                if await session.row(_HELD, key):
                    await session.change(_RELEASE, key)
                    await write_history(
                        session, Step(claim.feed.feed_id, "released", claim.owner, {"fence": claim.fence})
                    )

        with mysql_outages():
            await retry_contention(release)

    async def options_of(self, feed_id: UUID, seller_id: str) -> FeedOptions | None:
        with mysql_outages():
            async with self._pool.session() as session:
                row = await session.row(_OPTIONS, (str(feed_id), seller_id))
        return FeedOptions.model_validate_json(row["options"]) if row and row["options"] else None

    async def find_known(self, feeds: Sequence[FeedIdentity]) -> UUID | None:
        with mysql_outages():
            async with self._pool.session() as session:
                for feed in feeds:
                    seen = await session.row(_SEEN, (str(feed.feed_id),))
                    if seen and feed.ref.is_same_as(_feed_row(seen).ref):
                        return feed.feed_id
        return None

    async def look_ahead(
        self, claim: Claimed, options: FeedOptions, sha256: str | None, listed: Mapping[str, int] | None
    ) -> Decision:
        with mysql_outages():
            async with self._pool.session() as session:
                decision = await Relations(session, claim.feed, options).decide(sha256, listed)
                if not isinstance(decision, Succession) or not decision.takes_place_of:
                    return decision
                beside = await corrections_beside(session, claim.feed.feed_id, decision.takes_place_of)
                return replace(decision, still_counting=all_corrections(beside))


def _claimed(feed: FeedIdentity, owner: str, seen: Row) -> Claimed:
    """The row knows whose it is, also when its object is gone and its metadata with it."""
    recorded = {name: seen[name] for name in ("seller_id", "file_name", "correlation_id")}
    return Claimed(
        feed=replace(feed, feed_type=FeedType(seen["feed_type"]), **recorded),
        fence=seen["fence"] + 1,
        attempt=seen["attempts"] + 1,
        owner=owner,
        started_at=utc(seen["now"]),
        run=seen["runs"],
        overrides=json.loads(seen["reprocess_options"]) if seen["reprocess_options"] else {},
        stands=seen["earlier_status"] == ProcessingStatus.DONE,
    )


def _first_steps(claim: Claimed, is_new: bool) -> list[Step]:
    feed = claim.feed
    received = {"object": feed.ref.uri, "version": feed.ref.version_id, "size_bytes": feed.size_bytes}
    steps = [Step(feed.feed_id, "received", claim.owner, received, feed.received_at)] if is_new else []
    taken = {"fence": claim.fence, "attempt": claim.attempt, "run": claim.run}
    return [*steps, Step(feed.feed_id, "claimed", claim.owner, taken)]


def _object(feed: FeedIdentity) -> tuple[object, ...]:
    return feed.ref.version_id, feed.ref.etag, naive(feed.modified_at), feed.ref.sequencer


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
        naive(feed.modified_at),
        feed.ref.sequencer,
        naive(feed.received_at),
    )


def _feed_row(row: Row) -> FeedRow:
    return FeedRow(
        ref=ObjectRef(row["bucket"], row["object_key"], row["object_version"], row["object_etag"]),
        status=ProcessingStatus(row["processing_status"]),
        lease_expires_at=row["lease_expires_at"],
        now=row["now"],
    )
