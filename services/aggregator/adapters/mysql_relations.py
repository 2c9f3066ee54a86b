"""What a feed's end means for other feeds, as their rows have it: looked at early without locks, decided under them."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from services.aggregator.adapters.mysql_corrections import rows_brought
from services.aggregator.errors import LeaseLost
from services.aggregator.rules.feed_identity import FeedIdentity
from services.aggregator.rules.feed_succession import CorrectedRows, Decision, KnownFeed, succession
from services.aggregator.rules.version_order import VersionPlace
from shared.runtime.mysql import MySqlSession, Row
from shared.schemas.feed_options import FeedOptions
from shared.schemas.feeds import Counts, FeedType, ProcessingStatus

_COLUMNS = """
feed_id, seller_id, feed_type, COALESCE(earlier_status, processing_status) AS standing,
counted_sha256 IS NOT NULL AS counts_now, replaced_by, duplicate_of, withdrawn_at, rows_received,
rows_rejected, object_version, object_sequencer, object_modified_at, started_at"""

_BY_IDS = "SELECT {columns} FROM feeds WHERE feed_id IN ({places}) ORDER BY feed_id"

# Ids that ingest minted (version 7) are no versions of anything, whatever lies at their key. Of a key that is written
# over and over, the newest that are applied or in work decide: whoever is older than all of them is too late anyway.
_VERSIONS = """
SELECT feed_id FROM feeds FORCE INDEX (by_object)
WHERE bucket = %s AND object_key = %s AND SUBSTRING(feed_id, 15, 1) <> '7'
  AND processing_status IN ('DONE', 'IN_QUEUE', 'IN_PROGRESS')
ORDER BY received_at DESC, feed_id LIMIT 200"""

_SAME_CONTENT = """
SELECT {columns} FROM feeds
WHERE seller_id = %s AND feed_type = %s AND counted_sha256 = %s AND feed_id <> %s"""

_ROUNDS = 5


class Relations:
    """Of one feed that is about to end. Make it anew for every transaction."""

    def __init__(self, session: MySqlSession, feed: FeedIdentity, options: FeedOptions) -> None:
        self._session = session
        self._feed = feed
        self._options = options
        self._named = options.replaces or options.corrects

    async def decide(
        self,
        sha256: str | None,
        listed: Mapping[str, int] | None,
        *,
        counts: Counts | None = None,
        lock: bool = False,
    ) -> Decision:
        """With `lock`, every row that the decision rests on is ours to the end of the transaction.
        `counts` is None before the feed was read.

        Raises OrderUnknown, LeaseLost.
        """
        known, versions = await self._locked() if lock else await self._seen()
        own = known.get(self._feed.feed_id)
        if own is None:
            raise LeaseLost(f"feed {self._feed.feed_id} vanished")
        return succession(
            own,
            self._options,
            named=known.get(self._named) if self._named else None,
            versions=[known[feed_id] for feed_id in sorted(versions) if feed_id in known],
            same_content=await self.same_content(sha256) if sha256 else None,
            listed=listed,
            rows=await self._corrected(own, counts) if counts else None,
        )

    async def _corrected(self, own: KnownFeed, counts: Counts) -> CorrectedRows:
        """Only a feed that was applied once can have been corrected."""
        session, corrects = self._session, self._options.corrects
        before = await rows_brought(session, corrects, own.feed_id) if corrects else 0
        corrected = await rows_brought(session, own.feed_id, own.feed_id) if own.has_applied else 0
        return CorrectedRows(counts.rows_accepted, counts.rows_rejected, before, corrected)

    async def _versions(self) -> set[UUID]:
        """Other contents of the same key."""
        if not self._feed.is_dropped:
            return set()
        rows = await self._session.rows(_VERSIONS, (self._feed.ref.bucket, self._feed.ref.key))
        return {UUID(row["feed_id"]) for row in rows} - {self._feed.feed_id}

    def _concerned(self, versions: set[UUID]) -> set[UUID]:
        return {self._feed.feed_id, *versions} | ({self._named} if self._named else set())

    async def _seen(self) -> tuple[dict[UUID, KnownFeed], set[UUID]]:
        versions = await self._versions()
        return await self._read(self._concerned(versions)), versions

    async def _locked(self) -> tuple[dict[UUID, KnownFeed], set[UUID]]:
        """In the order of their ids. A version that was recorded meanwhile may have ended before our lock was there:
        so the list is asked for again until nothing is new. One that is recorded later waits for our row."""
        versions = await self._versions()
        for _ in range(_ROUNDS):
            known = await self._read(self._concerned(versions), lock=True)
            more = await self._versions()
            if more <= versions:
                return known, versions
            versions |= more
        raise LeaseLost("other versions of the object keep coming")

    async def _read(self, ids: set[UUID], *, lock: bool = False) -> dict[UUID, KnownFeed]:
        keys = sorted(str(feed_id) for feed_id in ids)
        sql = _BY_IDS.format(columns=_COLUMNS, places=", ".join(["%s"] * len(keys)))
        rows: Sequence[Row] = await self._session.rows(sql + (" FOR UPDATE" if lock else ""), keys)
        return {feed.feed_id: feed for feed in map(known_feed, rows)}

    async def same_content(self, sha256: str) -> KnownFeed | None:
        feed = self._feed
        arguments = (feed.seller_id, feed.feed_type.value, sha256, str(feed.feed_id))
        row = await self._session.row(_SAME_CONTENT.format(columns=_COLUMNS), arguments)
        return known_feed(row) if row else None


def known_feed(row: Row) -> KnownFeed:
    return KnownFeed(
        feed_id=UUID(row["feed_id"]),
        seller_id=row["seller_id"],
        feed_type=FeedType(row["feed_type"]),
        status=ProcessingStatus(row["standing"]),
        counts=bool(row["counts_now"]),
        place=VersionPlace(
            row["object_version"], row["object_sequencer"], row["object_modified_at"], row["started_at"]
        ),
        replaced_by=UUID(row["replaced_by"]) if row["replaced_by"] else None,
        duplicate_of=UUID(row["duplicate_of"]) if row["duplicate_of"] else None,
        withdrawn=row["withdrawn_at"] is not None,
        rows_received=row["rows_received"],
        rows_rejected=row["rows_rejected"],
    )
