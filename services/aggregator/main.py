"""Wires the aggregator: settings → clients → adapters → flow → its two doors, the app here and lambda_handler."""

import os
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AbstractContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uuid_utils.compat as uuids
from fastapi import FastAPI

from services.aggregator.adapters.duckdb_feeds import DuckDbFeedReader
from services.aggregator.adapters.local_work_dir import work_dir
from services.aggregator.adapters.mysql_contributions import MySqlContributions
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
from services.aggregator.routes import router
from services.aggregator.settings import AggregatorSettings
from services.aggregator.threaded_reading import ReadingThreads
from services.aggregator.worker import FeedUploads, sender_of
from shared.runtime.app import build_app
from shared.runtime.aws import AwsClients
from shared.runtime.background import BackgroundLoops
from shared.runtime.dispositions import Handler
from shared.runtime.health import Check
from shared.runtime.mysql import MySqlLimits, MySqlPool
from shared.runtime.mysql_address import MySqlAddress
from shared.runtime.retry_policy import Backoff
from shared.runtime.sqs_worker import SqsWorker
from shared.runtime.worker_limits import Sharing, WorkerLimits
from shared.schemas.feeds import FeedType

LAST_EVENTS_SECONDS = 5.0
"""At the end, for announcing what the last feeds committed; the next process announces what remains."""


@dataclass(frozen=True, slots=True)
class Aggregator:
    """The flow and its relay, without a host: whoever opens it feeds messages to `handle`."""

    handle: Handler
    changes: ChangeFeed
    relay: RelayEvents
    checks: Mapping[str, Check]


OpenAggregator = Callable[[AggregatorSettings], AbstractAsyncContextManager[Aggregator]]


OpenReader = Callable[[AggregatorSettings, Path], AbstractContextManager[FeedReader]]


def open_engine(settings: AggregatorSettings, directory: Path) -> AbstractContextManager[FeedReader]:
    """The reading engine; what it spills to disk goes to `directory`."""
    return DuckDbFeedReader(
        directory,
        memory_limit_mb=settings.reader_memory_mb,
        threads=settings.reader_threads,
        max_bytes=settings.max_feed_bytes,
    )


@asynccontextmanager
async def open_aggregator(
    settings: AggregatorSettings, open_reader: OpenReader = open_engine
) -> AsyncIterator[Aggregator]:
    """Everything the flow needs. Opens no connection yet: a service starts while its stores are away."""
    aws = AwsClients(settings)
    async with AsyncExitStack() as opened:
        s3 = await opened.enter_async_context(aws.s3())
        sns = await opened.enter_async_context(aws.sns())
        sqs = await opened.enter_async_context(aws.sqs())
        pool = MySqlPool(
            MySqlAddress.parse(settings.database_url.get_secret_value()),
            _database_limits(settings),
            local_infile=settings.database_local_infile,
        )
        opened.push_async_callback(pool.close)
        scratch = opened.enter_context(work_dir(settings.work_dir))
        reader = opened.enter_context(open_reader(settings, scratch / "engine"))
        threads = ReadingThreads(settings.worker_concurrency, settings.read_seconds)
        opened.callback(threads.close)
        relay = RelayEvents(
            MySqlOutbox(pool),
            OutboxRoutes(
                SnsFeedEvents(sns, settings.feed_events_topic_arn, settings.publish_timeout_seconds),
                SqsWorkOrders(sqs, settings.feed_uploads_queue_url, settings.publish_timeout_seconds),
            ),
            poll_seconds=settings.relay_poll_seconds,
            keep_seconds=settings.outbox_keep_seconds,
            backoff=Backoff(settings.retry_base_seconds, settings.relay_retry_max_seconds),
        )
        receipts = S3Receipts(s3, settings.receipts_bucket)
        apply = ApplyFeed(
            Ports(
                uploads=S3Uploads(s3),
                receipts=receipts,
                error_bucket=S3ErrorBucket(s3, settings.error_bucket),
                feeds=MySqlFeeds(pool, settings.lease_seconds),
                ledger=MySqlLedger(pool, MySqlContributions(scratch, may_load=settings.database_local_infile)),
                readers={FeedType.TRANSACTIONS: reader},
            ),
            threads,
            Limits(
                settings.max_feed_bytes, settings.lease_seconds, settings.contribution_batch, settings.commit_seconds
            ),
            work_dir=scratch,
            worker=_worker_name(),
            default_seller_id=settings.default_seller_id,
            committed=relay.wake,
        )
        yield Aggregator(
            handle=FeedUploads(apply, settings.worker_max_receives),
            changes=ChangeFeed(MySqlFeedChanges(pool, settings.changes_at_once), receipts, committed=relay.wake),
            relay=relay,
            checks={
                "database": pool.ping,
                "reading": threads.check,
                "uploads": lambda: s3.head_bucket(Bucket=settings.uploads_bucket),
                "errors": lambda: s3.head_bucket(Bucket=settings.error_bucket),
                "receipts": lambda: s3.head_bucket(Bucket=settings.receipts_bucket),
            },
        )


def create_app(settings: AggregatorSettings | None = None, open_flow: OpenAggregator = open_aggregator) -> FastAPI:
    """The app whose lifespan consumes the queue and relays events. Settings come from the environment unless given."""
    settings = settings or AggregatorSettings()
    checks: dict[str, Check] = {}

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[dict[str, Any]]:
        async with open_flow(settings) as aggregator, AwsClients(settings).sqs(settings.poll_seconds) as sqs:
            worker = SqsWorker(
                sqs,
                settings.feed_uploads_queue_url,
                aggregator.handle,
                WorkerLimits.of(settings),
                dlq_url=settings.feed_uploads_dlq_url,
                sharing=Sharing(sender_of, settings.feed_overflow_queue_url) if settings.share_fairly else None,
            )
            loops = BackgroundLoops([worker, aggregator.relay], settings.shutdown_grace_seconds)
            async with loops.running():
                checks.update(aggregator.checks)
                checks["queue"] = lambda: sqs.get_queue_attributes(
                    QueueUrl=settings.feed_uploads_queue_url, AttributeNames=["QueueArn"]
                )
                checks["loops"] = loops.check
                yield {"changes": aggregator.changes}
            await aggregator.relay.drain(LAST_EVENTS_SECONDS)

    return build_app(
        title="aggregator",
        description="Applies feeds: reads, validates, aggregates and stores them, once, and announces how they ended."
        " Feeds arrive through the queue; what can be asked for here is to withdraw, cancel or reprocess one.",
        lifespan=lifespan,
        routers=[router],
        checks=lambda: checks,
    )


def _database_limits(settings: AggregatorSettings) -> MySqlLimits:
    return MySqlLimits(
        connections=settings.database_connections,
        connect=settings.database_connect_seconds,
        acquire=settings.database_acquire_seconds,
        statement=settings.database_statement_seconds,
        lock_wait=settings.database_lock_wait_seconds,
    )


def _worker_name() -> str:
    """Names this process in leases and events; a host may run several, one after another under the same pid."""
    return f"{socket.gethostname()[:60]}/{os.getpid()}/{uuids.uuid7().hex[-8:]}"
