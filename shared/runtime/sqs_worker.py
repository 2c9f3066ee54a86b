"""The long-polling loop that every queue consumer runs: bounded, patient, fair to senders, and clean when it stops.

receive (no more than there are slots and places to wait)
  → wait for a slot, senders taking turns (waiting_room.py); hidden meanwhile, as while it is worked on
  → handler(message)
  → Done: delete · Retry: hide for a while · Reject: move to the dead-letter queue
an exception is a Retry with backoff: no message is ever deleted before its outcome is stored (P4)
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, Self

import structlog

from shared.runtime.aws import AWS_OUTAGES
from shared.runtime.dispositions import Disposition, Done, Handler, Reject, Retry
from shared.runtime.held_messages import HeldMessages
from shared.runtime.retry_policy import Backoff
from shared.runtime.settings import WorkerSettings
from shared.runtime.sqs_queue import BATCH_MESSAGES, QUEUE_FAULTS, QueueMessage, SqsQueue
from shared.runtime.waiting_room import Waiting, WaitingRoom

if TYPE_CHECKING:
    from types_aiobotocore_sqs import SQSClient

log = structlog.get_logger(__name__)

RELEASE_SECONDS = 10.0
"""How long work that was cut off may take to give back what it holds."""

PATIENCE_SECONDS = 5.0
"""A message that waits here for longer is given back, for a worker that has a slot; and while no slot comes free for
so long, none is fetched ahead."""

__all__ = [
    "Disposition",
    "Done",
    "Handler",
    "QueueMessage",
    "Reject",
    "Retry",
    "Sharing",
    "SqsWorker",
    "Worker",
    "WorkerLimits",
]


class Worker(Protocol):
    """What an app's lifespan runs beside its routes."""

    async def run(self) -> None: ...
    def stop(self) -> None: ...


@dataclass(frozen=True, slots=True)
class WorkerLimits:
    """Seconds unless named otherwise. `concurrency`: messages in work; `prefetch`: further ones that wait here."""

    concurrency: int
    visibility: int
    poll: int
    grace: float
    backoff: Backoff
    prefetch: int = 0

    @classmethod
    def of(cls, settings: WorkerSettings) -> Self:
        """What the settings of a consuming service say."""
        return cls(
            concurrency=settings.worker_concurrency,
            visibility=settings.visibility_seconds,
            poll=settings.poll_seconds,
            grace=settings.shutdown_grace_seconds,
            backoff=Backoff(settings.retry_base_seconds, settings.retry_max_seconds),
            prefetch=settings.worker_prefetch,
        )


@dataclass(frozen=True, slots=True)
class Sharing:
    """How senders share the worker. `overflow_url`: the queue to which a sender's messages give way that fill the
    places of the others; read beside the first one. Docs: docs/decisions/0010-one-flood-starves-nobody.md."""

    sender_of: Callable[[QueueMessage], str]
    overflow_url: str | None = None


@dataclass(frozen=True, slots=True)
class _InHand:
    """A message, and the queue that it is to be deleted from."""

    message: QueueMessage
    queue: SqsQueue


class SqsWorker:
    """Consumes one queue, and its overflow, until `stop()`; `run()` returns when all held is finished or released."""

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
        self._dlq = SqsQueue(sqs, dlq_url) if dlq_url else None
        self._sender_of = sharing.sender_of if sharing else lambda _: ""
        self._handler = handler
        self._limits = limits
        self._room: WaitingRoom[_InHand] = WaitingRoom(limits.concurrency, keep_one_free=sharing is not None)
        self._held = HeldMessages(limits.visibility)
        self._stopping = asyncio.Event()
        self._changed = asyncio.Event()
        self._in_work: set[asyncio.Task[None]] = set()
        self._slot_freed_at = 0.0

    def stop(self) -> None:
        """Take no more work. `run()` ends once what is held is done or the grace period is over."""
        self._stopping.set()
        self._changed.set()

    async def run(self) -> None:
        lanes = [lane for lane in (self._queue, self._overflow) if lane]
        keeping = [asyncio.create_task(self._held.keep_hidden()), asyncio.create_task(self._give_back_overdue())]
        try:
            await asyncio.gather(*(self._receive_all(lane) for lane in lanes))
            await asyncio.gather(*(self._give_back(waiting) for waiting in self._room.leave()))
            await self._finish()
        finally:
            for task in keeping:
                task.cancel()
            await asyncio.wait(keeping)

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
                in_hand = _InHand(message, queue)
                self._room.add(Waiting(in_hand, self._sender_of(message), now, queue is self._overflow))
            self._start_work()

    def _places(self, queue: SqsQueue) -> int:
        """How many messages may be asked for now."""
        free = self._room.free_slots
        ahead = self._limits.prefetch
        if not free and asyncio.get_running_loop().time() - self._slot_freed_at > PATIENCE_SECONDS:
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
            await asyncio.gather(*(self._move(waiting, overflow) for waiting in leaving))
        return bool(leaving)

    async def _move(self, waiting: Waiting[_InHand], overflow: SqsQueue) -> None:
        """Sent first, then deleted: whatever happens in between, it is in one of both, and the flow knows repeats."""
        in_hand = waiting.message
        try:
            await overflow.send(in_hand.message.body, waiting.sender)
            await in_hand.queue.delete(in_hand.message)
        except QUEUE_FAULTS as error:
            log.warning("message.not_moved", error=str(error))
        # Where that failed, it comes back after its visibility timeout.
        self._held.let_go(in_hand.message)

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
            task = asyncio.create_task(self._work(waiting))
            self._in_work.add(task)
            task.add_done_callback(self._in_work.discard)

    async def _work(self, waiting: Waiting[_InHand]) -> None:
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
                self._slot_freed_at = asyncio.get_running_loop().time()
                self._start_work()
                self._changed.set()
            try:
                await self._settle(waiting.message, disposition)
            except QUEUE_FAULTS as error:
                # It comes back after its visibility timeout, and the flow recognises repeats.
                log.warning("message.settle_failed", error=str(error), disposition=type(disposition).__name__)
            finally:
                self._held.let_go(message)

    async def _settle(self, in_hand: _InHand, disposition: Disposition) -> None:
        message, queue = in_hand.message, in_hand.queue
        if isinstance(disposition, Reject) and self._dlq:
            await self._dlq.send(message.body)
            log.error("message.rejected", reason=disposition.reason)
            disposition = Done()
        if isinstance(disposition, Done):
            await queue.delete(message)
            return
        after = disposition.after_seconds if isinstance(disposition, Retry) else None
        if after is None:
            after = self._limits.backoff.delay(message.receive_count)
        log.info("message.retried", reason=disposition.reason, after_seconds=round(after, 2))
        await queue.hide(message, after)

    # --- back -----------------------------------------------------------------------------------------------------

    async def _give_back_overdue(self) -> None:
        while True:
            await asyncio.sleep(PATIENCE_SECONDS / 2)
            overdue = self._room.leave(asyncio.get_running_loop().time() - PATIENCE_SECONDS)
            await asyncio.gather(*(self._give_back(waiting) for waiting in overdue))

    async def _give_back(self, waiting: Waiting[_InHand]) -> None:
        message = waiting.message.message
        self._held.let_go(message)
        try:
            await waiting.message.queue.hide(message, 0)
        except QUEUE_FAULTS as error:
            log.warning("message.not_given_back", error=str(error))

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
