"""THE RELAY: what was committed is announced, in order per feed, at least once, whatever was down in between (P3)."""

import asyncio
from collections.abc import Callable

import structlog

from services.aggregator.errors import Outage
from services.aggregator.metrics import EVENTS_PUBLISHED, OUTBOX_LAG_SECONDS, OUTBOX_WAITING
from services.aggregator.outbox_ports import FeedEvents, Outbox
from shared.runtime.retry_policy import Backoff

log = structlog.get_logger(__name__)

BATCH_EVENTS = 10
GATHER_SECONDS = 0.2
"""Between two rounds of which the first was not full: feeds that end meanwhile share the next one."""
PURGE_EVENTS = 1_000
PURGE_EVERY_SECONDS = 60.0


class RelayEvents:
    """Runs beside the worker; any number of relays may run at once, also in other processes."""

    def __init__(
        self, outbox: Outbox, events: FeedEvents, *, poll_seconds: float, keep_seconds: float, backoff: Backoff
    ) -> None:
        self._outbox = outbox
        self._events = events
        self._poll_seconds = poll_seconds
        self._keep_seconds = keep_seconds
        self._backoff = backoff
        self._stopping = False
        self._woken = asyncio.Event()
        self._purge_due = 0.0

    def wake(self) -> None:
        """Something was committed."""
        self._woken.set()

    def stop(self) -> None:
        self._stopping = True
        self._woken.set()

    async def run(self) -> None:
        """Until stop(). An unforeseen failure is told, loudly, and does not end it: nobody else would announce."""
        failures = 0
        while not self._stopping:
            self._woken.clear()
            try:
                refused = await self._relay_all(until=lambda: self._stopping)
                await self._tidy()
            except Outage as error:
                failures += 1
                log.warning("relay.outage", error=str(error), failures=failures)
            except Exception as error:
                failures += 1
                log.exception("relay.failed", error=repr(error), failures=failures)
            else:
                failures = failures + 1 if refused else 0
            await self._rest(failures)

    async def drain(self, within_seconds: float) -> None:
        """Announce what is waiting now, for so long at most; what stays is the next relay's."""
        try:
            async with asyncio.timeout(within_seconds):
                await self._relay_all(until=lambda: False)
        except (Outage, TimeoutError) as error:
            log.warning("relay.not_drained", error=repr(error))

    async def _relay_all(self, until: Callable[[], bool]) -> int:
        """Until nothing is waiting that can go, or `until()`; how many the topic refused in the last round."""
        while True:
            relayed = await self._outbox.publish_next(self._events.publish, BATCH_EVENTS)
            EVENTS_PUBLISHED.inc(relayed.published)
            if not relayed.published or until():
                return relayed.refused
            if relayed.published + relayed.refused < BATCH_EVENTS:
                await asyncio.sleep(GATHER_SECONDS)

    async def _tidy(self) -> None:
        backlog = await self._outbox.backlog()
        OUTBOX_WAITING.set(backlog.events)
        OUTBOX_LAG_SECONDS.set(backlog.oldest_seconds)
        now = asyncio.get_running_loop().time()
        if now >= self._purge_due:
            purged = await self._outbox.purge(self._keep_seconds, PURGE_EVENTS)
            # A full batch: there may be more, and the next round takes it.
            self._purge_due = now if purged == PURGE_EVENTS else now + PURGE_EVERY_SECONDS

    async def _rest(self, failures: int) -> None:
        """Until woken or the next look is due; after a failure a wake-up does not shorten the backoff."""
        if failures:
            delay = asyncio.get_running_loop().time() + self._backoff.delay(failures)
            while not self._stopping and (left := delay - asyncio.get_running_loop().time()) > 0:
                self._woken.clear()
                await self._wait(left)
        else:
            await self._wait(self._poll_seconds)

    async def _wait(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._woken.wait()
        except TimeoutError:
            return
