"""Work that may only go on while its lease does, and that shows how far it is."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

import structlog

from services.aggregator.errors import LeaseLost, Outage
from services.aggregator.rules.reading_progress import Progress, ReadingProgress

log = structlog.get_logger(__name__)

Result = TypeVar("Result")

SHOWN_EVERY_SECONDS = 0.5
"""How often progress is written at most; what ends sooner shows none."""

CANCEL_AGAIN_SECONDS = 5.0
"""Longer than a cancelled statement needs to be ended in its server."""


class HeldLease:
    """Renews a lease during every piece of work that is done under it, and ends the work if the lease is lost.

    Every renewal tells how far the work is; where it has moved on, the renewal comes before the lease needs it.

    A store that does not answer is asked again at the next beat: should the lease run out meanwhile and another
    worker take it, the renewal after that says so, and the fence keeps ours from being stored in any case.
    """

    def __init__(
        self,
        renew: Callable[[Progress], Awaitable[None]],
        every_seconds: float,
        progress: ReadingProgress | None = None,
        shown_every_seconds: float = SHOWN_EVERY_SECONDS,
        take_for_commit: Callable[[Progress], Awaitable[None]] | None = None,
    ) -> None:
        """`take_for_commit` renews it for as long as a commit may take."""
        self._renew = renew
        self._take_for_commit = take_for_commit or renew
        self._every_seconds = every_seconds
        self._progress = progress or ReadingProgress()
        self._shown = self._progress.now
        self._look_every = min(shown_every_seconds, every_seconds)
        now = asyncio.get_running_loop().time()
        self._due = now + every_seconds
        self._next_look = self._first_look = now + self._look_every

    async def during(self, work: Coroutine[Any, Any, Result]) -> Result:
        """The result of `work`. Raises LeaseLost, once `work` has taken notice of its cancellation."""
        working = asyncio.create_task(work)
        beating = asyncio.create_task(self._beat())
        try:
            await asyncio.wait({working, beating}, return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                return working.result()
            beating.result()
            raise LeaseLost
        finally:
            await _end({working, beating})

    async def _beat(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(max(0.0, self._next_look - loop.time()))
            self._next_look = loop.time() + self._look_every
            progress = self._progress.now
            if progress == self._shown and loop.time() + self._look_every / 2 < self._due:
                continue
            await self._show(progress, self._renew)

    async def before_commit(self, *, is_quick: bool = False) -> None:
        """Takes it for as long as the commit may last, which comes without renewals, and shows what was not shown yet.
        Raises LeaseLost.

        For what `is_quick` nothing happens in the first moments, in which most feeds end: the lease is fresh, and it
        would cost each of them a statement.
        """
        if not is_quick or asyncio.get_running_loop().time() >= self._first_look:
            await self._show(self._progress.now, self._take_for_commit)

    async def _show(self, progress: Progress, renew: Callable[[Progress], Awaitable[None]]) -> None:
        self._due = asyncio.get_running_loop().time() + self._every_seconds
        try:
            async with asyncio.timeout(self._every_seconds):
                await renew(progress)
            self._shown = progress
        except (Outage, TimeoutError) as error:
            log.warning("lease.not_renewed", error=str(error))


async def _end(tasks: set["asyncio.Task[Any]"]) -> None:
    """Cancels until it is noticed: one cancellation may be lost in a library, as in asyncio.wait_for up to Python 3.11,
    and a lease that is renewed for ever would keep its feed from everybody."""
    while tasks:
        for task in tasks:
            task.cancel()
        _, tasks = await asyncio.wait(tasks, timeout=CANCEL_AGAIN_SECONDS)
