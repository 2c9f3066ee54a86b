"""Work that may only go on while its lease does."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

import structlog

from services.aggregator.errors import LeaseLost, Outage

log = structlog.get_logger(__name__)

Result = TypeVar("Result")


class HeldLease:
    """Renews a lease during every piece of work that is done under it, and ends the work if the lease is lost.

    A store that does not answer is asked again at the next beat: should the lease run out meanwhile and another
    worker take it, the renewal after that says so, and the fence keeps ours from being stored in any case.
    """

    def __init__(self, renew: Callable[[], Awaitable[None]], every_seconds: float) -> None:
        self._renew = renew
        self._every_seconds = every_seconds
        self._due = asyncio.get_running_loop().time() + every_seconds

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
            for task in (working, beating):
                task.cancel()
            await asyncio.wait({working, beating})

    async def _beat(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(max(0.0, self._due - loop.time()))
            self._due = loop.time() + self._every_seconds
            try:
                async with asyncio.timeout(self._every_seconds):
                    await self._renew()
            except (Outage, TimeoutError) as error:
                log.warning("lease.not_renewed", error=str(error))
