"""The long-polling loop that every queue consumer runs: bounded, patient, fair to senders, and clean when it stops.

receive (no more than there are slots and places to wait)
  → wait for a slot, senders taking turns (waiting_room.py); hidden meanwhile, as while it is worked on
  → handler(message)
  → Done: delete · Retry: hide for a while · Reject: move to the dead-letter queue
an exception is a Retry with backoff: no message is ever deleted before its outcome is stored (P4)
"""

import asyncio
from collections.abc import Awaitable
from typing import TYPE_CHECKING

import structlog

from shared.runtime.aws import AWS_OUTAGES
from shared.runtime.dispositions import Handler, Retry
from shared.runtime.held_messages import HeldMessages
from shared.runtime.sqs_queue import BATCH_MESSAGES, QueueMessage, SqsQueue
from shared.runtime.waiting_room import Waiting, WaitingRoom
from shared.runtime.way_out import InHand, WayOut
from shared.runtime.worker_limits import Sharing, WorkerLimits

if TYPE_CHECKING:
    from types_aiobotocore_sqs import SQSClient

log = structlog.get_logger(__name__)

RELEASE_SECONDS = 10.0
"""How long work that was cut off may take to give back what it holds."""

PATIENCE_SECONDS = 5.0
"""A message that waits here for longer is given back, for a worker that has a slot. While no slot was taken for so
long, none is fetched ahead; if one is kept free, one batch in that time, for the sender that it is kept for."""

KEPT_FROM_RECEIVE = 3
"""From this receive on a message waits here, hidden, until its turn comes: giving it back counts as a try, and queues
give up messages after some."""


