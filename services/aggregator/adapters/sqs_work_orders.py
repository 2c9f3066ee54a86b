"""The uploads queue, as the relay sees it: where orders to take up an object once more go."""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from services.aggregator.errors import Outage
from services.aggregator.outbox_ports import OutboxEvent
from shared.runtime.aws import AWS_OUTAGES

if TYPE_CHECKING:
    from types_aiobotocore_sqs import SQSClient


class SqsWorkOrders:
    """Implements ports.FeedEvents for work orders. Every wait ends after `timeout_seconds`."""

    def __init__(self, sqs: "SQSClient", queue_url: str, timeout_seconds: float) -> None:
        self._sqs = sqs
        self._queue_url = queue_url
        self._timeout_seconds = timeout_seconds

    async def publish(self, events: Sequence[OutboxEvent]) -> frozenset[int]:
        """One by one: they are few. After an outage those that went are sent again, which does no harm."""
        taken: set[int] = set()
        for event in events:
            try:
                async with asyncio.timeout(self._timeout_seconds):
                    await self._sqs.send_message(QueueUrl=self._queue_url, MessageBody=event.body)
            except AWS_OUTAGES as error:
                if taken:
                    break
                raise Outage(f"the queue does not take work orders: {error!r}") from error
            taken.add(event.outbox_id)
        return frozenset(taken)
