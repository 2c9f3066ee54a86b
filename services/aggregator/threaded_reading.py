"""Reading, which is CPU-heavy and blocking, away from the event loop: in a few threads of its own."""

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import structlog

from services.aggregator.errors import Outage, ReadingHangs
from services.aggregator.ports import Contribution, FeedReader, ReadFeed, ReadRequest

log = structlog.get_logger(__name__)

Result = TypeVar("Result")


class ReadingThreads:
    """At most `threads` feeds are read at once. A thread cannot be interrupted: one whose feed was given up finishes
    by itself, and keeps its place until then.

    Nothing is waited for longer than `seconds`, places included: then Outage is raised, and while a thread that was
    given up so goes on, `check` fails.
    """

    def __init__(self, threads: int, seconds: float = 3_600.0) -> None:
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="reading")
        self._seconds = seconds
        self._hanging: set[Future[Any]] = set()

    async def check(self) -> None:
        """Raises ReadingHangs: only a new process gets the places back."""
        if self._hanging:
            raise ReadingHangs(f"{len(self._hanging)} reading threads hang")

    async def read(self, reader: FeedReader, path: Path, request: ReadRequest) -> ReadFeed:
        """The feed that was read; the caller closes it. If the caller is cancelled meanwhile, the thread does."""
        reading = self._threads.submit(reader.read, path, request)
        try:
            return await self._in_time(reading)
        except (asyncio.CancelledError, Outage):
            reading.add_done_callback(_close_unwanted)
            raise

    async def call(self, blocking: Callable[..., Result], *arguments: object) -> Result:
        return await self._in_time(self._threads.submit(blocking, *arguments))

    async def _in_time(self, running: "Future[Result]") -> Result:
        waiting = asyncio.wrap_future(running)
        # So that asyncio does not complain of what nobody waits for any more.
        waiting.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
        try:
            # wait() neither cancels it nor raises what it raises.
            done, _ = await asyncio.wait({waiting}, timeout=self._seconds)
        except asyncio.CancelledError:
            running.cancel()
            raise
        if done:
            return waiting.result()
        if not running.cancel():
            self._hanging.add(running)
            running.add_done_callback(self._hanging.discard)
        log.error("feed.reading_hangs", seconds=self._seconds)
        raise Outage(f"a reading thread did not end within {self._seconds:.0f} s")

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
