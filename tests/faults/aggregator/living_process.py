"""One aggregator process of a run: the real worker loop, flows and adapters, on AWS in memory and a real database."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from services.aggregator.adapters.mysql_feed_changes import MySqlFeedChanges
from services.aggregator.adapters.mysql_feeds import MySqlFeeds
from services.aggregator.adapters.mysql_ledger import MySqlLedger
from services.aggregator.adapters.mysql_outbox import MySqlOutbox
from services.aggregator.adapters.s3_error_bucket import S3ErrorBucket
from services.aggregator.adapters.s3_receipts import S3Receipts
from services.aggregator.adapters.s3_uploads import S3Uploads
from services.aggregator.adapters.sns_feed_events import SnsFeedEvents
from services.aggregator.adapters.sqs_work_orders import SqsWorkOrders
from services.aggregator.apply_feed import ApplyFeed
from services.aggregator.change_feed import ChangeFeed
from services.aggregator.feed_work import Limits, Ports
from services.aggregator.outbox_routes import OutboxRoutes
from services.aggregator.ports import FeedReader
from services.aggregator.relay_events import RelayEvents
from services.aggregator.threaded_reading import ReadingThreads
from services.aggregator.worker import FeedUploads, sender_of
from shared.runtime.retry_policy import Backoff
from shared.runtime.sqs_worker import SqsWorker
from shared.runtime.worker_limits import Sharing, WorkerLimits
from shared.schemas.feeds import FeedType
from tests.faults.aggregator.faulty_database import FaultyPool, Kill
from tests.faults.aggregator.hurried_loop import HURRY
from tests.faults.aggregator.memory_s3 import Buckets, MemoryS3
from tests.faults.aggregator.memory_topic_and_queues import MemorySns, MemorySqs, Queues, Topic
from tests.faults.aggregator.planted_faults import Faults, Life, Moments
from tests.flow.aggregator.line_reader import LineReader

LEASE_SECONDS = 60.0
"""Longer than a run: leases run out when the run says so."""

CALL_SECONDS = 200.0


@dataclass
class Outside:
    """What stays when a process dies, and what strikes it. `engine`: the real reader, else lines are read."""

    url: str
    work_dir: Path
    buckets: Buckets
    queues: Queues
    topic: Topic
    faults: Faults
    moments: Moments
    engine: FeedReader | None
    kill: Kill
    leases_run_out: Callable[[str], Awaitable[None]]

    async def time_passes(self, worker: str) -> None:
        """What that worker holds is free for others: its messages are visible, its leases are over."""
        self.queues.let_go(worker)
        await self.leases_run_out(worker)


@dataclass
class LivingProcess:
    """Its worker and its relay run; `changes` is what people call."""

    life: Life
    changes: ChangeFeed


@asynccontextmanager
async def open_process(outside: Outside, name: str, rng: Random) -> AsyncIterator[LivingProcess]:
    """Ends as its life did: at once if it crashed, else cleanly, as SIGTERM has it."""
    life = Life(name, outside.faults, outside.moments, outside.time_passes)
    pool = FaultyPool(outside.url, life, outside.kill)
    threads = ReadingThreads(2)
    s3: Any = MemoryS3(outside.buckets, life)
    sns: Any = MemorySns(outside.topic, life)
    sqs: Any = MemorySqs(outside.queues, life)
    receipts = S3Receipts(s3, "receipts")
    relay = RelayEvents(
        MySqlOutbox(pool),
        OutboxRoutes(SnsFeedEvents(sns, "topic", CALL_SECONDS), SqsWorkOrders(sqs, "uploads", CALL_SECONDS)),
        poll_seconds=5.0,
        keep_seconds=1_000_000,
        backoff=Backoff(0.2, 1.0),
    )
    apply = ApplyFeed(
        Ports(
            # Some bring a small object along with its description, others have to come for its bytes.
            uploads=S3Uploads(s3, at_once_bytes=rng.choice([0, 1_000_000])),
            receipts=receipts,
            error_bucket=S3ErrorBucket(s3, "errors"),
            feeds=MySqlFeeds(pool, LEASE_SECONDS),
            ledger=MySqlLedger(pool),
            readers={FeedType.TRANSACTIONS: outside.engine or LineReader(at=life.at_in_thread)},
        ),
        threads,
        Limits(1_000_000, LEASE_SECONDS * HURRY, rng.choice([2, 1_000])),
        work_dir=outside.work_dir,
        worker=name,
        default_seller_id="house",
        committed=relay.wake,
    )
    worker = SqsWorker(
        sqs,
        "uploads",
        FeedUploads(apply),
        WorkerLimits(
            concurrency=rng.randint(1, 3),
            visibility=4,
            poll=1,
            grace=rng.choice([0.0, 5.0]),
            backoff=Backoff(0.2, 1.0),
            prefetch=rng.choice([0, 2]),
        ),
        dlq_url="dead",
        sharing=Sharing(sender_of, "overflow"),
    )
    running = [asyncio.create_task(worker.run()), asyncio.create_task(relay.run())]
    try:
        yield LivingProcess(life, ChangeFeed(MySqlFeedChanges(pool), receipts, relay.wake))
        if not life.dead:
            worker.stop()
            relay.stop()
            await asyncio.wait(running)
    finally:
        life.dead = True
        await _end(running, worker)
        threads.close()
        await pool.close()


async def _end(running: "list[asyncio.Task[None]]", worker: SqsWorker) -> None:
    """The operating system's way: nothing of it runs any further."""
    tasks = [*running, *worker._in_work]
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks)
