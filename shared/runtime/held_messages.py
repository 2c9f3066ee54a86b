"""Messages in hand stay hidden from other consumers for as long as they are in hand, waiting or in work."""

import asyncio

import structlog

from shared.runtime.sqs_queue import QUEUE_FAULTS, QueueMessage, SqsQueue

log = structlog.get_logger(__name__)


class HeldMessages:
    """Each is hidden anew within half of `visibility_seconds` from the last time."""

    def __init__(self, visibility_seconds: int) -> None:
        self._visibility = visibility_seconds
        self._held: dict[str, tuple[QueueMessage, SqsQueue, float]] = {}

    def add(self, message: QueueMessage, queue: SqsQueue) -> None:
        """It was received just now."""
        self._held[message.receipt_handle] = (message, queue, asyncio.get_running_loop().time())

    def let_go(self, message: QueueMessage) -> None:
        self._held.pop(message.receipt_handle, None)

    async def keep_hidden(self) -> None:
        """Until cancelled; an extension that failed is tried again at the next look."""
        while True:
            await asyncio.sleep(self._visibility / 6)
            due = asyncio.get_running_loop().time() - self._visibility / 3
            await asyncio.gather(
                *(self._extend(message, queue) for message, queue, at in [*self._held.values()] if at <= due)
            )

    async def _extend(self, message: QueueMessage, queue: SqsQueue) -> None:
        try:
            await queue.hide(message, self._visibility)
        except QUEUE_FAULTS as error:
            log.warning("message.extend_failed", message_id=message.message_id, error=str(error))
            return
        if message.receipt_handle in self._held:
            self._held[message.receipt_handle] = (message, queue, asyncio.get_running_loop().time())
