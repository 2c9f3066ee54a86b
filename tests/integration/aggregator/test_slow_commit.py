"""A commit of any length: the feed stays its worker's, and is shown so, to its end or to its bound."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy.dialects import mysql

from services.aggregator.adapters.mysql_contributions import MySqlContributions
from services.aggregator.adapters.mysql_feeds import MySqlFeeds
from services.aggregator.adapters.mysql_ledger import MySqlLedger
from services.aggregator.apply_feed import ApplyFeed, Finished
from services.aggregator.errors import Outage
from services.aggregator.feed_work import Limits, Ports
from services.aggregator.ports import ContributionBatches
from services.aggregator.rules.feed_identity import ObjectRef
from services.aggregator.rules.feed_lease import Claimed, HeldElsewhere
from services.query.adapters.mysql_feeds import shown_status
from shared.runtime.mysql import MySqlPool, MySqlSession
from shared.schemas.feeds import FeedType, ProcessingStatus
from tests.flow.aggregator.world import World, open_world
from tests.integration.aggregator.records import Records
from tests.waiting import until

LEASE_SECONDS = 1.0
SHOWN = str(shown_status().compile(dialect=mysql.dialect(), compile_kwargs={"literal_binds": True}))


class GatedContributions(MySqlContributions):
    """The transaction stays open, and holds the feed's row, until the gate opens."""

    def __init__(self, gate: asyncio.Event) -> None:
        super().__init__()
        self._gate = gate
        self.reached = asyncio.Event()

    async def insert(self, session: MySqlSession, claim: Claimed, batches: ContributionBatches) -> None:
        self.reached.set()
        await self._gate.wait()
        await super().insert(session, claim, batches)


@asynccontextmanager
async def committing(
    pool: MySqlPool, work_dir: Path, gate: asyncio.Event, limits: Limits
) -> AsyncIterator[tuple[World, ApplyFeed, ObjectRef, asyncio.Task[object]]]:
    """A feed in the middle of its commit."""
    async with open_world(work_dir) as world:
        contributions = GatedContributions(gate)
        ports = Ports(
            uploads=world.uploads,
            receipts=world.receipts,
            error_bucket=world.error_bucket,
            feeds=MySqlFeeds(pool, LEASE_SECONDS),
            ledger=MySqlLedger(pool, contributions),
            readers={FeedType.TRANSACTIONS: world.reader},
        )
        apply = ApplyFeed(
            ports,
            world.threads,
            limits,
            work_dir=work_dir,
            worker="w1",
            default_seller_id="house",
            committed=lambda: None,
        )
        ref = world.uploads.put("acme/a.csv", b"shirt,2\nsock,1\n")
        applying: asyncio.Task[object] = asyncio.create_task(apply(ref))
        try:
            async with asyncio.timeout(10):
                await contributions.reached.wait()
            yield world, apply, ref, applying
        finally:
            applying.cancel()
            await asyncio.wait({applying})


LIMITS = Limits(max_feed_bytes=1_000_000, lease_seconds=LEASE_SECONDS, contribution_batch=2, commit_seconds=30)


async def test_a_feed_is_shown_in_progress_while_it_is_committed_however_long(
    pool: MySqlPool, records: Records, tmp_path: Path
) -> None:
    gate = asyncio.Event()
    async with committing(pool, tmp_path, gate, LIMITS) as (_, apply, ref, applying):
        shown: set[str] = set()

        async def lease_would_be_over() -> bool:
            sql = f"SELECT {SHOWN} AS shown, started_at < UTC_TIMESTAMP(6) - INTERVAL 2 SECOND AS is_over FROM feeds"  # noqa: S608 - our own words
            [row] = await records.rows(sql)
            shown.add(row["shown"])
            return bool(row["is_over"])

        await until(lease_would_be_over)
        assert isinstance(await apply(ref), HeldElsewhere), "nor does another worker take it"
        gate.set()
        assert await applying == Finished()
    assert shown == {ProcessingStatus.IN_PROGRESS}
    await records.assert_books_close()


async def test_a_commit_that_takes_too_long_is_given_up_before_its_lease_ends(
    pool: MySqlPool, records: Records, tmp_path: Path
) -> None:
    limits = replace(LIMITS, commit_seconds=0.3)
    async with committing(pool, tmp_path, asyncio.Event(), limits) as (_, _, _, applying):
        with pytest.raises(Outage, match="the commit took longer"):
            async with asyncio.timeout(15):
                await applying
    [row] = await records.rows("SELECT processing_status, lease_expires_at FROM feeds")
    assert (row["processing_status"], row["lease_expires_at"]) == ("IN_QUEUE", None), "given back"
    assert await records.rows("SELECT * FROM contributions") == []
