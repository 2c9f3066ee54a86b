"""Reading, which is CPU-heavy and blocking, away from the event loop: in a few threads of its own."""

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import structlog

from services.aggregator.ports import Contribution, FeedReader, ReadFeed, ReadRequest

log = structlog.get_logger(__name__)

Result = TypeVar("Result")


class ReadingThreads:
    """At most `threads` feeds are read at once. A thread cannot be interrupted: one whose feed was given up finishes
    by itself, and keeps its place until then."""

    def __init__(self, threads: int) -> None:
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="reading")

    async def read(self, reader: FeedReader, path: Path, request: ReadRequest) -> ReadFeed:
        """The feed that was read; the caller closes it. If the caller is cancelled meanwhile, the thread does."""
        reading = self._threads.submit(reader.read, path, request)
        try:
            return await asyncio.shield(asyncio.wrap_future(reading))
        except asyncio.CancelledError:
            reading.add_done_callback(_close_unwanted)
            raise

    async def call(self, blocking: Callable[..., Result], *arguments: object) -> Result:
        return await asyncio.wrap_future(self._threads.submit(blocking, *arguments))

    async def batches(self, feed: ReadFeed, size: int) -> AsyncIterator[list[Contribution]]:
        batches = feed.contributions(size)
        while batch := await self.call(next, batches, None):
            yield batch
            if len(batch) < size:
                return  # the last one: not worth another trip to the threads

    async def discard(self, feed: ReadFeed) -> None:
        """Free what it holds, also if the caller is cancelled just now."""
        await asyncio.shield(self.call(feed.close))

    def close(self) -> None:
        """Does not wait for a feed that was given up; the interpreter does, at its end."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _close_unwanted(reading: "Future[ReadFeed]") -> None:
    if reading.cancelled():
        return
    if error := reading.exception():
        log.info("feed.reading_abandoned", error=repr(error))
    else:
        reading.result().close()
