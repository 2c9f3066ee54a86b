"""What the tables hold, for assertions, and the promises that must hold of them at any time."""

import json
import warnings
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from pymysql.err import MySQLError

from services.aggregator.ports import Contribution, ContributionBatches
from services.aggregator.rules.feed_identity import FeedIdentity, ObjectFacts, ObjectRef, identify
from services.aggregator.rules.feed_outcome import Conclusion
from services.aggregator.rules.work_order import WORK_ORDER
from shared.runtime.mysql import MySqlPool, Row
from shared.schemas.events import FEED_EVENT, FeedEvent
from shared.schemas.feeds import Counts, ProcessingStatus, Recognised
from shared.schemas.issues import IssueTotal, Severity

_SUMS = "SUM(quantity) AS quantity, SUM(amount) AS amount, SUM(revenue) AS revenue, SUM(transactions) AS transactions"
_GROUP = "seller_id, sale_date, product_id, product_name, category, currency"


def contribution(
    name: str, transactions: int = 1, money: str = "10.0000", day: date = date(2026, 11, 1)
) -> Contribution:
    return Contribution(
        sale_date=day,
        product_id="",
        product_name=name,
        category="",
        currency="",
        quantity=2 * transactions,
        amount=Decimal(money),
        revenue=Decimal(money),
        transactions=transactions,
    )


class Records:
    """Reads the aggregator's tables."""

    def __init__(self, pool: MySqlPool) -> None:
        self.pool = pool

    async def rows(self, sql: str, *arguments: object) -> list[Row]:
        async with self.pool.session() as session:
            return await session.rows(sql, arguments)

    async def change(self, sql: str, *arguments: object) -> int:
        async with self.pool.session() as session:
            return await session.change(sql, arguments)

    async def feed(self, feed_id: UUID) -> Row:
        [row] = await self.rows("SELECT * FROM feeds WHERE feed_id = %s", str(feed_id))
        return row

    async def events(self) -> list[FeedEvent]:
        """What is announced, work orders left out."""
        rows = await self.rows("SELECT body FROM outbox WHERE event_type <> %s ORDER BY id", WORK_ORDER)
        return [FEED_EVENT.validate_json(row["body"]) for row in rows]

    async def events_of(self, feed_id: UUID) -> list[FeedEvent]:
        return [event for event in await self.events() if event.feed_id == feed_id]

    async def totals(self) -> dict[str, Row]:
        return {row["product_name"]: row for row in await self.rows("SELECT * FROM totals")}

    async def expire_lease(self, feed_id: UUID) -> None:
        await self.change(
            "UPDATE feeds SET lease_expires_at = TIMESTAMPADD(SECOND, -1, UTC_TIMESTAMP(6)) WHERE feed_id = %s",
            str(feed_id),
        )

    async def kill_other_sessions(self) -> None:
        """As a server that restarts, or a network that drops connections, would end them."""
        async with self.pool.session() as session:
            [own] = await session.rows("SELECT CONNECTION_ID() AS id")
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # MySQL 9 calls it deprecated; MariaDB has nothing else
                others = await session.rows("SHOW PROCESSLIST")
            for other in others:
                if other["Id"] != own["id"]:
                    with suppress(MySQLError):  # it ended by itself
                        await session.change("KILL %s", (other["Id"],))

    async def history(self, feed_id: UUID) -> list[str]:
        """The steps of a feed's life, oldest first."""
        rows = await self.rows("SELECT event FROM feed_history WHERE feed_id = %s ORDER BY id", str(feed_id))
        return [row["event"] for row in rows]

    async def assert_books_close(self, seller_id: str = "%") -> None:
        """P1, over everything that is stored; and P3: every change is announced once, in order, as it is stored.

        `seller_id` picks the feeds that are looked at one by one; totals are everybody's.
        """
        for feed in await self.rows("SELECT * FROM feeds WHERE seller_id LIKE %s", seller_id):
            counted = [feed[f"rows_{part}"] for part in ("accepted", "rejected", "duplicate", "skipped")]
            assert feed["rows_received"] == sum(counted), feed
            [added] = await self.rows(
                "SELECT COALESCE(SUM(transactions), 0) AS n FROM contributions WHERE feed_id = %s", feed["feed_id"]
            )
            assert added["n"] == (feed["rows_accepted"] if feed["counted_sha256"] else 0), feed
            if feed["processing_status"] == "DONE":
                uncounted = feed["replaced_by"] or feed["withdrawn_at"] or feed["duplicate_of"]
                assert bool(feed["counted_sha256"]) != bool(uncounted), feed
            await self._assert_announced(feed)
        by_feeds = await self.rows(f"SELECT {_GROUP}, {_SUMS} FROM contributions GROUP BY {_GROUP} ORDER BY {_GROUP}")  # noqa: S608
        in_totals = await self.rows(f"SELECT {_GROUP}, {_SUMS} FROM totals GROUP BY {_GROUP} ORDER BY {_GROUP}")  # noqa: S608
        assert in_totals == by_feeds

    async def _assert_announced(self, feed: Row) -> None:
        entries = await self.rows(
            "SELECT event_type, body FROM outbox WHERE feed_id = %s AND event_type <> %s ORDER BY sequence",
            feed["feed_id"],
            WORK_ORDER,
        )
        told = [entry["event_type"] for entry in entries]
        outcomes = [entry for entry in entries if entry["event_type"] in ("FeedProcessed", "FeedFailed")]
        status = feed["processing_status"]
        ends = len(outcomes) + told.count("FeedReprocessFailed") + told.count("FeedCancelled")
        steps = await self.history(UUID(feed["feed_id"]))
        # A reprocessing that was called off, or that a replacement cut short, has no end of its own.
        assert ends <= feed["runs"], (feed, told)
        if status in ("DONE", "FATAL") and feed["runs"] == 1:
            assert len(outcomes) == 1, (feed, told)
        if outcomes and status in ("DONE", "FATAL"):
            self._assert_same_counts(feed, json.loads(outcomes[-1]["body"])["counts"])
        assert told.count("FeedReplaced") == (1 if feed["replaced_by"] and status != "CANCELLED" else 0), (feed, told)
        assert bool(told.count("FeedWithdrawn")) == ("withdrawn" in steps), (feed, told)
        assert (status == "CANCELLED") <= (told[-1:] == ["FeedCancelled"]), (feed, told)

    @staticmethod
    def _assert_same_counts(feed: Row, counts: dict[str, Any]) -> None:
        assert {name: feed[name] for name in counts} == counts


