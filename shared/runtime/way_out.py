"""How a message leaves a worker: settled as its handler said, moved to another queue, or given back untouched."""

from dataclasses import dataclass

import structlog

from shared.runtime.dispositions import Disposition, Done, Reject, Retry
from shared.runtime.held_messages import HeldMessages
from shared.runtime.retry_policy import Backoff
from shared.runtime.sqs_queue import QUEUE_FAULTS, QueueMessage, SqsQueue

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class InHand:
    """A message, and the queue that it is to be deleted from."""

    message: QueueMessage
    queue: SqsQueue


class WayOut:
    """Lets go of every message that it is given. Without `dlq`, what is rejected uses up its queue's tries."""

    def __init__(self, held: HeldMessages, backoff: Backoff, dlq: SqsQueue | None) -> None:
        self._held = held
        self._backoff = backoff
        self._dlq = dlq

    async def settle(self, in_hand: InHand, disposition: Disposition) -> None:
        """Where that fails, it comes back after its visibility timeout, and the flow recognises repeats."""
        try:
            await self._settle(in_hand, disposition)
        except QUEUE_FAULTS as error:
            log.warning("message.settle_failed", error=str(error), disposition=type(disposition).__name__)
        finally:
            self._held.let_go(in_hand.message)

    async def _settle(self, in_hand: InHand, disposition: Disposition) -> None:
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
            after = self._backoff.delay(message.receive_count)
        log.info("message.retried", reason=disposition.reason, after_seconds=round(after, 2))
        await queue.hide(message, after)

    async def move(self, in_hand: InHand, to: SqsQueue, group: str) -> None:
        """Sent first, then deleted: whatever happens in between, it is in one of both, and the flow knows repeats."""
        try:
            await to.send(in_hand.message.body, group)
            await in_hand.queue.delete(in_hand.message)
        except QUEUE_FAULTS as error:
            log.warning("message.not_moved", error=str(error))
        # Where that failed, it comes back after its visibility timeout.
        self._held.let_go(in_hand.message)

    async def give_back(self, in_hand: InHand) -> None:
        """Visible to every worker at once."""
        self._held.let_go(in_hand.message)
        try:
            await in_hand.queue.hide(in_hand.message, 0)
        except QUEUE_FAULTS as error:
            log.warning("message.not_given_back", error=str(error))