class SqsWorker:
    """Consumes one queue, and its overflow, until `stop()`; `run()` returns when all held is finished or released.

    It raises if what keeps its messages ends: they would reappear while they are in work, and nobody would notice.
    """

    def __init__(
        self,
        sqs: "SQSClient",
        queue_url: str,
        handler: Handler,
        limits: WorkerLimits,
        *,
        dlq_url: str | None = None,
        sharing: Sharing | None = None,
    ) -> None:
        self._queue = SqsQueue(sqs, queue_url)
        self._overflow = SqsQueue(sqs, sharing.overflow_url) if sharing and sharing.overflow_url else None
        self._sender_of = sharing.sender_of if sharing else lambda _: ""
        self._handler = handler
        self._limits = limits
        self._room: WaitingRoom[InHand] = WaitingRoom(limits.concurrency, keep_one_free=sharing is not None)
        self._held = HeldMessages(limits.visibility)
        self._way_out = WayOut(self._held, limits.backoff, SqsQueue(sqs, dlq_url) if dlq_url else None)
        self._stopping = asyncio.Event()
        self._changed = asyncio.Event()
        self._in_work: set[asyncio.Task[None]] = set()
        self._turned_at = 0.0  # the loop's time when a slot was last taken or freed

    def stop(self) -> None:
        """Take no more work. `run()` ends once what is held is done or the grace period is over."""
        self._stopping.set()
        self._changed.set()

    async def run(self) -> None:
        lanes = [lane for lane in (self._queue, self._overflow) if lane]
        keeping = [asyncio.create_task(self._held.keep_hidden()), asyncio.create_task(self._give_back_overdue())]
        for task in keeping:
            task.add_done_callback(self._keeper_ended)
        try:
            await asyncio.gather(*(self._receive_all(lane) for lane in lanes))
            await asyncio.gather(*(self._way_out.give_back(waiting.message) for waiting in self._room.leave()))
            await self._finish()
            for task in keeping:
                if task.done():
                    task.result()
        finally:
            for task in keeping:
                task.cancel()
            await asyncio.wait(keeping)

    def _keeper_ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled():
            log.error("queue.keeper_died", queue=self._queue.url, error=repr(task.exception()))
        self.stop()

    # --- in -------------------------------------------------------------------------------------------------------

    async def _receive_all(self, queue: SqsQueue) -> None:
        failures = 0
        while not self._stopping.is_set():
            self._changed.clear()
            places = self._places(queue)
            if not places:
                if not await self._make_way(queue):
                    await self._changed.wait()
                continue
            try:
                messages = await self._receive(queue, places)
                failures = 0
            except Exception as error:  # a consumer that ended would leave its queue to nobody
                failures += 1
                delay = min(self._limits.backoff.delay(failures), 30.0)
                tell = log.warning if isinstance(error, AWS_OUTAGES) else log.exception
                tell("queue.receive_failed", queue=queue.url, error=repr(error), retry_in=round(delay, 2))
                await self._first_of(asyncio.sleep(delay), self._stopping.wait())
                continue
            now = asyncio.get_running_loop().time()
            for message in messages:
                self._held.add(message, queue)
                in_hand = InHand(message, queue)
                self._room.add(
                    Waiting(
                        in_hand,
                        self._sender_of(message),
                        now,
                        from_overflow=queue is self._overflow,
                        stays=message.receive_count >= KEPT_FROM_RECEIVE,
                    )
                )
            self._start_work()
            if messages and self._stands_still() and not await self._make_way(queue):
                await self._rest()

    async def _rest(self) -> None:
        """Only a sender that is not here may have the free slot: it is looked for now and then."""
        loop = asyncio.get_running_loop()
        over = loop.time() + PATIENCE_SECONDS
        while self._stands_still() and not self._stopping.is_set() and loop.time() < over:
            self._changed.clear()
            await self._first_of(asyncio.sleep(over - loop.time()), self._changed.wait())

    def _stands_still(self) -> bool:
        """Whether nothing that waits here was taken for so long that others should have it."""
        return asyncio.get_running_loop().time() - self._turned_at > PATIENCE_SECONDS

    def _places(self, queue: SqsQueue) -> int:
        """How many messages may be asked for now."""
        free = self._room.free_slots
        ahead = self._limits.prefetch
        if not free and self._stands_still():
            ahead = 0
        if queue is self._overflow:
            # Ten at a time, so that they neither keep out fresh messages nor are kept out by them.
            return BATCH_MESSAGES if (free or ahead) and not self._room.from_overflow else 0
        places = min(free + ahead - (len(self._room) - self._room.from_overflow), BATCH_MESSAGES)
        if not free and places < BATCH_MESSAGES:
            return 0  # there is work for now; full batches cost less
        return max(0, places)

    async def _make_way(self, queue: SqsQueue) -> bool:
        """Moves what a sender has here beyond half of all places to the overflow queue; whether there was any."""
        overflow = self._overflow
        if overflow is None or queue is overflow or not self._limits.prefetch:
            return False
        leaving = self._room.give_way(self._limits.prefetch // 2)
        if leaving:
            log.info("queue.gave_way", messages=len(leaving), senders=sorted({waiting.sender for waiting in leaving}))
            await asyncio.gather(
                *(self._way_out.move(waiting.message, overflow, waiting.sender) for waiting in leaving)
            )
        return bool(leaving)

    async def _receive(self, queue: SqsQueue, most: int) -> list[QueueMessage]:
        limits = self._limits
        poll = asyncio.ensure_future(
            queue.receive(most, poll_seconds=limits.poll, visibility_seconds=limits.visibility)
        )
        stopping = asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait({poll, stopping}, return_when=asyncio.FIRST_COMPLETED)
            # A message that was on its way to us becomes visible again after its timeout.
            return await poll if poll.done() else []
        finally:
            stopping.cancel()
            poll.cancel()

    # --- work -----------------------------------------------------------------------------------------------------

    def _start_work(self) -> None:
        while not self._stopping.is_set() and (waiting := self._room.take()):
            self._turned_at = asyncio.get_running_loop().time()
            task = asyncio.create_task(self._work(waiting))
            self._in_work.add(task)
            task.add_done_callback(self._in_work.discard)

    async def _work(self, waiting: Waiting[InHand]) -> None:
        message = waiting.message.message
        with structlog.contextvars.bound_contextvars(message_id=message.message_id):
            try:
                disposition = await self._handler(message)
            except asyncio.CancelledError:
                log.warning("message.released", reason="shutdown before its work was done")
                disposition = Retry("shutdown", after_seconds=0)
            except Exception as error:  # the message stays in the queue: nothing is lost here
                log.exception("message.failed", error=repr(error), receive_count=message.receive_count)
                disposition = Retry(repr(error))
            finally:
                self._room.done(waiting.sender)
                self._turned_at = asyncio.get_running_loop().time()
                self._start_work()
                self._changed.set()
            await self._way_out.settle(waiting.message, disposition)

    # --- back -----------------------------------------------------------------------------------------------------

    async def _give_back_overdue(self) -> None:
        while True:
            await asyncio.sleep(PATIENCE_SECONDS / 2)
            overdue = self._room.leave(asyncio.get_running_loop().time() - PATIENCE_SECONDS)
            await asyncio.gather(*(self._way_out.give_back(waiting.message) for waiting in overdue))
            if overdue:
                self._changed.set()

    @staticmethod
    async def _first_of(*waits: Awaitable[object]) -> None:
        tasks = [asyncio.ensure_future(wait) for wait in waits]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()

    async def _finish(self) -> None:
        if not self._in_work:
            return
        _, late = await asyncio.wait(self._in_work, timeout=self._limits.grace)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late, timeout=RELEASE_SECONDS)
