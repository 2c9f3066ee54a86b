"""Looks into the database, past all faults, at the very moment at which a message goes or an event is taken."""

import json
from contextlib import suppress
from urllib.parse import unquote_plus

from pymysql.err import MySQLError

from shared.runtime.mysql import MySqlPool
from tests.faults.aggregator.memory_topic_and_queues import Queues
from tests.faults.aggregator.random_world import GARBAGE, World

_ENDED = """
SELECT processing_status,
       (SELECT COUNT(*) FROM feed_history AS h
        WHERE h.feed_id = f.feed_id AND h.event = 'reprocess_requested') AS asked,
       (SELECT COUNT(*) FROM outbox AS o WHERE o.feed_id = f.feed_id AND o.event_type = 'ReprocessRequested'
                                           AND o.published_at IS NULL) AS ordered
FROM feeds AS f WHERE feed_id = %s"""

_HELD_BY = """
SELECT feed_id FROM feeds
WHERE seller_id IN ({places}) AND lease_owner LIKE %s AND processing_status = 'IN_PROGRESS' FOR UPDATE SKIP LOCKED"""

_AT_WORK = """
SELECT feed_id, processing_status, lease_owner, lease_expires_at, fence, attempts, UTC_TIMESTAMP(6) AS now FROM feeds
WHERE seller_id IN ({places}) AND processing_status IN ('IN_QUEUE', 'IN_PROGRESS')"""

_RUN_OUT = """
UPDATE feeds SET lease_expires_at = TIMESTAMPADD(SECOND, -1, UTC_TIMESTAMP(6)) WHERE feed_id IN ({places})"""


class PromisesAtWork:
    """`admin` is a pool that no fault strikes; `queues` is set once they are there."""

    queues: Queues

    def __init__(self, admin: MySqlPool, world: World) -> None:
        self._admin = admin
        self._world = world
        self._feed_of = {(feed.ref.key, feed.ref.version_id): str(feed.feed_id) for feed in world.feeds}
        self._minted = {feed.ref.key: str(feed.feed_id) for feed in world.feeds if feed.minted}

    def feeds_in(self, body: str) -> set[str]:
        """Ids of the feeds that a message is about."""
        items = [record["s3"]["object"] for record in json.loads(body).get("Records", []) if "s3" in record]
        named = [(unquote_plus(item["key"]), item.get("versionId")) for item in items]
        return {self._feed_of.get((key, version)) or self._minted[key] for key, version in named}

    async def may_delete(self, url: str, body: str) -> str | None:
        """P4: a message goes when the outcome of everything in it is stored, or when it is kept somewhere else."""
        if body in self.queues.bodies("dead", *(["overflow"] if url == "uploads" else [])):
            return None
        if body == GARBAGE:
            return "P4: garbage was dropped"
        for feed_id in self.feeds_in(body):
            async with self._admin.session() as session:
                row = await session.row(_ENDED, (feed_id,))
            if row is None:
                return f"P4: {feed_id} is not even recorded, and its message goes"
            if row["processing_status"] in ("DONE", "FATAL", "CANCELLED"):
                continue
            # Asked for anew since: then it had ended, or waited, and the work is ordered once more.
            others = sum(feed_id in self.feeds_in(other) for other in self.queues.bodies("uploads", "overflow"))
            if not (row["asked"] and (row["ordered"] or others > 1)):
                return f"P4: {feed_id} is {row['processing_status']}, and its message goes"
        return None

    async def may_announce(self, body: str) -> str | None:
        """P3: only what is committed, as it is stored, and never before its elder of the same feed."""
        event = json.loads(body)
        async with self._admin.session() as session:
            row = await session.row("SELECT body FROM outbox WHERE event_id = %s", (event["event_id"],))
            if row is None or row["body"] != body:
                return f"P3: announced, and not committed: {body}"
            elder = await session.row(
                "SELECT event_id FROM outbox WHERE feed_id = %s AND sequence < %s AND published_at IS NULL",
                (event["feed_id"], event["sequence"]),
            )
        return f"P3: announced before its elder {elder['event_id']}: {body}" if elder else None

    async def leases_run_out(self, worker: str = "%") -> None:
        """As if a minute had passed in which that worker, or every one, did nothing. Locked rows are spared."""
        sellers = self._world.sellers
        async with self._admin.transaction() as session:
            places = ", ".join(["%s"] * len(sellers))
            held = await session.rows(_HELD_BY.format(places=places), (*sellers, worker))
            ids = [row["feed_id"] for row in held]
            if ids:
                await session.change(_RUN_OUT.format(places=", ".join(["%s"] * len(ids))), ids)

    async def kill(self, thread_id: int) -> None:
        async with self._admin.session() as session:
            with suppress(MySQLError):  # it ended by itself
                await session.change("KILL %s", (thread_id,))

    async def waiting_in_outbox(self) -> int:
        """Entries of this run's feeds that are still to leave."""
        sellers = self._world.sellers
        places = ", ".join(["%s"] * len(sellers))
        sql = f"SELECT COUNT(*) AS n FROM outbox WHERE published_at IS NULL AND seller_id IN ({places})"  # noqa: S608
        async with self._admin.session() as session:
            [row] = await session.rows(sql, sellers)
        return int(row["n"])

    async def left_over(self) -> str:
        """What is not at rest, for whoever has to find out why."""
        places = ", ".join(["%s"] * len(self._world.sellers))
        async with self._admin.session() as session:
            feeds = await session.rows(_AT_WORK.format(places=places), self._world.sellers)
        told = [f"{await self.waiting_in_outbox()} events in the outbox", *map(str, feeds)]
        told += [f"{url}: {message}" for url in ("uploads", "overflow") for message in self.queues.held[url].values()]
        return "\n".join(told)

    async def rival(self, feed_ids: list[str]) -> None:
        """Somebody else's transaction, which locks these rows in an order of its own, and changes nothing."""
        with suppress(MySQLError):  # it may be the victim
            async with self._admin.transaction() as session:
                for feed_id in feed_ids:
                    await session.rows("SELECT feed_id FROM feeds WHERE feed_id = %s FOR UPDATE", (feed_id,))
                    await session.rows("SELECT quantity FROM totals WHERE seller_id = %s FOR UPDATE", (feed_id,))
