"""The feed-events topic on SNS."""

import asyncio
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import structlog

from services.aggregator.errors import Outage
from services.aggregator.outbox_ports import OutboxEvent
from shared.runtime.aws import AWS_OUTAGES

if TYPE_CHECKING:
    from types_aiobotocore_sns import SNSClient
    from types_aiobotocore_sns.type_defs import PublishBatchRequestEntryTypeDef

log = structlog.get_logger(__name__)

BATCH_EVENTS = 10
BATCH_BYTES = 240_000
"""SNS takes ten messages and 262,144 bytes in a batch; the rest is for attributes."""


class SnsFeedEvents:
    """Implements ports.FeedEvents. Every wait ends after `timeout_seconds`."""

    def __init__(self, sns: "SNSClient", topic_arn: str, timeout_seconds: float) -> None:
        self._sns = sns
        self._topic_arn = topic_arn
        self._timeout_seconds = timeout_seconds

    async def publish(self, events: Sequence[OutboxEvent]) -> frozenset[int]:
        taken: set[int] = set()
        for batch in batches(events):
            taken |= await self._publish_batch(batch)
        return frozenset(taken)

    async def _publish_batch(self, events: Sequence[OutboxEvent]) -> set[int]:
        try:
            async with asyncio.timeout(self._timeout_seconds):
                answer = await self._sns.publish_batch(
                    TopicArn=self._topic_arn, PublishBatchRequestEntries=[_entry(event) for event in events]
                )
        except AWS_OUTAGES as error:
            raise Outage(f"the topic does not take events: {error!r}") from error
        for failure in answer.get("Failed", []):
            log.error("event.refused", outbox_id=failure["Id"], code=failure["Code"], reason=failure.get("Message"))
        return {int(success["Id"]) for success in answer.get("Successful", []) if "Id" in success}


def batches(events: Sequence[OutboxEvent]) -> Iterator[list[OutboxEvent]]:
    """Runs of events that SNS takes at once."""
    batch: list[OutboxEvent] = []
    size = 0
    for event in events:
        event_size = len(event.body.encode())
        if batch and (len(batch) == BATCH_EVENTS or size + event_size > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(event)
        size += event_size
    if batch:
        yield batch


def _entry(event: OutboxEvent) -> "PublishBatchRequestEntryTypeDef":
    attributes = {
        "event_type": event.event_type,
        "seller_id": event.seller_id,
        "feed_type": event.feed_type,
        "severity": event.severity,
    }
    return {
        "Id": str(event.outbox_id),
        "Message": event.body,
        "MessageAttributes": {name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()},
    }
