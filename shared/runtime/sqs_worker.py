"""The long-polling loop that every queue consumer runs: bounded, patient, and clean when it stops.

receive (no more than there are free slots)
  → handler(message), its visibility extended while it works
  → Done: delete · Retry: hide for a while · Reject: move to the dead-letter queue
an exception is a Retry with backoff: no message is ever deleted before its outcome is stored (P4)
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, Self

import structlog

from shared.runtime.aws import AWS_OUTAGES
from shared.runtime.retry_policy import Backoff
from shared.runtime.settings import WorkerSettings

if TYPE_CHECKING:
    from types_aiobotocore_sqs import SQSClient
    from types_aiobotocore_sqs.type_defs import MessageTypeDef

log = structlog.get_logger(__name__)

SQS_RECEIVE_MAX = 10
"""SQS hands out at most ten messages a call."""

RELEASE_SECONDS = 10.0
"""How long work that was cut off may take to give back what it holds."""

MAX_VISIBILITY_SECONDS = 43_200


@dataclass(frozen=True, slots=True)
class QueueMessage:
    """A message in hand. `receive_count` is 1 the first time."""

    message_id: str
    receipt_handle: str
    body: str
    receive_count: int


@dataclass(frozen=True, slots=True)
class Done:
    """The outcome is stored: delete the message."""


@dataclass(frozen=True, slots=True)
class Retry:
    """Not now. Hide the message for `after_seconds`, or by the backoff for its receive count."""

    reason: str
    after_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Reject:
    """Never: no later try can succeed. Move the message to the dead-letter queue now."""

    reason: str


Disposition = Done | Retry | Reject
Handler = Callable[[QueueMessage], Awaitable[Disposition]]


class Worker(Protocol):
    """What an app's lifespan runs beside its routes."""

    async def run(self) -> None: ...
    def stop(self) -> None: ...


@dataclass(frozen=True, slots=True)
class WorkerLimits:
    """Seconds unless named otherwise."""

    concurrency: int
    visibility: int
    poll: int
    grace: float
    backoff: Backoff

    @classmethod
    def of(cls, settings: WorkerSettings) -> Self:
        """What the settings of a consuming service say."""
        return cls(
            concurrency=settings.worker_concurrency,
            visibility=settings.visibility_seconds,
            poll=settings.poll_seconds,
            grace=settings.shutdown_grace_seconds,
            backoff=Backoff(settings.retry_base_seconds, settings.retry_max_seconds),
        )