def dropped(key: str, version: str = "v1", **metadata: str) -> FeedIdentity:
    """The feed that an object of this name is."""
    ref = ObjectRef("uploads", key, version, "etag")
    named = {name.replace("_", "-"): value for name, value in metadata.items()}
    facts = ObjectFacts(ref=ref, size_bytes=10, last_modified=datetime(2026, 11, 1, 12, tzinfo=UTC), metadata=named)
    return identify(ref, facts, "house")[0]


def done(*groups: Contribution, sha256: str = "a" * 64, rejected: int = 0) -> Conclusion:
    """A feed that was read well, but for some rows."""
    accepted = sum(group.transactions for group in groups)
    told = (IssueTotal(code="validation/invalid_quantity", severity=Severity.ERROR, rows=rejected),) if rejected else ()
    return Conclusion(
        status=ProcessingStatus.DONE,
        counts=Counts(rows_received=accepted + rejected, rows_accepted=accepted, rows_rejected=rejected),
        sha256=sha256,
        recognised=Recognised(format="csv", layout="headerless"),
        issue_totals=told,
    )


def in_batches(*groups: Contribution, size: int = 2) -> ContributionBatches:
    """As the flow hands them to the ledger."""

    async def batches() -> AsyncIterator[list[Contribution]]:
        for start in range(0, len(groups), size):
            yield list(groups[start : start + size])

    return batches
