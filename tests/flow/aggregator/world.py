"""All stand-ins together, and the flow on top."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from services.aggregator.apply_feed import ApplyFeed
from services.aggregator.feed_work import Limits, Ports
from services.aggregator.threaded_reading import ReadingThreads
from shared.schemas.feeds import FeedType
from tests.flow.aggregator.line_reader import LineReader
from tests.flow.aggregator.memory_buckets import MemoryErrorBucket, MemoryReceipts, MemoryUploads
from tests.flow.aggregator.memory_store import MemoryStore, Stored
from tests.flow.aggregator.steps import Step


@dataclass
class World:
    """All of it, and the flow on top. `flow()` makes another worker on the same stores."""

    work_dir: Path
    uploads: MemoryUploads = field(default_factory=MemoryUploads)
    receipts: MemoryReceipts = field(default_factory=MemoryReceipts)
    error_bucket: MemoryErrorBucket = field(default_factory=MemoryErrorBucket)
    store: MemoryStore = field(default_factory=MemoryStore)
    reader: LineReader = field(default_factory=LineReader)
    limits: Limits = field(default_factory=lambda: Limits(1_000_000, 60.0, 2))
    wakes: int = 0
    threads: ReadingThreads = field(default_factory=lambda: ReadingThreads(2))

    def flow(self, worker: str = "w1") -> ApplyFeed:
        ports = Ports(
            uploads=self.uploads,
            receipts=self.receipts,
            error_bucket=self.error_bucket,
            feeds=self.store,
            ledger=self.store,
            readers={FeedType.TRANSACTIONS: self.reader},
        )
        return ApplyFeed(
            ports,
            self.threads,
            self.limits,
            work_dir=self.work_dir,
            worker=worker,
            default_seller_id="house",
            committed=self._wake,
        )

    def at_every_step(self, step: Step) -> None:
        for part in (self.uploads, self.receipts, self.error_bucket, self.store, self.reader):
            part.at = step

    def only(self) -> Stored:
        [row] = self.store.rows.values()
        return row

    def _wake(self) -> None:
        self.wakes += 1


@asynccontextmanager
async def open_world(work_dir: Path, **parts: object) -> AsyncIterator[World]:
    world = replace(World(work_dir), **parts)  # type: ignore[arg-type] # fields by name
    try:
        yield world
    finally:
        world.threads.close()