class SqsWorker:
    """Consumes one queue until `stop()`; `run()` returns when all held messages are finished or released."""

    def __init__(
        self, sqs: "SQSClient", queue_url: str, handler: Handler, limits: WorkerLimits, *, dlq_url: str | None = None
    ) -> None:
        self._sqs = sqs
        self._queue_url = queue_url
        self._dlq_url = dlq_url
        self._handler = handler
        self._limits = limits
        self._stopping = asyncio.Event()
        self._slot_freed = asyncio.Event()
        self._in_work: set[asyncio.Task[None]] = set()

    def stop(self) -> None:
        """Take no more work. `run()` ends once what is held is done or the grace period is over."""
        self._stopping.set()

    async def run(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            free = self._limits.concurrency - len(self._in_work)
            if free <= 0:
                await self._wait_for_slot()
                continue
            try:
                messages = await self._receive(min(free, SQS_RECEIVE_MAX))
                failures = 0
            except Exception as error:  # a consumer that ended would leave its queue to nobody
                failures += 1
                delay = min(self._limits.backoff.delay(failures), 30.0)
                tell = log.warning if isinstance(error, AWS_OUTAGES) else log.exception
                tell("queue.receive_failed", queue=self._queue_url, error=repr(error), retry_in=round(delay, 2))
                await self._pause(delay)
                continue
            for message in messages:
                task = asyncio.create_task(self._work(message))
                self._in_work.add(task)
                task.add_done_callback(self._release_slot)
        await self._finish()

    def _release_slot(self, task: asyncio.Task[None]) -> None:
        self._in_work.discard(task)
        self._slot_freed.set()

    async def _wait_for_slot(self) -> None:
        self._slot_freed.clear()
        await self._first_of(self._slot_freed.wait(), self._stopping.wait())

    async def _pause(self, seconds: float) -> None:
        await self._first_of(asyncio.sleep(seconds), self._stopping.wait())

    @staticmethod
    async def _first_of(*waits: Awaitable[object]) -> None:
        tasks = [asyncio.ensure_future(wait) for wait in waits]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()

    async def _receive(self, most: int) -> list[QueueMessage]:
        poll = asyncio.ensure_future(
            self._sqs.receive_message(
                QueueUrl=self._queue_url,
                MaxNumberOfMessages=most,
                WaitTimeSeconds=self._limits.poll,
                VisibilityTimeout=self._limits.visibility,
                MessageSystemAttributeNames=["ApproximateReceiveCount"],
            )
        )
        stopping = asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait({poll, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not poll.done():
                # A message that was on its way to us becomes visible again after its timeout.
                return []
            return [_in_hand(message) for message in (await poll).get("Messages", [])]
        finally:
            stopping.cancel()
            poll.cancel()

    async def _work(self, message: QueueMessage) -> None:
        with structlog.contextvars.bound_contextvars(message_id=message.message_id):
            extension = asyncio.create_task(self._keep_hidden(message))
            try:
                disposition = await self._handler(message)
            except asyncio.CancelledError:
                log.warning("message.released", reason="shutdown before its work was done")
                disposition = Retry("shutdown", after_seconds=0)
            except Exception as error:  # the message stays in the queue: nothing is lost here
                log.exception("message.failed", error=repr(error), receive_count=message.receive_count)
                disposition = Retry(repr(error))
            finally:
                extension.cancel()
            try:
                await self._settle(message, disposition)
            except AWS_OUTAGES as error:
                # It comes back after its visibility timeout, and the flow recognises repeats.
                log.warning("message.settle_failed", error=str(error), disposition=type(disposition).__name__)

    async def _settle(self, message: QueueMessage, disposition: Disposition) -> None:
        if isinstance(disposition, Reject) and self._dlq_url:
            await self._sqs.send_message(QueueUrl=self._dlq_url, MessageBody=message.body)
            log.error("message.rejected", reason=disposition.reason)
            disposition = Done()
        if isinstance(disposition, Done):
            await self._sqs.delete_message(QueueUrl=self._queue_url, ReceiptHandle=message.receipt_handle)
            return
        after = disposition.after_seconds if isinstance(disposition, Retry) else None
        if after is None:
            after = self._limits.backoff.delay(message.receive_count)
        log.info("message.retried", reason=disposition.reason, after_seconds=round(after, 2))
        await self._hide(message, after)

    async def _keep_hidden(self, message: QueueMessage) -> None:
        """Extend the visibility for as long as the work goes on; a failed extension is tried again next time."""
        while True:
            await asyncio.sleep(self._limits.visibility / 3)
            try:
                await self._hide(message, self._limits.visibility)
            except AWS_OUTAGES as error:
                log.warning("message.extend_failed", error=str(error))

    async def _hide(self, message: QueueMessage, seconds: float) -> None:
        await self._sqs.change_message_visibility(
            QueueUrl=self._queue_url,
            ReceiptHandle=message.receipt_handle,
            VisibilityTimeout=min(int(seconds + 0.5), MAX_VISIBILITY_SECONDS),
        )

    async def _finish(self) -> None:
        if not self._in_work:
            return
        _, late = await asyncio.wait(self._in_work, timeout=self._limits.grace)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late, timeout=RELEASE_SECONDS)


def _in_hand(message: "MessageTypeDef") -> QueueMessage:
    return QueueMessage(
        message_id=message["MessageId"],
        receipt_handle=message["ReceiptHandle"],
        body=message["Body"],
        receive_count=int(message.get("Attributes", {}).get("ApproximateReceiveCount", "1")),
    )
