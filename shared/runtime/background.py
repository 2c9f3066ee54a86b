"""Loops that run beside an app's routes: started in its lifespan, watched, and stopped with it (P8)."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import structlog

from shared.runtime.worker_limits import Worker

log = structlog.get_logger(__name__)

CANCEL_SECONDS = 5.0
"""How long a cancelled loop may take to let go."""


class BackgroundLoops:
    """Runs workers as tasks; a readiness check can ask whether they all still run."""

    def __init__(self, workers: Sequence[Worker], grace_seconds: float) -> None:
        self._workers = workers
        self._grace_seconds = grace_seconds
        self._tasks: list[asyncio.Task[None]] = []

    @asynccontextmanager
    async def running(self) -> AsyncIterator["BackgroundLoops"]:
        self._tasks = [asyncio.create_task(worker.run(), name=type(worker).__name__) for worker in self._workers]
        try:
            yield self
        finally:
            await self._stop()

    async def check(self) -> None:
        """Raises RuntimeError if a loop ended: a service whose worker died must not look healthy."""
        for task in self._tasks:
            if task.done():
                raise RuntimeError(f"{task.get_name()} is not running")

    async def _stop(self) -> None:
        for worker in self._workers:
            worker.stop()
        if not self._tasks:
            return
        # A little more than the workers' own grace, so that they release what they hold themselves.
        _, late = await asyncio.wait(self._tasks, timeout=self._grace_seconds + 15)
        for task in late:
            log.error("worker.cancelled", worker=task.get_name())
            task.cancel()
        if late:
            await asyncio.wait(late, timeout=CANCEL_SECONDS)
        for task in self._tasks:
            if task.done() and not task.cancelled() and (error := task.exception()):
                log.error("worker.died", worker=task.get_name(), error=repr(error))
