"""An aggregator process that can die at any step between receiving a message and deleting it."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from services.aggregator.adapters.mysql_feed_changes import MySqlFeedChanges
from services.aggregator.adapters.mysql_feeds import MySqlFeeds
from services.aggregator.adapters.mysql_ledger import MySqlLedger
from services.aggregator.adapters.mysql_outbox import MySqlOutbox
from services.aggregator.apply_feed import ApplyFeed
from services.aggregator.change_feed import ChangeFeed
from services.aggregator.feed_work import Limits, Ports
from services.aggregator.outbox_ports import OutboxEvent
from services.aggregator.outbox_routes import OutboxRoutes
from services.aggregator.relay_events import RelayEvents
from services.aggregator.threaded_reading import ReadingThreads
from services.aggregator.worker import FeedUploads
from shared.runtime.mysql import MySqlLimits, MySqlPool, MySqlSession, Row
from shared.runtime.mysql_address import MySqlAddress
from shared.runtime.retry_policy import Backoff
from shared.schemas.feeds import FeedType
from tests.flow.aggregator.line_reader import LineReader
from tests.flow.aggregator.memory_buckets import MemoryErrorBucket, MemoryReceipts, MemoryUploads


class Crash(BaseException):
    """The process is gone: nothing may catch this and go on."""


@dataclass
class Life:
    """Counts steps and dies at the one named, 0 meaning never; a dead process takes no further step."""

    dies_at: int = 0
    steps: list[str] = field(default_factory=list)
    dead: bool = False

    def step(self, name: str) -> None:
        if not self.dead:
            self.steps.append(name)
            self.dead = len(self.steps) == self.dies_at
        if self.dead:
            raise Crash(name)


class MortalSession(MySqlSession):
    """Dies before a statement is sent, or after it was carried out and before anybody hears of it."""

    def __init__(self, session: MySqlSession, life: Life) -> None:
        self._session = session
        self._life = life

    async def rows(self, sql: str, arguments: Sequence[object] = ()) -> list[Row]:
        self._life.step(f"before {_named(sql)}")
        return await self._session.rows(sql, arguments)

    async def change(self, sql: str, arguments: Sequence[object] = ()) -> int:
        self._life.step(f"before {_named(sql)}")
        changed = await self._session.change(sql, arguments)
        self._life.step(f"after {_named(sql)}")
        return changed

    async def later(self, sql: str, arguments: Sequence[object] = ()) -> None:
        self._life.step(f"before {_named(sql)}")
        await self._session.later(sql, arguments)

    async def rollback(self) -> None:
        self._life.step("before ROLLBACK")
        await self._session.rollback()


class MortalPool(MySqlPool):
    def __init__(self, url: str, life: Life) -> None:
        super().__init__(MySqlAddress.parse(url), MySqlLimits(connections=6, lock_wait=2))
        self._life = life

    @asynccontextmanager
    async def session(self) -> AsyncIterator[MySqlSession]:
        async with super().session() as session:
            yield MortalSession(session, self._life)


@dataclass
class Topic:
    """Outlives the processes that publish to it."""

    taken: list[OutboxEvent] = field(default_factory=list)


class MortalTopic:
    def __init__(self, topic: Topic, life: Life) -> None:
        self._topic = topic
        self._life = life

    async def publish(self, events: Sequence[OutboxEvent]) -> frozenset[int]:
        self._life.step("before publish")
        self._topic.taken += events
        self._life.step("after publish")
        return frozenset(event.outbox_id for event in events)


@dataclass
class Outside:
    """What stays when a process dies."""

    url: str
    work_dir: Path
    uploads: MemoryUploads = field(default_factory=MemoryUploads)
    error_bucket: MemoryErrorBucket = field(default_factory=MemoryErrorBucket)
    receipts: MemoryReceipts = field(default_factory=MemoryReceipts)
    topic: Topic = field(default_factory=Topic)
    work_orders: Topic = field(default_factory=Topic)


@dataclass
class Process:
    """`handle` takes queue messages; `changes` is asked by people; `relay` announces, and orders work."""

    handle: FeedUploads
    changes: ChangeFeed
    relay: RelayEvents
    reader: LineReader


@asynccontextmanager
async def process(outside: Outside, life: Life, *, name: str = "w1", lease: float = 60) -> AsyncIterator[Process]:
    """One process on what is outside; real adapters on the database."""
    pool = MortalPool(outside.url, life)
    threads = ReadingThreads(2)
    reader = LineReader(at=life.step)
    outside.uploads.at = outside.error_bucket.at = life.step
    relay = RelayEvents(
        MySqlOutbox(pool),
        OutboxRoutes(MortalTopic(outside.topic, life), MortalTopic(outside.work_orders, life)),
        poll_seconds=0.05,
        keep_seconds=3_600,
        backoff=Backoff(0.01, 0.05),
    )
    apply = ApplyFeed(
        Ports(
            uploads=outside.uploads,
            receipts=outside.receipts,
            error_bucket=outside.error_bucket,
            feeds=MySqlFeeds(pool, lease),
            ledger=MySqlLedger(pool),
            readers={FeedType.TRANSACTIONS: reader},
        ),
        threads,
        Limits(1_000_000, lease, 2),
        work_dir=outside.work_dir,
        worker=name,
        default_seller_id="house",
        committed=relay.wake,
    )
    try:
        changes = ChangeFeed(MySqlFeedChanges(pool), outside.receipts, relay.wake)
        yield Process(FeedUploads(apply), changes, relay, reader)
    finally:
        threads.close()
        await pool.close()


def _named(sql: str) -> str:
    words = sql.split()
    return " ".join(words[:3])
